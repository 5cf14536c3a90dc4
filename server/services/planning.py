"""The Planning service: questions to the workers, plans to the store."""

from __future__ import annotations

from google.longrunning import operations_pb2
from google.protobuf import empty_pb2
from google.protobuf.message import Message
from sqlalchemy import Connection

from apportion.v1 import plan_pb2, planning_service_pb2, planning_service_pb2_grpc
from server import names
from server.errors import AlreadyExists
from server.execution.operations import OperationRunner
from server.execution.plan_cache import PlanCache, key_of
from server.execution.pool import WorkerPool
from server.execution.worker import Job
from server.interceptors import call
from server.interceptors.around import Context
from server.pages import read_page
from server.services.library import Library
from server.services.once import Once
from server.services.operations import answer_or_raise
from server.services.own_hardware import OwnHardware
from server.storage import resources
from server.storage.schema import plans
from server.storage.store import Store
from server.telemetry.metrics import Metrics
from server.telemetry.outcomes import record_front, record_plan

Question = (
    planning_service_pb2.PlanTrainingRequest
    | planning_service_pb2.PlanDeploymentRequest
    | planning_service_pb2.PlanLifecycleRequest
)


class PlanningService(planning_service_pb2_grpc.PlanningServicer):
    """Handlers; see planning_service.proto for what each promises."""

    def __init__(
        self,
        store: Store,
        pool: WorkerPool,
        operations: OperationRunner,
        library: Library,
        own: OwnHardware,
        cache: PlanCache,
        metrics: Metrics,
    ) -> None:
        self._store, self._pool, self._operations, self._library = store, pool, operations, library
        self._own, self._cache, self._metrics = own, cache, metrics

    async def PlanTraining(self, request: planning_service_pb2.PlanTrainingRequest, context: Context) -> plan_pb2.Plan:
        return await self._plan("PlanTraining", request, request.law)

    async def PlanDeployment(
        self, request: planning_service_pb2.PlanDeploymentRequest, context: Context
    ) -> plan_pb2.Plan:
        return await self._plan("PlanDeployment", request, "")

    async def PlanLifecycle(
        self, request: planning_service_pb2.PlanLifecycleRequest, context: Context
    ) -> plan_pb2.Plan:
        return await self._plan("PlanLifecycle", request, request.law)

    async def ComputeFront(
        self, request: planning_service_pb2.ComputeFrontRequest, context: Context
    ) -> operations_pb2.Operation:
        once = Once(self._store, "ComputeFront", request)
        if (earlier := await once.earlier()) is not None:
            return await self._operations.refreshed(operations_pb2.Operation.FromString(earlier))
        serialised = request.SerializeToString()
        attachments = await self._library.attachments(request.problem.law) | await self._own.asked_for(request)
        check = Job("CheckFront", serialised, attachments)
        answer_or_raise(await self._pool.run(check, call.current().remaining_seconds()))

        def start(connection: Connection) -> Message:
            identity = self._operations.create(connection, "ComputeFront", "", serialised)
            return self._operations.created(connection, identity)

        return await self._operations.begin(once, "start_front", start, "ComputeFront", serialised)

    async def GetPlan(self, request: planning_service_pb2.GetPlanRequest, context: Context) -> plan_pb2.Plan:
        row = await self._store.read("get_plan", resources.get, plans, *_named(request.name))
        return plan_pb2.Plan.FromString(row.message)

    async def ListPlans(
        self, request: planning_service_pb2.ListPlansRequest, context: Context
    ) -> planning_service_pb2.ListPlansResponse:
        page = read_page(request, "plans")
        rows, token = await self._store.read("list_plans", resources.newest, plans, page, ("message",))
        found = [plan_pb2.Plan.FromString(row.message) for row in rows]
        return planning_service_pb2.ListPlansResponse(plans=found, next_page_token=token)

    async def DeletePlan(self, request: planning_service_pb2.DeletePlanRequest, context: Context) -> empty_pb2.Empty:
        await self._store.write("delete_plan", resources.remove, plans, *_named(request.name))
        return empty_pb2.Empty()

    async def ExplainPlan(
        self, request: planning_service_pb2.ExplainPlanRequest, context: Context
    ) -> planning_service_pb2.ExplainPlanResponse:
        row = await self._store.read("get_plan", resources.get, plans, *_named(request.name))
        return planning_service_pb2.ExplainPlanResponse(explanation=row.explanation)

    async def _plan(self, method: str, request: Question, law: str) -> plan_pb2.Plan:
        once = Once(self._store, method, request)
        if (earlier := await once.earlier()) is not None:
            return plan_pb2.Plan.FromString(earlier)
        identity = names.new_identity("plan_id", request.plan_id, "plan")
        name = names.full(names.PLANS, identity)
        if request.plan_id:
            taken: bool = await self._store.read("find_plan", resources.exists, plans, identity)
            if taken:
                raise AlreadyExists(name)
        plan = plan_pb2.Plan.FromString(await self._solved(method, request, law))
        call.current().notes["outcome"] = plan_pb2.Plan.Outcome.Name(plan.outcome)
        explanation = plan.explanation
        if not request.explain:
            plan.ClearField("explanation")
        if request.validate_only:
            return plan
        plan.name = name
        now = resources.now_us()
        plan.create_time.FromMicroseconds(now)
        answer, _ = await once.commit("store_plan", lambda c: _store_plan(c, identity, now, plan, explanation))
        return plan_pb2.Plan.FromString(answer)

    async def _solved(self, method: str, request: Question, law: str) -> bytes:
        """The serialised plan, with its explanation, from the cache or a worker."""
        attachments = await self._library.attachments(law) | await self._own.asked_for(request)
        key = key_of(method, request, attachments)
        cached = self._cache.get(key)
        call.current().notes["cached"] = cached is not None
        if cached is not None:
            self._metrics.cache_hits.inc()
            return cached
        self._metrics.cache_misses.inc()
        job = Job(method, request.SerializeToString(), attachments)
        (serialised,) = answer_or_raise(await self._pool.run(job, call.current().remaining_seconds()))
        record_plan(self._metrics, plan_pb2.Plan.FromString(serialised))
        self._cache.put(key, serialised)
        return serialised


