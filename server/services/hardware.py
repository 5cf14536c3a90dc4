"""The Hardware service: facts from the planner's tables and from the store, estimates by the planner's formulas.

Only calibrating waits for a worker.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from google.longrunning import operations_pb2
from google.protobuf import empty_pb2
from sqlalchemy import Connection

from apportion.v1 import (
    calibration_pb2,
    hardware_pb2,
    hardware_service_pb2,
    hardware_service_pb2_grpc,
    network_pb2,
    price_book_pb2,
    table_pb2,
)
from planner import hardware
from server import names
from server.convert import tables
from server.convert.hardware import own_accelerator, own_model_shape, to_accelerator, to_model_shape, with_configuration
from server.convert.networks import to_cluster, to_interconnect
from server.errors import AlreadyExists
from server.interceptors.around import Context
from server.pages import read_page, slice_page
from server.services.calibrations import Calibrations
from server.services.once import Once
from server.services.own_hardware import OwnHardware, add_entry, own_identity
from server.services.price_books import PriceBooks
from server.storage.schema import accelerators, model_shapes, price_books
from server.storage.store import Store

Estimator = Callable[[Mapping[str, Any], hardware.Catalogue], Mapping[str, Any]]


class HardwareService(hardware_service_pb2_grpc.HardwareServicer):
    """Handlers; see hardware_service.proto for what each promises."""

    def __init__(self, store: Store, own: OwnHardware, calibrations: Calibrations, max_cells: int) -> None:
        self._store, self._own, self._calibrations, self._max_cells = store, own, calibrations, max_cells
        self._books = PriceBooks(store)

    async def GetAccelerator(
        self, request: hardware_service_pb2.GetAcceleratorRequest, context: Context
    ) -> hardware_pb2.Accelerator:
        identity = names.identity(names.ACCELERATORS, request.name)
        own = await self._own.message(hardware_pb2.Accelerator, accelerators, identity)
        return own or to_accelerator((await self._own.catalogue()).accelerator(identity))

    async def ListAccelerators(
        self, request: hardware_service_pb2.ListAcceleratorsRequest, context: Context
    ) -> hardware_service_pb2.ListAcceleratorsResponse:
        page = read_page(request, "accelerators")
        own = {m.name: m for m in await self._own.messages(hardware_pb2.Accelerator, accelerators)}
        chosen, token = slice_page(page, [*sorted(hardware.accelerator_names()), *sorted(own)], str)
        found = [own[name] if name in own else to_accelerator(hardware.accelerator(name)) for name in chosen]
        return hardware_service_pb2.ListAcceleratorsResponse(accelerators=found, next_page_token=token)

    async def CreateAccelerator(
        self, request: hardware_service_pb2.CreateAcceleratorRequest, context: Context
    ) -> hardware_pb2.Accelerator:
        once = Once(self._store, "CreateAccelerator", request)
        if (earlier := await once.earlier()) is not None:
            return hardware_pb2.Accelerator.FromString(earlier)
        identity = own_identity("accelerator_id", request.accelerator_id)
        if hardware.is_accelerator(identity):
            raise AlreadyExists(names.full(names.ACCELERATORS, identity))
        message = to_accelerator(own_accelerator(request.accelerator, identity))
        if request.validate_only:
            return message

        def store(connection: Connection) -> Any:
            return add_entry(connection, accelerators, names.ACCELERATORS, identity, message)

        answer, _ = await once.commit("create_accelerator", store)
        return hardware_pb2.Accelerator.FromString(answer)

    async def DeleteAccelerator(
        self, request: hardware_service_pb2.DeleteAcceleratorRequest, context: Context
    ) -> empty_pb2.Empty:
        await self._own.remove(accelerators, names.ACCELERATORS, request.name)
        return empty_pb2.Empty()

    async def GetModelShape(
        self, request: hardware_service_pb2.GetModelShapeRequest, context: Context
    ) -> hardware_pb2.ModelShape:
        identity = names.identity(names.MODEL_SHAPES, request.name)
        own = await self._own.message(hardware_pb2.ModelShape, model_shapes, identity)
        return own or to_model_shape((await self._own.catalogue()).model_shape(identity))

    async def ListModelShapes(
        self, request: hardware_service_pb2.ListModelShapesRequest, context: Context
    ) -> hardware_service_pb2.ListModelShapesResponse:
        page = read_page(request, "modelShapes")
        own = {m.name: m for m in await self._own.messages(hardware_pb2.ModelShape, model_shapes)}
        chosen, token = slice_page(page, [*sorted(hardware.model_shape_names()), *sorted(own)], str)
        found = [own[name] if name in own else to_model_shape(hardware.model_shape(name)) for name in chosen]
        return hardware_service_pb2.ListModelShapesResponse(model_shapes=found, next_page_token=token)

    async def CreateModelShape(
        self, request: hardware_service_pb2.CreateModelShapeRequest, context: Context
    ) -> hardware_pb2.ModelShape:
        once = Once(self._store, "CreateModelShape", request)
        if (earlier := await once.earlier()) is not None:
            return hardware_pb2.ModelShape.FromString(earlier)
        identity = own_identity("model_shape_id", request.model_shape_id)
        if hardware.is_model_shape(identity):
            raise AlreadyExists(names.full(names.MODEL_SHAPES, identity))
        shape = to_model_shape(own_model_shape(request.model_shape, identity))
        message = with_configuration(shape, request.model_shape)
        if request.validate_only:
            return message

        def store(connection: Connection) -> Any:
            return add_entry(connection, model_shapes, names.MODEL_SHAPES, identity, message)

        answer, _ = await once.commit("create_model_shape", store)
        return hardware_pb2.ModelShape.FromString(answer)

    async def DeleteModelShape(
        self, request: hardware_service_pb2.DeleteModelShapeRequest, context: Context
    ) -> empty_pb2.Empty:
        await self._own.remove(model_shapes, names.MODEL_SHAPES, request.name)
        return empty_pb2.Empty()

    async def GetInterconnect(
        self, request: hardware_service_pb2.GetInterconnectRequest, context: Context
    ) -> network_pb2.Interconnect:
        return to_interconnect(hardware.interconnect(names.identity(names.INTERCONNECTS, request.name)))

    async def ListInterconnects(
        self, request: hardware_service_pb2.ListInterconnectsRequest, context: Context
    ) -> hardware_service_pb2.ListInterconnectsResponse:
        chosen, token = slice_page(read_page(request, "interconnects"), sorted(hardware.interconnect_names()), str)
        found = [to_interconnect(hardware.interconnect(name)) for name in chosen]
        return hardware_service_pb2.ListInterconnectsResponse(interconnects=found, next_page_token=token)

    async def GetCluster(
        self, request: hardware_service_pb2.GetClusterRequest, context: Context
    ) -> network_pb2.Cluster:
        return to_cluster(hardware.cluster(names.identity(names.CLUSTERS, request.name)))

    async def ListClusters(
        self, request: hardware_service_pb2.ListClustersRequest, context: Context
    ) -> hardware_service_pb2.ListClustersResponse:
        chosen, token = slice_page(read_page(request, "clusters"), sorted(hardware.cluster_names()), str)
        found = [to_cluster(hardware.cluster(name)) for name in chosen]
        return hardware_service_pb2.ListClustersResponse(clusters=found, next_page_token=token)

    async def Calibrate(
        self, request: hardware_service_pb2.CalibrateRequest, context: Context
    ) -> operations_pb2.Operation:
        return await self._calibrations.begin(request)

    async def GetCalibration(
        self, request: hardware_service_pb2.GetCalibrationRequest, context: Context
    ) -> calibration_pb2.Calibration:
        return await self._calibrations.get(request.name)

    async def ListCalibrations(
        self, request: hardware_service_pb2.ListCalibrationsRequest, context: Context
    ) -> hardware_service_pb2.ListCalibrationsResponse:
        return await self._calibrations.page(request)

    async def DeleteCalibration(
        self, request: hardware_service_pb2.DeleteCalibrationRequest, context: Context
    ) -> empty_pb2.Empty:
        await self._calibrations.remove(request.name)
        return empty_pb2.Empty()

    async def CreatePriceBook(
        self, request: hardware_service_pb2.CreatePriceBookRequest, context: Context
    ) -> price_book_pb2.PriceBook:
        return await self._books.create(request)

    async def GetPriceBook(
        self, request: hardware_service_pb2.GetPriceBookRequest, context: Context
    ) -> price_book_pb2.PriceBook:
        return await self._books.get(request.name)

    async def ListPriceBooks(
        self, request: hardware_service_pb2.ListPriceBooksRequest, context: Context
    ) -> hardware_service_pb2.ListPriceBooksResponse:
        return await self._books.page(request)

    async def DeletePriceBook(
        self, request: hardware_service_pb2.DeletePriceBookRequest, context: Context
    ) -> empty_pb2.Empty:
        await self._own.remove(price_books, names.PRICE_BOOKS, request.name)
        return empty_pb2.Empty()

    async def EstimateServing(
        self, request: hardware_service_pb2.EstimateServingRequest, context: Context
    ) -> hardware_service_pb2.EstimateServingResponse:
        table = await self._estimated(hardware.estimate_serving, request.points, calibration=request.calibration)
        return hardware_service_pb2.EstimateServingResponse(table=table)

    async def EstimateEnergy(
        self, request: hardware_service_pb2.EstimateEnergyRequest, context: Context
    ) -> hardware_service_pb2.EstimateEnergyResponse:
        table = await self._estimated(hardware.estimate_energy, request.points, calibration=request.calibration)
        return hardware_service_pb2.EstimateEnergyResponse(table=table)

    async def EstimateTraining(
        self, request: hardware_service_pb2.EstimateTrainingRequest, context: Context
    ) -> hardware_service_pb2.EstimateTrainingResponse:
        table = await self._estimated(hardware.estimate_training, request.points, price_book=request.price_book)
        return hardware_service_pb2.EstimateTrainingResponse(table=table)

    async def _estimated(
        self, estimate: Estimator, points: table_pb2.Table, *, calibration: str = "", price_book: str = ""
    ) -> table_pb2.Table:
        catalogue = await self._own.catalogue(calibration, price_book)
        return await asyncio.to_thread(self._answered, estimate, points, catalogue)

    def _answered(self, estimate: Estimator, points: table_pb2.Table, catalogue: hardware.Catalogue) -> table_pb2.Table:
        """The points with the estimated columns behind them; what the caller sent stays as it was."""
        columns = tables.from_table(points, "points", max_cells=self._max_cells)
        answer = table_pb2.Table()
        answer.CopyFrom(points)
        for name, cells in estimate(columns, catalogue).items():
            if name not in columns:
                tables.add_column(answer, name, cells)
        return answer
