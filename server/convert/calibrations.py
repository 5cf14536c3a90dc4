"""Calibrations: measurements as the planner reads them, the planner's record as a message and back.

A stored calibration is its message alone; the planner's record is made from it again wherever it is used, so everything
that predictions need is on the wire.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import asdict
from typing import Any

from apportion.v1 import calibration_pb2, estimate_pb2, hardware_service_pb2
from planner.hardware import SHRINKAGE, Catalogue, Recalibration, recalibrate, require_usable
from planner.hardware.intervals import Interval
from planner.hardware.measurements import Measurements, read_measurements
from planner.hardware.serving import ServingConstants, serving_constants

_STATED = {  # the table's column that each field of a request states
    "accelerator": "system",
    "model": "model",
    "precision": "precision",
    "engine": "framework",
    "tensor_parallel": "tp",
    "pipeline_parallel": "pp",
    "expert_parallel": "ep",
    "accelerator_count": "n_gpus",
}
_NAMED = ("accelerators/", "modelShapes/")


def to_calibration(request: hardware_service_pb2.CalibrateRequest, catalogue: Catalogue) -> calibration_pb2.Calibration:
    """Fit the constants to the measurements of a request. Raises InvalidInput."""
    read = _read(request)
    found = recalibrate(read.columns, catalogue)
    message = _message(found)
    message.measurements_sha256 = _digest(request)
    for origin, reason in read.refused.items():
        message.refused.add(origin=origin, reason=reason)
    for row, reason in found.refused.items():
        message.refused.add(origin=read.origins[row], reason=reason)
    return message


def check_measurements(request: hardware_service_pb2.CalibrateRequest, catalogue: Catalogue) -> None:
    """The errors that `to_calibration` would raise, without its work."""
    require_usable(_read(request).columns, catalogue)


def from_calibration(message: calibration_pb2.Calibration) -> Recalibration:
    """The planner's record of a stored calibration."""
    return Recalibration(
        constants=ServingConstants(**{**asdict(serving_constants()), **_known(dict(message.constants))}),
        tpot_level=message.tpot_level,
        ttft_level=message.ttft_level,
        engine_levels=dict(message.engine_levels),
        group_levels={g.group: g.level for g in message.groups},
        intervals={name: Interval(r.lower, r.upper) for name, r in message.intervals.items()},
        engine=message.engine,
        row_count=message.row_count,
        refused={},
        tpot_error_before=message.errors_before.get("tpot_seconds", math.nan),
        tpot_error_after=message.errors_after.get("tpot_seconds", math.nan),
        ttft_error_before=message.errors_before.get("ttft_seconds", math.nan),
        ttft_error_after=message.errors_after.get("ttft_seconds", math.nan),
        name=message.name,
    )


def _message(found: Recalibration) -> calibration_pb2.Calibration:
    shipped = asdict(serving_constants())
    constants = asdict(found.constants)
    errors = {
        "before": {"tpot_seconds": found.tpot_error_before, "ttft_seconds": found.ttft_error_before},
        "after": {"tpot_seconds": found.tpot_error_after, "ttft_seconds": found.ttft_error_after},
    }
    finite = {when: {n: v for n, v in each.items() if math.isfinite(v)} for when, each in errors.items()}
    return calibration_pb2.Calibration(
        row_count=found.row_count,
        groups=[calibration_pb2.MeasuredGroup(group=g, level=v) for g, v in found.group_levels.items()],
        engine=found.engine,
        constants=constants,
        constant_factors={name: value / shipped[name] for name, value in constants.items() if shipped[name]},
        tpot_level=found.tpot_level,
        ttft_level=found.ttft_level,
        engine_levels=found.engine_levels,
        intervals={n: estimate_pb2.ValueRange(lower=i.lower, upper=i.upper) for n, i in found.intervals.items()},
        errors_before=finite["before"],
        errors_after=finite["after"],
        shrinkage=SHRINKAGE,
    )


def _read(request: hardware_service_pb2.CalibrateRequest) -> Measurements:
    files = {file.file_name or f"measurements[{i}]": file.content for i, file in enumerate(request.measurements)}
    return read_measurements(files, {column: _said(request, field) for field, column in _STATED.items()})


def _known(constants: dict[str, float]) -> dict[str, float]:
    """Constants that this release still has; one that it has gained since keeps its shipped value."""
    return {name: value for name, value in constants.items() if name in asdict(serving_constants())}


def _said(request: Any, field: str) -> Any:
    value = getattr(request, field)
    for prefix in _NAMED:
        value = value.removeprefix(prefix) if isinstance(value, str) else value
    return value or None


def _digest(request: hardware_service_pb2.CalibrateRequest) -> str:
    """SHA-256 of what was measured and of what was said with it, whatever it is to be called."""
    body = hardware_service_pb2.CalibrateRequest()
    body.CopyFrom(request)
    for field in ("calibration_id", "request_id", "validate_only"):
        body.ClearField(field)
    return hashlib.sha256(body.SerializeToString(deterministic=True)).hexdigest()
