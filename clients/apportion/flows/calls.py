"""Calls, pages and operations: what all flows share."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any, TypeVar

from google.longrunning import operations_pb2
from google.protobuf import empty_pb2
from google.protobuf.message import Message

from apportion.errors import ApportionError, DeadlineExceeded, read_status

READ_SECONDS = 5.0
PLAN_SECONDS = 60.0
TABLE_SECONDS = 60.0
FIT_SECONDS = 900.0
FRONT_SECONDS = 600.0
_WAIT_SECONDS = 10.0
_PAGE_SIZE = 200

T = TypeVar("T")


@dataclass(frozen=True)
class Call:
    """One unary call: its full method name, the request, the class of the answer, its deadline."""

    method: str
    request: Message
    answer: type[Message]
    timeout_seconds: float


Flow = Generator[Call, Any, T]
OnStage = Callable[[str], None]


def ask(service: str, request: Message, answer: type[Message], timeout_seconds: float) -> Call:
    """The method of a request is its name: `PlanTrainingRequest` asks `PlanTraining`."""
    method = request.DESCRIPTOR.name.removesuffix("Request")
    package = "google.longrunning" if service == "Operations" else "apportion.v1"
    return Call(f"/{package}.{service}/{method}", request, answer, timeout_seconds)


def pages_of(service: str, request: Any, answer: type[Message]) -> Flow[list[Any]]:
    """All pages of a list, one after the other."""
    pages = []
    request.page_size = _PAGE_SIZE
    while True:
        page = yield ask(service, request, answer, READ_SECONDS)
        pages.append(page)
        if not page.next_page_token:
            return pages
        request.page_token = page.next_page_token


def outcome_of(
    operation: operations_pb2.Operation,
    answer: type[Message],
    metadata: type[Message],
    timeout_seconds: float,
    on_stage: OnStage | None,
) -> Flow[Any]:
    """Wait for an operation; when the wait is given up, for whatever cause, cancel it."""
    end = time.monotonic() + timeout_seconds
    told = ""
    try:
        while not operation.done:
            left = end - time.monotonic()
            if left <= 0:
                raise DeadlineExceeded(
                    f"{operation.name}: not done within {timeout_seconds:g} s",
                    metadata={"operation": operation.name},
                )
            progress = metadata()
            if on_stage and operation.metadata.Unpack(progress) and progress.stage != told:  # type: ignore[attr-defined]
                told = progress.stage  # type: ignore[attr-defined]
                on_stage(told)
            wait = operations_pb2.WaitOperationRequest(name=operation.name)
            wait.timeout.FromMilliseconds(int(1000 * min(_WAIT_SECONDS, left)))
            deadline = min(_WAIT_SECONDS, left) + READ_SECONDS
            operation = yield ask("Operations", wait, operations_pb2.Operation, deadline)
    except GeneratorExit:
        raise
    except BaseException:
        cancel = operations_pb2.CancelOperationRequest(name=operation.name)
        yield from quietly(_one(ask("Operations", cancel, empty_pb2.Empty, READ_SECONDS)))
        raise
    if operation.HasField("error"):
        raise read_status(operation.error)
    result = answer()
    operation.response.Unpack(result)
    return result


def _one(call: Call) -> Flow[Any]:
    return (yield call)


def quietly(flow: Flow[Any]) -> Flow[None]:
    """Tidying up after a failure must not hide the failure."""
    try:
        yield from flow
    except ApportionError:
        return
