"""Accelerators, model shapes, and hardware models over tables of points."""

from __future__ import annotations

from typing import Any

from apportion import answers, requests
from apportion.flows.calls import READ_SECONDS, TABLE_SECONDS, Flow, ask, pages_of
from apportion.reading import read
from apportion.tables import Table
from apportion.v1 import hardware_pb2, hardware_service_pb2

_TRUTHS = ("supported",)


def accelerators() -> Flow[tuple[answers.Accelerator, ...]]:
    """All accelerators with their offers, by name."""
    request = hardware_service_pb2.ListAcceleratorsRequest()
    pages = yield from pages_of("Hardware", request, hardware_service_pb2.ListAcceleratorsResponse)
    return tuple(read(answers.Accelerator, item) for page in pages for item in page.accelerators)


def accelerator(name: str) -> Flow[answers.Accelerator]:
    """One accelerator, matched without regard to case. Raises NotFound with suggestions."""
    request = hardware_service_pb2.GetAcceleratorRequest(name=requests.resource("accelerators", name))
    answer = yield ask("Hardware", request, hardware_pb2.Accelerator, READ_SECONDS)
    return read(answers.Accelerator, answer)


def model_shapes() -> Flow[tuple[answers.ModelShape, ...]]:
    """All known model shapes, by name."""
    request = hardware_service_pb2.ListModelShapesRequest()
    pages = yield from pages_of("Hardware", request, hardware_service_pb2.ListModelShapesResponse)
    return tuple(read(answers.ModelShape, item) for page in pages for item in page.model_shapes)


def model_shape(name: str) -> Flow[answers.ModelShape]:
    """One model shape, matched without regard to case. Raises NotFound with suggestions."""
    request = hardware_service_pb2.GetModelShapeRequest(name=requests.resource("modelShapes", name))
    return read(answers.ModelShape, (yield ask("Hardware", request, hardware_pb2.ModelShape, READ_SECONDS)))


def estimate_serving(points: Any, *, timeout_seconds: float = TABLE_SECONDS) -> Flow[Table]:
    """The points with predicted latency and throughput of serving, intervals, and `supported`."""
    request = hardware_service_pb2.EstimateServingRequest(points=Table.read(points, "points").to_proto())
    answer = yield ask("Hardware", request, hardware_service_pb2.EstimateServingResponse, timeout_seconds)
    return Table.from_proto(answer.table, _TRUTHS)


def estimate_energy(points: Any, *, timeout_seconds: float = TABLE_SECONDS) -> Flow[Table]:
    """The points with predicted power and energy a token, intervals, and `supported`."""
    request = hardware_service_pb2.EstimateEnergyRequest(points=Table.read(points, "points").to_proto())
    answer = yield ask("Hardware", request, hardware_service_pb2.EstimateEnergyResponse, timeout_seconds)
    return Table.from_proto(answer.table, _TRUTHS)


def estimate_training(points: Any, *, timeout_seconds: float = TABLE_SECONDS) -> Flow[Table]:
    """The points with predicted accelerator-hours and training speed, intervals, and `supported`."""
    request = hardware_service_pb2.EstimateTrainingRequest(points=Table.read(points, "points").to_proto())
    answer = yield ask("Hardware", request, hardware_service_pb2.EstimateTrainingResponse, timeout_seconds)
    return Table.from_proto(answer.table, _TRUTHS)
