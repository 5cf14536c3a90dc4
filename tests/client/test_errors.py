"""Errors on the wire become exceptions by their reason, then by their code."""

from __future__ import annotations

import pytest
from google.protobuf.duration_pb2 import Duration
from google.rpc import error_details_pb2, status_pb2

from apportion import errors
from apportion.cli.session import exit_code


def a_status(code: int, message: str, *details: object) -> status_pb2.Status:
    status = status_pb2.Status(code=code, message=message)
    for detail in details:
        status.details.add().Pack(detail)
    return status


def info(reason: str, **metadata: str) -> error_details_pb2.ErrorInfo:
    return error_details_pb2.ErrorInfo(reason=reason, domain="apportion.dev", metadata=metadata)


def test_bad_input_names_every_field() -> None:
    violation = error_details_pb2.BadRequest.FieldViolation
    bad = error_details_pb2.BadRequest(
        field_violations=[
            violation(field="limits.training_flops", description="nan: a finite number"),
            violation(field="hardware.price_usd_per_hour[X]", description="-1: a finite number"),
        ]
    )
    facts = info("INVALID_INPUT", field="limits.training_flops", value="nan", allowed="a finite number")
    error = errors.read_status(a_status(3, "two faults", facts, bad))
    assert isinstance(error, errors.InvalidArgument)
    assert (error.field, error.value, error.allowed) == ("limits.training_flops", "nan", "a finite number")
    assert [v.field for v in error.violations] == ["limits.training_flops", "hardware.price_usd_per_hour[X]"]
    assert error.violations[0].value == "nan"


def test_an_unknown_name_brings_suggestions() -> None:
    facts = info("UNKNOWN_NAME", field="law", value="kaplan", suggestions="kaplan-2020, hoffmann-2022")
    error = errors.read_status(a_status(5, "no such law", facts))
    assert isinstance(error, errors.NotFound)
    assert error.suggestions == ("kaplan-2020", "hoffmann-2022")


def test_an_overloaded_service_says_when_to_come_back() -> None:
    retry = error_details_pb2.RetryInfo(retry_delay=Duration(seconds=1, nanos=500_000_000))
    error = errors.read_status(a_status(8, "full", info("OVERLOADED"), retry))
    assert isinstance(error, errors.Overloaded)
    assert error.retry_after_seconds == 1.5


@pytest.mark.parametrize(
    ("code", "reason", "kind", "number"),
    [
        (3, "", errors.InvalidArgument, 2),
        (3, "REQUEST_ID_REUSED", errors.InvalidArgument, 2),
        (5, "RESOURCE_NOT_FOUND", errors.NotFound, 2),
        (6, "", errors.AlreadyExists, 2),
        (9, "NOT_IDENTIFIED", errors.NotIdentified, 2),
        (9, "", errors.FailedPrecondition, 2),
        (14, "", errors.Unavailable, 4),
        (8, "", errors.Overloaded, 4),
        (4, "", errors.DeadlineExceeded, 4),
        (7, "", errors.PermissionDenied, 1),
        (1, "", errors.Cancelled, 1),
        (13, "", errors.ServerError, 1),
        (2, "", errors.ServerError, 1),
    ],
)
def test_each_status_has_its_exception_and_its_exit_code(
    code: int, reason: str, kind: type[errors.ApportionError], number: int
) -> None:
    details = [info(reason)] if reason else []
    error = errors.read_status(a_status(code, "words", *details))
    assert type(error) is kind
    assert error.reason == (reason or kind.reason)
    assert exit_code(error) == number


def test_a_message_too_long_for_the_service_is_bad_input_not_overload() -> None:
    error = errors.read_status(a_status(8, "Received message larger than max (200 vs. 100)"))
    assert isinstance(error, errors.InvalidArgument)


def test_a_reason_cannot_name_a_class_to_load() -> None:
    assert type(errors.read_status(a_status(3, "x", info("OSERROR")))) is errors.InvalidArgument
