"""Comparing forms: an operation whose answer is kept with it and nowhere else."""

from __future__ import annotations

from google.longrunning import operations_pb2
from google.protobuf.message import Message
from sqlalchemy import Connection

from apportion.v1 import comparison_pb2, laws_service_pb2
from planner.errors import Range, require
from planner.laws import form_class
from server import names
from server.execution.operations import OperationRunner
from server.execution.pool import WorkerPool
from server.execution.worker import Job
from server.interceptors import call
from server.services.attachments import run_set_attachment
from server.services.once import Once
from server.services.operations import answer_or_raise
from server.storage.store import Store

KIND = "CompareForms"
DRAWS = Range(0, 100_000, "draws")
SEEDS = Range(0, 2**31 - 1, "")


async def begin(
    store: Store, pool: WorkerPool, operations: OperationRunner, request: laws_service_pb2.CompareFormsRequest
) -> operations_pb2.Operation:
    """Check the request, store the operation and start it, once per request id."""
    once = Once(store, KIND, request)
    if (earlier := await once.earlier()) is not None:
        return await operations.refreshed(operations_pb2.Operation.FromString(earlier))
    complete = laws_service_pb2.CompareFormsRequest()
    complete.CopyFrom(request)
    require(
        *SEEDS.check("seed", request.seed),
        *DRAWS.check("bootstrap_draw_count", request.bootstrap_draw_count),
    )
    complete.forms[:] = [form_class(name).form_name for name in request.forms]
    complete.run_set = names.full(names.RUN_SETS, names.identity(names.RUN_SETS, request.run_set, "run_set"))
    serialised = complete.SerializeToString()
    check = Job("CheckCompare", serialised, await run_set_attachment(store, complete.run_set))
    answer_or_raise(await pool.run(check, call.current().remaining_seconds()))
    if request.validate_only:
        return operations_pb2.Operation(done=True)

    def start(connection: Connection) -> Message:
        return operations.created(connection, operations.create(connection, KIND, "", serialised))

    return await operations.begin(once, "start_comparison", start, KIND, serialised)


class ComparisonWork:
    """How a CompareForms operation is run and ended."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def job(self, request: bytes) -> Job:
        run_set = laws_service_pb2.CompareFormsRequest.FromString(request).run_set
        return Job(KIND, request, await run_set_attachment(self._store, run_set))

    def commit(self, connection: Connection, request: bytes, parts: tuple[bytes, ...]) -> Message:
        return comparison_pb2.FormComparison.FromString(parts[0])

    def stage(self, stage: str) -> Message:
        return laws_service_pb2.CompareFormsMetadata(stage=stage)
