"""Everything a call can raise, and the one place where an error on the wire becomes an exception.

    ApportionError                    base: a stable `reason`, a sentence, what varied in it as `metadata`
    ├── RequestRefused                the request cannot be answered as it stands; repeating it will not help
    │   ├── InvalidArgument           fields that hold a value which is not allowed (`violations`, all of them)
    │   ├── NotFound                  no law, plan, accelerator … of that name (`suggestions`)
    │   ├── AlreadyExists             the name is taken, or the request id was used for another request
    │   └── FailedPrecondition        what the request rests on is not in the state it needs
    │       └── NotIdentified         the runs cannot support the fit that was asked for
    ├── Unavailable                   nobody answers; try again later
    │   └── Overloaded                the service is full (`retry_after_seconds`)
    ├── DeadlineExceeded              out of time
    ├── PermissionDenied              not allowed, or not known
    ├── Cancelled                     somebody stopped it
    └── ServerError                   a fault of the service; the message holds an id to look for in its log

The class is chosen by `ErrorInfo.reason`, else by the status code; never by a class named on the wire, which
would let a server decide what code its callers load.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from google.rpc.status_pb2 import Status

DOMAIN = "apportion.dev"


@dataclass(frozen=True)
class Violation:
    """One field that holds a value which is not allowed."""

    field: str
    value: str
    allowed: str

    def __str__(self) -> str:
        return f"{self.field} = {self.value}: {self.allowed}"


class ApportionError(Exception):
    """Base of everything this package raises on purpose."""

    reason = "UNKNOWN"

    def __init__(self, message: str, *, reason: str = "", metadata: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.reason = reason or type(self).reason
        self.metadata = dict(metadata or {})


class RequestRefused(ApportionError):
    """The request cannot be answered as it stands; repeating it will not help."""


class InvalidArgument(RequestRefused):
    """Fields that hold a value which is not allowed; `violations` names all of them at once."""

    reason = "INVALID_INPUT"

    def __init__(
        self,
        message: str = "",
        *,
        violations: Iterable[Violation] = (),
        reason: str = "",
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        self.violations = tuple(violations)
        text = message or "; ".join(str(violation) for violation in self.violations)
        super().__init__(text, reason=reason, metadata=metadata)
        first = self.violations[0] if self.violations else Violation("", "", "")
        self.field = self.metadata.get("field", first.field)
        self.value = self.metadata.get("value", first.value)
        self.allowed = self.metadata.get("allowed", first.allowed)


class NotFound(RequestRefused):
    """Nothing bears that name; `suggestions` holds the nearest that exist."""

    reason = "UNKNOWN_NAME"

    def __init__(self, message: str, *, reason: str = "", metadata: Mapping[str, str] | None = None) -> None:
        super().__init__(message, reason=reason, metadata=metadata)
        self.field = self.metadata.get("field", "")
        self.value = self.metadata.get("value", "")
        near = self.metadata.get("suggestions", "")
        self.suggestions = tuple(name.strip() for name in near.split(",") if name.strip())


class AlreadyExists(RequestRefused):
    """The name is taken, or the request id was used for another request."""

    reason = "ALREADY_EXISTS"


class FailedPrecondition(RequestRefused):
    """What the request rests on is not in the state it needs."""

    reason = "FAILED_PRECONDITION"


class NotIdentified(FailedPrecondition):
    """The runs cannot support the fit that was asked for."""

    reason = "NOT_IDENTIFIED"


class Unavailable(ApportionError):
    """Nobody answers; try again later."""

    reason = "UNAVAILABLE"


class Overloaded(Unavailable):
    """The service is full; `retry_after_seconds` says when to come back, where it is known."""

    reason = "OVERLOADED"
    retry_after_seconds: float | None = None


class DeadlineExceeded(ApportionError):
    """Out of time."""

    reason = "DEADLINE_EXCEEDED"


class PermissionDenied(ApportionError):
    """Not allowed, or not known."""

    reason = "PERMISSION_DENIED"


class Cancelled(ApportionError):
    """Somebody stopped it."""

    reason = "CANCELLED"


class ServerError(ApportionError):
    """A fault of the service."""

    reason = "INTERNAL"


_BY_REASON: Mapping[str, type[ApportionError]] = {
    "INVALID_INPUT": InvalidArgument,
    "UNSUPPORTED_COMBINATION": InvalidArgument,
    "UNKNOWN_NAME": NotFound,
    "NOT_IDENTIFIED": NotIdentified,
}
# google.rpc.Code
_BY_CODE: Mapping[int, type[ApportionError]] = {
    1: Cancelled,
    3: InvalidArgument,
    4: DeadlineExceeded,
    5: NotFound,
    6: AlreadyExists,
    7: PermissionDenied,
    8: Overloaded,
    9: FailedPrecondition,
    10: FailedPrecondition,
    11: InvalidArgument,
    14: Unavailable,
    16: PermissionDenied,
}
_INVALID_ARGUMENT, _RESOURCE_EXHAUSTED = 3, 8


def read_status(status: Status) -> ApportionError:
    """The exception that a `google.rpc.Status` stands for."""
    from google.rpc import error_details_pb2

    info = error_details_pb2.ErrorInfo()
    bad = error_details_pb2.BadRequest()
    retry = error_details_pb2.RetryInfo()
    for detail in status.details:
        for message in (info, bad, retry):
            if detail.Is(message.DESCRIPTOR):
                detail.Unpack(message)
    code = status.code
    # grpc's own refusal of a message that is too long says "exhausted", but waiting will not shorten it.
    if code == _RESOURCE_EXHAUSTED and not info.reason and "larger than max" in status.message:
        code = _INVALID_ARGUMENT
    kind = _BY_REASON.get(info.reason) or _BY_CODE.get(code, ServerError)
    metadata = dict(info.metadata)
    if issubclass(kind, InvalidArgument):
        return kind(
            status.message,
            violations=_violations(bad.field_violations, metadata),
            reason=info.reason,
            metadata=metadata,
        )
    error = kind(status.message, reason=info.reason, metadata=metadata)
    if isinstance(error, Overloaded) and (retry.retry_delay.seconds or retry.retry_delay.nanos):
        error.retry_after_seconds = retry.retry_delay.seconds + retry.retry_delay.nanos / 1e9
    return error


def _violations(found: Iterable[object], metadata: Mapping[str, str]) -> tuple[Violation, ...]:
    """Field by field; the value is known apart only for the first, elsewhere it is part of the description."""
    violations = []
    for number, violation in enumerate(found):
        field = str(getattr(violation, "field", ""))
        description = str(getattr(violation, "description", ""))
        first = number == 0 and metadata.get("field") == field
        value = metadata.get("value", "") if first else ""
        violations.append(Violation(field, value, metadata.get("allowed", description) if first else description))
    if not violations and "field" in metadata:
        violations.append(Violation(metadata["field"], metadata.get("value", ""), metadata.get("allowed", "")))
    return tuple(violations)
