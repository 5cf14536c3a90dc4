"""A caller's own hardware facts as attachments of a job: lists of messages in, the planner's catalogue out.

Unpacking is kept by content, so that the planner, which keys what it has compiled on the catalogue, finds it again.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from apportion.v1 import calibration_pb2, hardware_pb2, hardware_service_pb2
from planner.hardware import SHIPPED, Catalogue, is_accelerator, is_model_shape
from server import names
from server.convert.calibrations import from_calibration
from server.convert.hardware import own_accelerator, own_model_shape

_KEYS = (names.ACCELERATORS, names.MODEL_SHAPES, names.CALIBRATIONS)


def pack_hardware(
    accelerators: list[hardware_pb2.Accelerator],
    model_shapes: list[hardware_pb2.ModelShape],
    calibration: calibration_pb2.Calibration | None,
) -> dict[str, bytes]:
    """Attachments; none where there is nothing but what the planner has anyway."""
    found = {
        names.ACCELERATORS: hardware_service_pb2.ListAcceleratorsResponse(accelerators=accelerators),
        names.MODEL_SHAPES: hardware_service_pb2.ListModelShapesResponse(model_shapes=model_shapes),
        names.CALIBRATIONS: calibration or calibration_pb2.Calibration(),
    }
    packed = {key: message.SerializeToString(deterministic=True) for key, message in found.items()}
    return {key: content for key, content in packed.items() if content}


def unpack_hardware(attachments: Mapping[str, bytes]) -> Catalogue:
    """The catalogue that a job's attachments describe."""
    return _unpacked(*(attachments.get(key, b"") for key in _KEYS))


@lru_cache(maxsize=64)
def _unpacked(accelerators: bytes, model_shapes: bytes, calibration: bytes) -> Catalogue:
    if not (accelerators or model_shapes or calibration):
        return SHIPPED
    chips = hardware_service_pb2.ListAcceleratorsResponse.FromString(accelerators).accelerators
    models = hardware_service_pb2.ListModelShapesResponse.FromString(model_shapes).model_shapes
    own = calibration_pb2.Calibration.FromString(calibration)
    # A name that a later release has learnt itself means what it means there.
    return Catalogue(
        tuple(own_accelerator(m, n) for m in chips if not is_accelerator(n := m.name.split("/", 1)[1])),
        tuple(own_model_shape(m, n) for m in models if not is_model_shape(n := m.name.split("/", 1)[1])),
        from_calibration(own) if calibration else None,
    )
