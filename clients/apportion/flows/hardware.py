"""Accelerators, model shapes, and hardware models over tables of points."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from google.protobuf import empty_pb2

from apportion import answers, fields, requests
from apportion.flows.calls import READ_SECONDS, TABLE_SECONDS, Flow, ask, pages_of
from apportion.reading import read
from apportion.tables import Table, file_text
from apportion.v1 import hardware_pb2, hardware_service_pb2

_TRUTHS = ("supported", "calibrated")


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


def create_accelerator(name: str, **facts: Any) -> Flow[answers.Accelerator]:
    """Add an accelerator of your own under `name`, to be used like any other.

    Facts, by the names in `apportion.fields.ACCELERATOR`: `peak_flops={precision: FLOP/s}`, `memory_bytes`,
    `memory_bytes_per_second`, `scaleup_bytes_per_second`, `scaleup_domain`, `scaleup_link`, `tdp_watts`, …
    Raises InvalidArgument, AlreadyExists.
    """
    request = requests.build(fields.ACCELERATOR, {**facts, "accelerator_id": name})
    answer = yield ask("Hardware", request, hardware_pb2.Accelerator, READ_SECONDS)
    return read(answers.Accelerator, answer)


def delete_accelerator(name: str) -> Flow[None]:
    """Forget an accelerator of your own. Raises NotFound with suggestions."""
    request = hardware_service_pb2.DeleteAcceleratorRequest(name=requests.resource("accelerators", name))
    yield ask("Hardware", request, empty_pb2.Empty, READ_SECONDS)


def create_model_shape(name: str, config: Any = None, **facts: Any) -> Flow[answers.ModelShape]:
    """Add a model of your own under `name`, to be used like any other.

    `config` is a Hugging Face `config.json`: its path, or its content as a mapping. Without one, facts by the names in
    `apportion.fields.MODEL_SHAPE`: `layers`, `hidden_size`, `heads`, `key_value_heads`, `intermediate_size`,
    `vocabulary_size`, `experts`, `experts_per_token`, `tied_embeddings`.
    Raises InvalidArgument, AlreadyExists.
    """
    request = requests.build(fields.MODEL_SHAPE, {**facts, "model_shape_id": name})
    if config is not None:
        content = json.dumps(config) if isinstance(config, Mapping) else file_text(config, "config")
        request.model_shape.config_json = content
    return read(answers.ModelShape, (yield ask("Hardware", request, hardware_pb2.ModelShape, READ_SECONDS)))


def delete_model_shape(name: str) -> Flow[None]:
    """Forget a model of your own. Raises NotFound with suggestions."""
    request = hardware_service_pb2.DeleteModelShapeRequest(name=requests.resource("modelShapes", name))
    yield ask("Hardware", request, empty_pb2.Empty, READ_SECONDS)


def estimate_serving(points: Any, *, calibration: str = "", timeout_seconds: float = TABLE_SECONDS) -> Flow[Table]:
    """The points with predicted latency and throughput of serving, intervals, `shape_distance` and `supported`.

    `calibration` names constants refitted to measurements (`calibrate`). Raises InvalidArgument, NotFound.
    """
    request = hardware_service_pb2.EstimateServingRequest(calibration=calibration)
    return (yield from _estimated(request, hardware_service_pb2.EstimateServingResponse, points, timeout_seconds))


def estimate_energy(points: Any, *, calibration: str = "", timeout_seconds: float = TABLE_SECONDS) -> Flow[Table]:
    """The points with predicted power, energy and emissions, intervals, and `supported`; else as `estimate_serving`."""
    request = hardware_service_pb2.EstimateEnergyRequest(calibration=calibration)
    return (yield from _estimated(request, hardware_service_pb2.EstimateEnergyResponse, points, timeout_seconds))


def estimate_training(points: Any, *, price_book: str = "", timeout_seconds: float = TABLE_SECONDS) -> Flow[Table]:
    """The points with predicted training speed, time, energy and money, intervals, and `supported`.

    `price_book` names offers of your own (`create_price_book`). Raises InvalidArgument, NotFound.
    """
    request = hardware_service_pb2.EstimateTrainingRequest(price_book=price_book)
    return (yield from _estimated(request, hardware_service_pb2.EstimateTrainingResponse, points, timeout_seconds))


def _estimated(request: Any, answer: type[Any], points: Any, timeout_seconds: float) -> Flow[Table]:
    request.points.CopyFrom(Table.read(points, "points").to_proto())
    found = yield ask("Hardware", request, answer, timeout_seconds)
    return Table.from_proto(found.table, _TRUTHS)
