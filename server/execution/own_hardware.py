"""A caller's own hardware facts as attachments of a job: messages in, the planner's catalogue out.

Own accelerators and models all go along; calibrations and price books under the names that the request calls them by.
Unpacking is kept by content, so that the planner, which keys what it has compiled on the catalogue, finds it again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache

from google.protobuf.message import Message

from apportion.v1 import calibration_pb2, hardware_pb2, hardware_service_pb2, price_book_pb2
from planner.hardware import SHIPPED, Catalogue, is_accelerator, is_model_shape
from server import names
from server.convert.calibrations import from_calibration
from server.convert.hardware import from_price_book, own_accelerator, own_model_shape


def pack_hardware(
    accelerators: Iterable[hardware_pb2.Accelerator],
    model_shapes: Iterable[hardware_pb2.ModelShape],
    named: Mapping[str, Message],
) -> dict[str, bytes]:
    """Attachments; none where there is nothing but what the planner has anyway.

    `named`: calibrations and price books by the names they were asked for by, with their collection.
    """
    found: dict[str, Message] = {
        names.ACCELERATORS: hardware_service_pb2.ListAcceleratorsResponse(accelerators=accelerators),
        names.MODEL_SHAPES: hardware_service_pb2.ListModelShapesResponse(model_shapes=model_shapes),
        **named,
    }
    packed = {key: message.SerializeToString(deterministic=True) for key, message in found.items()}
    return {key: content for key, content in packed.items() if content}


def unpack_hardware(attachments: Mapping[str, bytes], calibration: str = "", price_book: str = "") -> Catalogue:
    """The catalogue that a job's attachments describe, with the calibration and the price book named."""
    return _unpacked(
        attachments.get(names.ACCELERATORS, b""),
        attachments.get(names.MODEL_SHAPES, b""),
        attachments[calibration_key(calibration)] if calibration else b"",
        attachments[price_book_key(price_book)] if price_book else b"",
    )


def calibration_key(name: str) -> str:
    """What a calibration is attached under. Raises InvalidInput."""
    return names.full(names.CALIBRATIONS, names.identity(names.CALIBRATIONS, name, "calibration"))


def price_book_key(name: str) -> str:
    """What a price book is attached under. Raises InvalidInput."""
    return names.full(names.PRICE_BOOKS, names.identity(names.PRICE_BOOKS, name, "price_book"))


@lru_cache(maxsize=64)
def _unpacked(accelerators: bytes, model_shapes: bytes, calibration: bytes, prices: bytes) -> Catalogue:
    if not (accelerators or model_shapes or calibration or prices):
        return SHIPPED
    chips = hardware_service_pb2.ListAcceleratorsResponse.FromString(accelerators).accelerators
    models = hardware_service_pb2.ListModelShapesResponse.FromString(model_shapes).model_shapes
    own = calibration_pb2.Calibration.FromString(calibration)
    # A name that a later release has learnt itself means what it means there.
    return Catalogue(
        tuple(own_accelerator(m, n) for m in chips if not is_accelerator(n := m.name.split("/", 1)[1])),
        tuple(own_model_shape(m, n) for m in models if not is_model_shape(n := m.name.split("/", 1)[1])),
        from_calibration(own) if calibration else None,
        from_price_book(price_book_pb2.PriceBook.FromString(prices)) if prices else None,
    )
