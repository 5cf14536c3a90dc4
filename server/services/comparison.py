"""Comparing forms, targets and approaches: operations whose answers are kept with them and nowhere else."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from google.longrunning import operations_pb2
from google.protobuf.message import Message
from sqlalchemy import Connection

from apportion.v1 import comparison_pb2, laws_service_pb2
from planner.errors import InvalidInput, Range, Violation, require
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

DRAWS = Range(0, 100_000, "draws")
SEEDS = Range(0, 2**31 - 1, "")


@dataclass(frozen=True)
class Comparison:
    """One kind of comparison: its messages. The name is that of its method, its operation and its job."""

    request: type[Any]
    answer: type[Message]
    progress: type[Any]

    @property
    def name(self) -> str:
        return str(self.request.DESCRIPTOR.name).removesuffix("Request")


FORMS = Comparison(
    laws_service_pb2.CompareFormsRequest, comparison_pb2.FormComparison, laws_service_pb2.CompareFormsMetadata
)
TARGETS = Comparison(
    laws_service_pb2.CompareTargetsRequest, comparison_pb2.TargetComparison, laws_service_pb2.CompareTargetsMetadata
)
APPROACHES = Comparison(
    laws_service_pb2.CompareApproachesRequest,
    comparison_pb2.ApproachComparison,
    laws_service_pb2.CompareApproachesMetadata,
)
COMPARISONS = (FORMS, TARGETS, APPROACHES)


async def begin(
    store: Store, pool: WorkerPool, operations: OperationRunner, kind: Comparison, request: Any
) -> operations_pb2.Operation:
    """Check the request, store the operation and start it, once per request id."""
    once = Once(store, kind.name, request)
    if (earlier := await once.earlier()) is not None:
        return await operations.refreshed(operations_pb2.Operation.FromString(earlier))
    complete = _checked(kind, request)
    serialised = complete.SerializeToString()
    check = Job(f"Check{kind.name}", serialised, await run_set_attachment(store, complete.run_set))
    answer_or_raise(await pool.run(check, call.current().remaining_seconds()))
    if request.validate_only:
        return operations_pb2.Operation(done=True)

    def start(connection: Connection) -> Message:
        return operations.created(connection, operations.create(connection, kind.name, "", serialised))

    return await operations.begin(once, "start_comparison", start, kind.name, serialised)


def _checked(kind: Comparison, request: Any) -> Any:
    """The request with canonical names."""
    complete = kind.request()
    complete.CopyFrom(request)
    require(
        *SEEDS.check("seed", request.seed),
        *DRAWS.check("bootstrap_draw_count", request.bootstrap_draw_count),
    )
    if kind is not APPROACHES:
        complete.forms[:] = [form_class(name).form_name for name in request.forms]
    if kind is TARGETS and not request.targets:
        raise InvalidInput(Violation("targets", "none", "at least one column that holds losses"))
    complete.run_set = names.full(names.RUN_SETS, names.identity(names.RUN_SETS, request.run_set, "run_set"))
    return complete


class ComparisonWork:
    """How the operation of a comparison is run and ended."""

    def __init__(self, store: Store, kind: Comparison) -> None:
        self._store, self._kind = store, kind

    async def job(self, request: bytes) -> Job:
        run_set = self._kind.request.FromString(request).run_set
        return Job(self._kind.name, request, await run_set_attachment(self._store, run_set))

    def commit(self, connection: Connection, request: bytes, parts: tuple[bytes, ...]) -> Message:
        answer = self._kind.answer()
        answer.ParseFromString(parts[0])
        return answer

    def stage(self, stage: str) -> Message:
        progress: Message = self._kind.progress(stage=stage)
        return progress
