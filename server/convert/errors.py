"""Errors as `google.rpc.Status`: a code, a sentence, and details that programs can read.

Every status carries `ErrorInfo` (reason, domain, everything variable); bad input adds `BadRequest` with one violation
per field, overload adds `RetryInfo`, advice adds `Help`. An error nobody planned for is masked: the caller gets an id,
the log gets the traceback.
"""

from __future__ import annotations

import grpc
from google.protobuf import any_pb2, duration_pb2
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2

from planner.errors import InvalidInput, NotIdentified, PlanningError, UnknownName
from server.errors import ServiceError

DOMAIN = "apportion.dev"
# Details travel as a header, which peers bound at 8 KiB: what a caller wrote is quoted, but not at any length.
_MAX_VIOLATIONS = 16
_MAX_TEXT = 240
_MAX_MESSAGE = 1200


def to_status(error: PlanningError | ServiceError) -> status_pb2.Status:
    """The status of an error that was raised on purpose."""
    if isinstance(error, ServiceError):
        details: list[Message] = [_info(error.reason, error.metadata)]
        if "field" in error.metadata:
            details.append(_bad_request([(error.metadata["field"], error.message)]))
        if error.retry_after_seconds:
            delay = duration_pb2.Duration()
            delay.FromNanoseconds(int(error.retry_after_seconds * 1e9))
            details.append(error_details_pb2.RetryInfo(retry_delay=delay))
        return _status(error.code, error.message, details)
    details = [_info(error.reason, error.metadata())]
    if isinstance(error, InvalidInput):
        code = grpc.StatusCode.INVALID_ARGUMENT
        details.append(_bad_request([(v.field, f"{v.value}: {v.allowed}") for v in error.violations]))
    elif isinstance(error, UnknownName):
        code = grpc.StatusCode.NOT_FOUND
        resource = error_details_pb2.ResourceInfo(
            resource_type=f"{DOMAIN}/{error.kind}", resource_name=_cut(error.name), description=_cut(error.message)
        )
        details.append(resource)
    elif isinstance(error, NotIdentified):
        code = grpc.StatusCode.FAILED_PRECONDITION
        violation = error_details_pb2.PreconditionFailure.Violation(
            type=error.reason, subject="runs", description=error.hint
        )
        details.append(error_details_pb2.PreconditionFailure(violations=[violation]))
    else:
        code = grpc.StatusCode.FAILED_PRECONDITION
    message = f"{error.message} ({error.hint})" if error.hint else error.message
    return _status(code, message, details)


def masked(identity: str) -> status_pb2.Status:
    """The status of an error nobody planned for."""
    message = f"internal error (id {identity}); the server's log has the details under this id"
    return _status(grpc.StatusCode.INTERNAL, message, [_info("INTERNAL", {"id": identity})])


def reason(status: status_pb2.Status) -> str:
    """`ErrorInfo.reason` of a status, or an empty string."""
    info = error_details_pb2.ErrorInfo()
    return next((info.reason for detail in status.details if detail.Unpack(info)), "")


def _status(code: grpc.StatusCode, message: str, details: list[Message]) -> status_pb2.Status:
    status = status_pb2.Status(code=code.value[0], message=_cut(message, _MAX_MESSAGE))
    for detail in details:
        packed = any_pb2.Any()
        packed.Pack(detail)
        status.details.append(packed)
    return status


def _info(reason_: str, metadata: dict[str, str]) -> error_details_pb2.ErrorInfo:
    return error_details_pb2.ErrorInfo(
        reason=reason_, domain=DOMAIN, metadata={key: _cut(value) for key, value in metadata.items()}
    )


def _bad_request(violations: list[tuple[str, str]]) -> error_details_pb2.BadRequest:
    found = [
        error_details_pb2.BadRequest.FieldViolation(field=_cut(field), description=_cut(description))
        for field, description in violations[:_MAX_VIOLATIONS]
    ]
    return error_details_pb2.BadRequest(field_violations=found)


def _cut(text: str, length: int = _MAX_TEXT) -> str:
    return text if len(text) <= length else f"{text[: length - 1]}…"
