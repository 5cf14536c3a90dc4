"""The Sensitivity service: the same runs treated otherwise, worked out by a worker; nothing is stored."""

from __future__ import annotations

import asyncio

from apportion.v1 import sensitivity_service_pb2, sensitivity_service_pb2_grpc
from planner.laws import form_class
from server.convert import tables
from server.execution.pool import WorkerPool
from server.execution.worker import Job
from server.interceptors import call
from server.interceptors.around import Context
from server.services.operations import answer_or_raise


class SensitivityService(sensitivity_service_pb2_grpc.SensitivityServicer):
    """Handlers; see sensitivity_service.proto for what each promises."""

    def __init__(self, pool: WorkerPool, max_cells: int) -> None:
        self._pool, self._max_cells = pool, max_cells

    async def AnalyzeSensitivity(
        self, request: sensitivity_service_pb2.AnalyzeSensitivityRequest, context: Context
    ) -> sensitivity_service_pb2.AnalyzeSensitivityResponse:
        if request.form:
            form_class(request.form)
        columns = await asyncio.to_thread(
            tables.from_table, request.runs, "runs", max_cells=self._max_cells, min_rows=2
        )
        tables.require_runs(columns, "runs")
        job = Job("AnalyzeSensitivity", request.SerializeToString())
        (serialised,) = answer_or_raise(await self._pool.run(job, call.current().remaining_seconds()))
        return sensitivity_service_pb2.AnalyzeSensitivityResponse.FromString(serialised)
