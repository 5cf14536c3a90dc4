"""Everything that can go wrong in the process round the planner.

    ServiceError                    base: a gRPC status code, a stable reason, a sentence
    ├── NotFound                    no stored resource of that name
    ├── AlreadyExists               the id is taken
    ├── RequestIdReused             the same request id came with another body
    ├── Overloaded                  too much is waiting already; says when to come back
    ├── OutOfTime                   the caller's (or the server's) deadline passed
    ├── WorkerLost                  the worker process died under the job
    ├── StoreUnavailable            the database does not answer
    ├── Cancelled                   somebody cancelled the operation
    ├── Interrupted                 the server stopped under the operation too often
    └── StillRunning                the operation is not done yet

`CannotServe` stands apart: it ends the start, no caller ever sees it. What is wrong with the *question* is
`planner.errors`; `convert.errors` puts both on the wire.
"""

from __future__ import annotations

import grpc


class ServiceError(Exception):
    """Base of the errors this process raises on purpose."""

    code = grpc.StatusCode.INTERNAL
    reason = "INTERNAL"
    retry_after_seconds = 0.0

    def __init__(self, message: str, **metadata: str) -> None:
        super().__init__(message)
        self.message = message
        self.metadata = metadata


class CannotServe(Exception):
    """The server cannot start as it is configured; the message says what to do."""


class NotFound(ServiceError):
    """No stored resource of that name."""

    code = grpc.StatusCode.NOT_FOUND
    reason = "RESOURCE_NOT_FOUND"

    def __init__(self, name: str) -> None:
        super().__init__(f"{name}: not found", resource=name)


class AlreadyExists(ServiceError):
    """The id is taken, by a stored resource, a published law, or an operation under way."""

    code = grpc.StatusCode.ALREADY_EXISTS
    reason = "RESOURCE_EXISTS"

    def __init__(self, name: str) -> None:
        super().__init__(f"{name}: exists already; choose another id, or delete it first", resource=name)


class RequestIdReused(ServiceError):
    """The same request id came with another body."""

    code = grpc.StatusCode.INVALID_ARGUMENT
    reason = "REQUEST_ID_REUSED"

    def __init__(self, request_id: str) -> None:
        super().__init__(
            f"request_id = {request_id}: was used within 24 hours for another request; draw a new UUID",
            field="request_id",
            value=request_id,
        )


class Overloaded(ServiceError):
    """Too much is waiting already."""

    code = grpc.StatusCode.RESOURCE_EXHAUSTED
    reason = "OVERLOADED"

    def __init__(self, what: str, limit: int, retry_after_seconds: float) -> None:
        super().__init__(f"{limit} {what} already; retry in {retry_after_seconds:.1f} s", limit=str(limit), what=what)
        self.retry_after_seconds = retry_after_seconds


class OutOfTime(ServiceError):
    """The deadline passed before there was an answer."""

    code = grpc.StatusCode.DEADLINE_EXCEEDED
    reason = "DEADLINE_EXCEEDED"

    def __init__(self, seconds: float) -> None:
        super().__init__(f"no answer within {seconds:.3g} s; give the call a later deadline", seconds=f"{seconds:.3g}")


class WorkerLost(ServiceError):
    """The worker process died under the job (killed, or out of memory)."""

    code = grpc.StatusCode.UNAVAILABLE
    reason = "WORKER_LOST"
    retry_after_seconds = 1.0

    def __init__(self) -> None:
        super().__init__("the worker process died under this call; it is being replaced, try again")


class StoreUnavailable(ServiceError):
    """The database does not answer, or cannot write."""

    code = grpc.StatusCode.UNAVAILABLE
    reason = "STORE_UNAVAILABLE"
    retry_after_seconds = 1.0

    def __init__(self) -> None:
        super().__init__("the store cannot be read or written at the moment; nothing was stored")


class Cancelled(ServiceError):
    """Somebody cancelled the operation."""

    code = grpc.StatusCode.CANCELLED
    reason = "OPERATION_CANCELLED"

    def __init__(self, name: str) -> None:
        super().__init__(f"{name}: was cancelled", resource=name)


class Interrupted(ServiceError):
    """The server stopped under the operation too often."""

    code = grpc.StatusCode.ABORTED
    reason = "OPERATION_INTERRUPTED"

    def __init__(self, name: str, attempts: int) -> None:
        super().__init__(f"{name}: the server stopped under it {attempts} times; start it again", resource=name)


class StillRunning(ServiceError):
    """Only an operation that is done can be deleted."""

    code = grpc.StatusCode.FAILED_PRECONDITION
    reason = "OPERATION_RUNNING"

    def __init__(self, name: str) -> None:
        super().__init__(f"{name}: is still running; cancel it first, or wait for it", resource=name)
