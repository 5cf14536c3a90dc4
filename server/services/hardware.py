"""The Hardware service: facts from the planner's tables, estimates by its formulas. Nothing here waits for a worker."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from apportion.v1 import hardware_pb2, hardware_service_pb2, hardware_service_pb2_grpc, table_pb2
from planner import hardware
from server import names
from server.convert import tables
from server.convert.hardware import to_accelerator, to_model_shape
from server.interceptors.around import Context
from server.pages import read_page, slice_page

Estimator = Callable[[Mapping[str, Any]], Mapping[str, Any]]


class HardwareService(hardware_service_pb2_grpc.HardwareServicer):
    """Handlers; see hardware_service.proto for what each promises."""

    def __init__(self, max_cells: int) -> None:
        self._max_cells = max_cells

    async def GetAccelerator(
        self, request: hardware_service_pb2.GetAcceleratorRequest, context: Context
    ) -> hardware_pb2.Accelerator:
        identity = names.identity(names.ACCELERATORS, request.name)
        return to_accelerator(hardware.accelerator(identity))

    async def ListAccelerators(
        self, request: hardware_service_pb2.ListAcceleratorsRequest, context: Context
    ) -> hardware_service_pb2.ListAcceleratorsResponse:
        page = read_page(request, "accelerators")
        chosen, token = slice_page(page, sorted(hardware.accelerator_names()), str)
        found = [to_accelerator(hardware.accelerator(name)) for name in chosen]
        return hardware_service_pb2.ListAcceleratorsResponse(accelerators=found, next_page_token=token)

    async def GetModelShape(
        self, request: hardware_service_pb2.GetModelShapeRequest, context: Context
    ) -> hardware_pb2.ModelShape:
        identity = names.identity(names.MODEL_SHAPES, request.name)
        return to_model_shape(hardware.model_shape(identity))

    async def ListModelShapes(
        self, request: hardware_service_pb2.ListModelShapesRequest, context: Context
    ) -> hardware_service_pb2.ListModelShapesResponse:
        page = read_page(request, "modelShapes")
        chosen, token = slice_page(page, sorted(hardware.model_shape_names()), str)
        found = [to_model_shape(hardware.model_shape(name)) for name in chosen]
        return hardware_service_pb2.ListModelShapesResponse(model_shapes=found, next_page_token=token)

    async def EstimateServing(
        self, request: hardware_service_pb2.EstimateServingRequest, context: Context
    ) -> hardware_service_pb2.EstimateServingResponse:
        table = await asyncio.to_thread(self._estimated, hardware.estimate_serving, request.points)
        return hardware_service_pb2.EstimateServingResponse(table=table)

    async def EstimateEnergy(
        self, request: hardware_service_pb2.EstimateEnergyRequest, context: Context
    ) -> hardware_service_pb2.EstimateEnergyResponse:
        table = await asyncio.to_thread(self._estimated, hardware.estimate_energy, request.points)
        return hardware_service_pb2.EstimateEnergyResponse(table=table)

    async def EstimateTraining(
        self, request: hardware_service_pb2.EstimateTrainingRequest, context: Context
    ) -> hardware_service_pb2.EstimateTrainingResponse:
        table = await asyncio.to_thread(self._estimated, hardware.estimate_training, request.points)
        return hardware_service_pb2.EstimateTrainingResponse(table=table)

    def _estimated(self, estimate: Estimator, points: table_pb2.Table) -> table_pb2.Table:
        """The points with the estimated columns behind them; what the caller sent stays as it was."""
        columns = tables.from_table(points, "points", max_cells=self._max_cells)
        answer = table_pb2.Table()
        answer.CopyFrom(points)
        for name, cells in estimate(columns).items():
            if name not in columns:
                tables.add_column(answer, name, cells)
        return answer