class FrontWork:
    """How a ComputeFront operation is run and ended."""

    def __init__(self, library: Library, own: OwnHardware, metrics: Metrics) -> None:
        self._library, self._own, self._metrics = library, own, metrics

    async def job(self, request: bytes) -> Job:
        question = planning_service_pb2.ComputeFrontRequest.FromString(request)
        attachments = await self._library.attachments(question.problem.law) | await self._own.asked_for(question)
        return Job("ComputeFront", request, attachments)

    def commit(self, connection: Connection, request: bytes, parts: tuple[bytes, ...]) -> Message:
        front = plan_pb2.Front.FromString(parts[0])
        record_front(self._metrics, front)
        return front

    def stage(self, stage: str) -> Message:
        return planning_service_pb2.ComputeFrontMetadata(stage=stage)


def _named(name: str) -> tuple[str, str]:
    """(id, name) of a plan."""
    identity = names.identity(names.PLANS, name)
    return identity, names.full(names.PLANS, identity)


def _store_plan(
    connection: Connection, identity: str, now_us: int, plan: plan_pb2.Plan, explanation: str
) -> plan_pb2.Plan:
    stored = plan_pb2.Plan()
    stored.CopyFrom(plan)
    stored.ClearField("explanation")
    row = {
        "id": identity,
        "create_time_us": now_us,
        "kind": plan_pb2.Plan.Kind.Name(plan.kind),
        "outcome": plan_pb2.Plan.Outcome.Name(plan.outcome),
        "message": stored.SerializeToString(),
        "explanation": explanation,
    }
    resources.add(connection, plans, plan.name, row)
    return plan
