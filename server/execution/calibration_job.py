"""The worker's part of calibrating: measurements in, the calibration out; and the same checks without the fit."""

from __future__ import annotations

from collections.abc import Mapping

from apportion.v1 import hardware_service_pb2
from server.convert.calibrations import check_measurements, to_calibration
from server.convert.problems import named_after
from server.execution.own_hardware import unpack_hardware

_FIELDS = {"rows": "measurements"}


def check_calibrate(serialised: bytes, attachments: Mapping[str, bytes]) -> tuple[bytes, ...]:
    """Whether the measurements allow a calibration at all: the same errors, no work."""
    request = hardware_service_pb2.CalibrateRequest.FromString(serialised)
    with named_after(_FIELDS):
        check_measurements(request, unpack_hardware(attachments))
    return (b"",)


def calibrate(serialised: bytes, attachments: Mapping[str, bytes]) -> tuple[bytes, ...]:
    """(Calibration without its name,)."""
    request = hardware_service_pb2.CalibrateRequest.FromString(serialised)
    with named_after(_FIELDS):
        return (to_calibration(request, unpack_hardware(attachments)).SerializeToString(),)
