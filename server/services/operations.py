"""google.longrunning.Operations: what became of the long calls."""

from __future__ import annotations

from google.longrunning import operations_grpc_pb2, operations_pb2
from google.protobuf import empty_pb2
from google.rpc import status_pb2
from sqlalchemy import Connection

from planner.errors import InvalidInput, Violation
from server import names
from server.errors import StillRunning
from server.execution.operations import OperationRunner
from server.execution.worker import Answer
from server.interceptors import call
from server.interceptors.around import Context
from server.interceptors.errors import StatusError
from server.pages import read_page
from server.storage import operations as rows
from server.storage import resources
from server.storage.schema import operations
from server.storage.store import Store

_ANSWER_RESERVE_SECONDS = 0.2  # a wait ends this long before the caller's deadline, so that the answer arrives
_COLUMNS = ("metadata", "done", "response", "error")


class OperationsService(operations_grpc_pb2.OperationsServicer):
    """Handlers; the standard says what each promises."""

    def __init__(self, store: Store, runner: OperationRunner) -> None:
        self._store, self._runner = store, runner

    async def GetOperation(
        self, request: operations_pb2.GetOperationRequest, context: Context
    ) -> operations_pb2.Operation:
        return await self._runner.get(names.identity(names.OPERATIONS, request.name))

    async def ListOperations(
        self, request: operations_pb2.ListOperationsRequest, context: Context
    ) -> operations_pb2.ListOperationsResponse:
        if request.filter:
            raise InvalidInput(Violation("filter", repr(request.filter[:80]), "empty; filters are not supported"))
        page = read_page(request, "operations")
        found, token = await self._store.read("list_operations", resources.newest, operations, page, _COLUMNS)
        messages = [rows.to_message(row) for row in found]
        return operations_pb2.ListOperationsResponse(operations=messages, next_page_token=token)

    async def WaitOperation(
        self, request: operations_pb2.WaitOperationRequest, context: Context
    ) -> operations_pb2.Operation:
        seconds = call.current().remaining_seconds() - _ANSWER_RESERVE_SECONDS
        if request.HasField("timeout"):
            seconds = min(seconds, request.timeout.ToNanoseconds() / 1e9)
        return await self._runner.wait(names.identity(names.OPERATIONS, request.name), max(seconds, 0.0))

    async def CancelOperation(
        self, request: operations_pb2.CancelOperationRequest, context: Context
    ) -> empty_pb2.Empty:
        await self._runner.cancel(names.identity(names.OPERATIONS, request.name))
        return empty_pb2.Empty()

    async def DeleteOperation(
        self, request: operations_pb2.DeleteOperationRequest, context: Context
    ) -> empty_pb2.Empty:
        identity = names.identity(names.OPERATIONS, request.name)
        await self._store.write("delete_operation", _delete_done, identity)
        return empty_pb2.Empty()


def answer_or_raise(answer: Answer) -> tuple[bytes, ...]:
    """The parts of a worker's answer. Raises StatusError if it is an error."""
    if answer.status:
        raise StatusError(status_pb2.Status.FromString(answer.status))
    return answer.parts


def _delete_done(connection: Connection, identity: str) -> None:
    name = names.full(names.OPERATIONS, identity)
    if not resources.get(connection, operations, identity, name).done:
        raise StillRunning(name)
    resources.remove(connection, operations, identity, name)
