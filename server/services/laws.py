"""The Laws service: runs in, laws out, predictions."""

from __future__ import annotations

import asyncio

from google.longrunning import operations_pb2
from google.protobuf import empty_pb2, timestamp_pb2
from google.protobuf.message import Message
from sqlalchemy import Connection

from apportion.v1 import law_pb2, laws_service_pb2, laws_service_pb2_grpc
from planner.errors import require
from planner.laws import form_class
from planner.laws import laws as published_laws
from server import names
from server.convert import laws as law_messages
from server.convert import tables
from server.errors import AlreadyExists
from server.execution.operations import OperationRunner
from server.execution.pool import WorkerPool
from server.execution.worker import Job
from server.interceptors import call
from server.interceptors.around import Context
from server.pages import Page, read_page
from server.services import comparison, experiments
from server.services.attachments import run_set_attachment
from server.services.library import Library, is_published, published
from server.services.once import Once
from server.services.operations import answer_or_raise
from server.storage import resources
from server.storage.schema import laws as law_rows
from server.storage.schema import run_sets
from server.storage.store import Store
from server.telemetry.metrics import Metrics

AUTO = "auto"  # the form that extrapolates best


class LawsService(laws_service_pb2_grpc.LawsServicer):
    """Handlers; see laws_service.proto for what each promises."""

    def __init__(
        self,
        store: Store,
        pool: WorkerPool,
        operations: OperationRunner,
        library: Library,
        metrics: Metrics,
        max_cells: int,
    ) -> None:
        self._store, self._pool, self._operations, self._library = store, pool, operations, library
        self._metrics, self._max_cells = metrics, max_cells

    async def ImportRuns(self, request: laws_service_pb2.ImportRunsRequest, context: Context) -> law_pb2.RunSet:
        once = Once(self._store, "ImportRuns", request)
        if (earlier := await once.earlier()) is not None:
            return law_pb2.RunSet.FromString(earlier)
        identity = names.new_identity("run_set_id", request.run_set_id, "runs")
        message, content = await asyncio.to_thread(self._checked_runs, request, identity)
        if request.validate_only:
            return message
        row = {"id": identity, "create_time_us": _stamp(message.create_time), "content": content}

        def store(connection: Connection) -> Message:
            resources.add(connection, run_sets, message.name, row | {"message": message.SerializeToString()})
            return message

        answer, _ = await once.commit("import_runs", store)
        return law_pb2.RunSet.FromString(answer)

    def _checked_runs(self, request: laws_service_pb2.ImportRunsRequest, identity: str) -> tuple[law_pb2.RunSet, bytes]:
        columns = tables.from_table(request.table, "table", max_cells=self._max_cells, min_rows=2)
        tables.require_runs(columns, "table")
        message = law_pb2.RunSet(
            name=names.full(names.RUN_SETS, identity),
            row_count=tables.row_count(request.table),
            column_names=list(columns),
            content_sha256=tables.sha256(request.table),
        )
        return message, resources.pack(request.table.SerializeToString(deterministic=True))

    async def GetRunSet(self, request: laws_service_pb2.GetRunSetRequest, context: Context) -> law_pb2.RunSet:
        identity = names.identity(names.RUN_SETS, request.name)
        name = names.full(names.RUN_SETS, identity)
        row = await self._store.read("get_run_set", resources.get, run_sets, identity, name)
        return law_pb2.RunSet.FromString(row.message)

    async def ListRunSets(
        self, request: laws_service_pb2.ListRunSetsRequest, context: Context
    ) -> laws_service_pb2.ListRunSetsResponse:
        page = read_page(request, "runSets")
        rows, token = await self._store.read("list_run_sets", resources.newest, run_sets, page, ("message",))
        found = [law_pb2.RunSet.FromString(row.message) for row in rows]
        return laws_service_pb2.ListRunSetsResponse(run_sets=found, next_page_token=token)

    async def DeleteRunSet(self, request: laws_service_pb2.DeleteRunSetRequest, context: Context) -> empty_pb2.Empty:
        identity = names.identity(names.RUN_SETS, request.name)
        name = names.full(names.RUN_SETS, identity)
        await self._store.write("delete_run_set", resources.remove, run_sets, identity, name)
        return empty_pb2.Empty()

    async def FitLaw(self, request: laws_service_pb2.FitLawRequest, context: Context) -> operations_pb2.Operation:
        once = Once(self._store, "FitLaw", request)
        if (earlier := await once.earlier()) is not None:
            return await self._operations.refreshed(operations_pb2.Operation.FromString(earlier))
        complete = await self._checked_fit(request)
        if request.validate_only:
            return operations_pb2.Operation(done=True)
        serialised = complete.SerializeToString()
        target = names.full(names.LAWS, complete.law_id)

        def start(connection: Connection) -> Message:
            if resources.exists(connection, law_rows, complete.law_id):
                raise AlreadyExists(target)
            identity = self._operations.create(connection, "FitLaw", target, serialised)
            return self._operations.created(connection, identity)

        return await self._operations.begin(once, "start_fit", start, "FitLaw", serialised)

    async def CompareForms(
        self, request: laws_service_pb2.CompareFormsRequest, context: Context
    ) -> operations_pb2.Operation:
        return await self._compare(comparison.FORMS, request)

    async def CompareTargets(
        self, request: laws_service_pb2.CompareTargetsRequest, context: Context
    ) -> operations_pb2.Operation:
        return await self._compare(comparison.TARGETS, request)

    async def CompareApproaches(
        self, request: laws_service_pb2.CompareApproachesRequest, context: Context
    ) -> operations_pb2.Operation:
        return await self._compare(comparison.APPROACHES, request)

    async def _compare(self, kind: comparison.Comparison, request: Message) -> operations_pb2.Operation:
        return await comparison.begin(self._store, self._pool, self._operations, kind, request)

    async def _checked_fit(self, request: laws_service_pb2.FitLawRequest) -> laws_service_pb2.FitLawRequest:
        """The request with its law id and canonical names, once everything that can be checked beforehand was."""
        complete = laws_service_pb2.FitLawRequest()
        complete.CopyFrom(request)
        complete.law_id = names.new_identity("law_id", request.law_id, "law")
        if is_published(complete.law_id):
            raise AlreadyExists(names.full(names.LAWS, complete.law_id))
        require(
            *comparison.SEEDS.check("seed", request.seed),
            *comparison.DRAWS.check("bootstrap_draw_count", request.bootstrap_draw_count),
        )
        complete.form = AUTO if request.form.lower() == AUTO else form_class(request.form).form_name
        complete.run_set = names.full(names.RUN_SETS, names.identity(names.RUN_SETS, request.run_set, "run_set"))
        job = Job("CheckFit", complete.SerializeToString(), await run_set_attachment(self._store, complete.run_set))
        answer_or_raise(await self._pool.run(job, call.current().remaining_seconds()))
        return complete

    async def GetLaw(self, request: laws_service_pb2.GetLawRequest, context: Context) -> law_pb2.Law:
        return await self._library.message(request.name, draws=request.view == laws_service_pb2.LAW_VIEW_FULL)

    async def ListLaws(
        self, request: laws_service_pb2.ListLawsRequest, context: Context
    ) -> laws_service_pb2.ListLawsResponse:
        page = read_page(request, "laws")
        known = [entry.name for entry in published_laws()]
        kind, _, cursor = page.cursor.partition(" ")
        start = {"": 0, "published": known.index(cursor) + 1 if cursor in known else 0}.get(kind, len(known))
        chosen = known[start : start + page.size]
        found = [published(name) for name in chosen]
        rest = Page(page.query, max(page.size - len(chosen), 1), cursor if kind == "fitted" else "")
        rows, token = await self._store.read("list_laws", resources.newest, law_rows, rest, ("message",))
        if len(chosen) == page.size:
            more = bool(rows) or start + page.size < len(known)
            token = page.token(f"published {chosen[-1]}") if more else ""
        else:
            found += [law_pb2.Law.FromString(row.message) for row in rows]
            token = page.token(f"fitted {rows[-1].create_time_us}:{rows[-1].id}") if token else ""
        return laws_service_pb2.ListLawsResponse(laws=found, next_page_token=token)

    async def DeleteLaw(self, request: laws_service_pb2.DeleteLawRequest, context: Context) -> empty_pb2.Empty:
        identity = names.identity(names.LAWS, request.name)
        name = names.full(names.LAWS, identity)
        await self._store.write("delete_law", resources.remove, law_rows, identity, name)
        return empty_pb2.Empty()

    async def DesignExperiment(
        self, request: laws_service_pb2.DesignExperimentRequest, context: Context
    ) -> operations_pb2.Operation:
        return await experiments.begin(self._store, self._pool, self._operations, self._library, request)

    async def Predict(
        self, request: laws_service_pb2.PredictRequest, context: Context
    ) -> laws_service_pb2.PredictResponse:
        from server.services.prediction import predict  # late: loads the fitting code, which other calls do without

        entry = await self._library.law(request.law, "law")
        level = request.level if request.HasField("level") else law_messages.LEVEL
        await asyncio.to_thread(tables.from_table, request.points, "points", max_cells=self._max_cells)
        asked = request.points, request.column_variables, level
        table = await asyncio.to_thread(predict, entry, *asked, terms=request.include_terms)
        ratios = next(c.numbers.values for c in table.columns if c.name == "extrapolation_ratio")
        self._metrics.extrapolation.labels("predict").observe(max(ratios, default=1.0))
        return laws_service_pb2.PredictResponse(table=table)


class FitWork:
    """How a FitLaw operation is run and ended."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def job(self, request: bytes) -> Job:
        run_set = laws_service_pb2.FitLawRequest.FromString(request).run_set
        return Job("FitLaw", request, await run_set_attachment(self._store, run_set))

    def commit(self, connection: Connection, request: bytes, parts: tuple[bytes, ...]) -> Message:
        message = law_pb2.Law.FromString(parts[0])
        identity = names.identity(names.LAWS, message.name)
        row = {
            "id": identity,
            "create_time_us": _stamp(message.create_time),
            "draws": resources.pack(parts[1]),
            "residuals": resources.pack(parts[2]),
        }
        resources.add(connection, law_rows, message.name, row | {"message": message.SerializeToString()})
        return message

    def stage(self, stage: str) -> Message:
        return laws_service_pb2.FitLawMetadata(stage=stage)


def _stamp(timestamp: timestamp_pb2.Timestamp) -> int:
    """Set the time of creation to now, and return it in microseconds."""
    now = resources.now_us()
    timestamp.FromMicroseconds(now)
    return now
