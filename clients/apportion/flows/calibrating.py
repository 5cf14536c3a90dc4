"""Calibrating: files of measurements in, constants refitted to them out; and the calibrations there are.

Files go over the wire as they stand: the service knows the formats.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from google.longrunning import operations_pb2
from google.protobuf import empty_pb2

from apportion import answers, fields, requests
from apportion.flows.calls import FIT_SECONDS, READ_SECONDS, TABLE_SECONDS, Flow, OnStage, ask, outcome_of, pages_of
from apportion.reading import read
from apportion.tables import Table, file_text
from apportion.v1 import calibration_pb2, hardware_service_pb2


def calibrate(
    measurements: Any,
    *,
    name: str = "",
    timeout_seconds: float = FIT_SECONDS,
    on_stage: OnStage | None = None,
    **facts: Any,
) -> Flow[answers.Calibration]:
    """Refit the constants of the serving models to measurements of your own, shrunk towards the shipped ones.

    `measurements`: paths, tables, or parsed JSON, one or several: results of `vllm bench serve`, InferenceX or
    GuideLLM, or tables with the columns of `estimate_serving`, `tpot_ms` and `ttft_ms`. Facts that files do not know
    (they then hold for all rows): `accelerator`, `model`, `precision`, `engine`, `tensor_parallel`,
    `pipeline_parallel`, `expert_parallel`, `accelerator_count`. Under a `name` that is taken it is the next version.
    Raises InvalidArgument, DeadlineExceeded after `timeout_seconds` (the work is then cancelled).
    """
    request = requests.build(fields.CALIBRATION, {**facts, "calibration_id": name.removeprefix("calibrations/")})
    request.measurements.extend(_files(measurements))
    operation = yield ask("Hardware", request, operations_pb2.Operation, TABLE_SECONDS)
    metadata = hardware_service_pb2.CalibrateMetadata
    found = yield from outcome_of(operation, calibration_pb2.Calibration, metadata, timeout_seconds, on_stage)
    return read(answers.Calibration, found)


def calibrations() -> Flow[tuple[answers.Calibration, ...]]:
    """All calibrations in all their versions, newest first."""
    request = hardware_service_pb2.ListCalibrationsRequest()
    pages = yield from pages_of("Hardware", request, hardware_service_pb2.ListCalibrationsResponse)
    return tuple(read(answers.Calibration, item) for page in pages for item in page.calibrations)


def calibration(name: str) -> Flow[answers.Calibration]:
    """One calibration, `name` or `name@version`; without a version the newest. Raises NotFound with suggestions."""
    request = hardware_service_pb2.GetCalibrationRequest(name=requests.resource("calibrations", name))
    return read(answers.Calibration, (yield ask("Hardware", request, calibration_pb2.Calibration, READ_SECONDS)))


def delete_calibration(name: str) -> Flow[None]:
    """Forget `name@version`, or with `name` alone all its versions. Raises NotFound with suggestions."""
    request = hardware_service_pb2.DeleteCalibrationRequest(name=requests.resource("calibrations", name))
    yield ask("Hardware", request, empty_pb2.Empty, READ_SECONDS)


def _files(measurements: Any) -> list[hardware_service_pb2.MeasurementFile]:
    single = isinstance(measurements, (str, os.PathLike, Mapping, Table)) or hasattr(measurements, "itertuples")
    several = [measurements] if single or not isinstance(measurements, Iterable) else list(measurements)
    return [_file(item, number) for number, item in enumerate(several)]


def _file(item: Any, number: int) -> hardware_service_pb2.MeasurementFile:
    field = f"measurements[{number}]"
    if isinstance(item, str | os.PathLike) and Path(item).suffix.lower() not in (".parquet", ".pq"):
        return hardware_service_pb2.MeasurementFile(file_name=Path(item).name, content=file_text(item, field))
    columns = isinstance(item, Mapping) and all(isinstance(cells, list | tuple) for cells in item.values())
    if isinstance(item, Mapping) and (not columns or "benchmarks" in item):
        content = json.dumps(item)
    else:
        content = Table.read(item, field).to_csv()
    return hardware_service_pb2.MeasurementFile(file_name=field, content=content)
