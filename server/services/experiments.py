"""Designing experiments: an operation whose answer is kept with it and nowhere else."""

from __future__ import annotations

from google.longrunning import operations_pb2
from google.protobuf.message import Message
from sqlalchemy import Connection

from apportion.v1 import experiment_pb2, laws_service_pb2
from server.execution.operations import OperationRunner
from server.execution.pool import WorkerPool
from server.execution.worker import Job
from server.interceptors import call
from server.services.library import Library
from server.services.once import Once
from server.services.operations import answer_or_raise
from server.storage.store import Store

KIND = "DesignExperiment"


async def begin(
    store: Store,
    pool: WorkerPool,
    operations: OperationRunner,
    library: Library,
    request: laws_service_pb2.DesignExperimentRequest,
) -> operations_pb2.Operation:
    """Check the request, store the operation and start it, once per request id."""
    once = Once(store, KIND, request)
    if (earlier := await once.earlier()) is not None:
        return await operations.refreshed(operations_pb2.Operation.FromString(earlier))
    serialised = request.SerializeToString()
    check = Job("CheckDesign", serialised, await library.attachments(request.law))
    answer_or_raise(await pool.run(check, call.current().remaining_seconds()))

    def start(connection: Connection) -> Message:
        return operations.created(connection, operations.create(connection, KIND, "", serialised))

    return await operations.begin(once, "start_design", start, KIND, serialised)


class DesignWork:
    """How a DesignExperiment operation is run and ended."""

    def __init__(self, library: Library) -> None:
        self._library = library

    async def job(self, request: bytes) -> Job:
        law = laws_service_pb2.DesignExperimentRequest.FromString(request).law
        return Job(KIND, request, await self._library.attachments(law))

    def commit(self, connection: Connection, request: bytes, parts: tuple[bytes, ...]) -> Message:
        return experiment_pb2.ExperimentDesign.FromString(parts[0])

    def stage(self, stage: str) -> Message:
        return laws_service_pb2.DesignExperimentMetadata(stage=stage)
