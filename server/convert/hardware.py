"""Hardware facts: the planner's catalogue entries as messages, and a caller's own entries back.

What is stored of an own entry is its message, from which the planner's record can be made again: the specification of
an accelerator, the configuration of a model.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from apportion.v1 import hardware_pb2, price_book_pb2
from planner.errors import InvalidInput, Violation, require
from planner.hardware import (
    Accelerator,
    ModelShape,
    Price,
    PriceBook,
    accelerator_from_spec,
    is_accelerator,
    model_shape_from_config,
    price_book,
    prices,
)
from server import names
from server.convert.problems import named_after

_MAX_OFFERS = 10_000
_MAX_CONFIG = 200_000  # characters; published ones have a few thousand
_SPECIFICATION = {  # the planner's names of the message's fields
    "memory_bytes": "memory_bytes",
    "memory_bytes_per_second": "memory_bytes_per_second",
    "scaleup_bytes_per_second": "scaleup_bytes_per_second",
    "scaleup_domain": "scaleup_domain_count",
    "scaleup_link": "scaleup_link",
    "scaleout_bytes_per_second": "scaleout_bytes_per_second",
    "tdp_watts": "tdp_watts",
    "dies": "die_count",
    "vendor": "vendor",
    "release": "release_date",
    "source": "source",
    "doubt": "doubt",
}
_CONFIGURATION = {  # config.json's names of the message's fields
    "num_hidden_layers": "layer_count",
    "hidden_size": "hidden_size",
    "num_attention_heads": "head_count",
    "num_key_value_heads": "key_value_head_count",
    "intermediate_size": "intermediate_size",
    "vocab_size": "vocabulary_size",
    "num_experts": "expert_count",
    "num_experts_per_tok": "experts_per_token_count",
    "tie_word_embeddings": "tied_embeddings",
}
_NEEDED = ("memory_bytes", "memory_bytes_per_second")


def to_accelerator(entry: Accelerator) -> hardware_pb2.Accelerator:
    """One accelerator with its offers; figures its sheet lacks are unset."""
    message = hardware_pb2.Accelerator(
        name=names.full(names.ACCELERATORS, entry.name),
        vendor=entry.vendor,
        peak_flops_per_second=dict(entry.flops_per_second),
        memory_bytes=entry.memory_bytes,
        memory_bytes_per_second=entry.memory_bytes_per_second,
        scaleup_domain_count=entry.scaleup_domain,
        scaleup_link=entry.scaleup_link,
        die_count=int(entry.dies),
        release_date=entry.release,
        source=f"{entry.source} ({entry.date})" if entry.date else entry.source,
        doubt=entry.doubt,
    )
    for field in ("scaleup_bytes_per_second", "scaleout_bytes_per_second", "tdp_watts"):
        if math.isfinite(getattr(entry, field)):
            setattr(message, field, getattr(entry, field))
    for offer in prices(entry.name) if is_accelerator(entry.name) else ():
        message.offers.append(to_offer(offer))
    return message


def to_offer(offer: Price) -> hardware_pb2.PriceOffer:
    """One offer."""
    return hardware_pb2.PriceOffer(
        accelerator=offer.accelerator,
        offer=offer.offer,
        term=offer.term,
        region=offer.region,
        price_usd_per_hour=offer.price_usd_per_hour,
        source=offer.source,
        read_date=offer.date,
    )


def to_price_book(given: price_book_pb2.PriceBook, identity: str) -> price_book_pb2.PriceBook:
    """A price book with the offers that its content describes. Raises InvalidInput naming the rows."""
    message = price_book_pb2.PriceBook(
        name=names.full(names.PRICE_BOOKS, identity), content=given.content, exclusive=given.exclusive
    )
    own = price_book(given.content, _form(given), over=PriceBook(())).offers
    if not 0 < len(own) <= _MAX_OFFERS:
        require(Violation("price_book.content", f"{len(own)} offers", f"1 to {_MAX_OFFERS}"))
    message.offers.extend(to_offer(offer) for offer in own)
    return message


def from_price_book(message: price_book_pb2.PriceBook) -> PriceBook:
    """The offers that count under a price book: its own, and those on record unless it is exclusive."""
    return price_book(message.content, _form(message), over=PriceBook(()) if message.exclusive else None)


def _form(book: price_book_pb2.PriceBook) -> str:
    return "toml" if "[[price]]" in book.content else "csv"


def to_model_shape(entry: ModelShape) -> hardware_pb2.ModelShape:
    """One model shape."""
    return hardware_pb2.ModelShape(
        name=names.full(names.MODEL_SHAPES, entry.name),
        total_parameter_count=entry.total_parameters,
        active_parameter_count=entry.active_parameters,
        layer_count=int(entry.layers),
        hidden_size=int(entry.hidden),
        expert_count=int(entry.expert_count),
        experts_per_token_count=int(entry.experts_per_token),
        kv_bytes_per_token=entry.kv_bytes_per_token_16bit,
        attention=entry.attention_kind,
    )


def own_accelerator(message: hardware_pb2.Accelerator, identity: str) -> Accelerator:
    """The accelerator of that id that a message describes. Raises InvalidInput naming the message's fields."""
    peaks = {
        p: f"{p}_ops_per_second" if p == "int8" else f"{p}_flops_per_second" for p in message.peak_flops_per_second
    }
    origin = {name: f"accelerator.{field}" for name, field in _SPECIFICATION.items()}
    origin |= {name: f"accelerator.peak_flops_per_second[{precision}]" for precision, name in peaks.items()}
    origin.setdefault("bf16_flops_per_second", "accelerator.peak_flops_per_second[bf16]")
    spec: dict[str, Any] = {"name": identity}
    spec |= {name: getattr(message, field) for name, field in _SPECIFICATION.items() if _is_said(message, field)}
    spec |= {peaks[precision]: value for precision, value in message.peak_flops_per_second.items()}
    with named_after(origin):
        return accelerator_from_spec(spec)


def own_model_shape(message: hardware_pb2.ModelShape, identity: str) -> ModelShape:
    """The model of that id that a message describes. Raises InvalidInput naming the message's fields."""
    config = configuration(message)
    origin = {} if message.config_json else _CONFIGURATION
    prefix = "config_json: " if message.config_json else ""
    try:
        return model_shape_from_config(config, identity)
    except InvalidInput as error:
        renamed = [
            Violation(f"model_shape.{prefix}{origin.get(v.field, v.field)}", v.value, v.allowed)
            for v in error.violations
        ]
        raise InvalidInput(*renamed, hint=error.hint) from error


def with_configuration(shape: hardware_pb2.ModelShape, given: hardware_pb2.ModelShape) -> hardware_pb2.ModelShape:
    """An own shape as it is stored: what follows from the configuration, the configuration, and what was given."""
    stored = hardware_pb2.ModelShape()
    stored.CopyFrom(given)
    stored.MergeFrom(shape)
    stored.config_json = given.config_json or json.dumps(configuration(given))
    stored.ClearField("create_time")
    return stored


def configuration(message: hardware_pb2.ModelShape) -> Mapping[str, Any]:
    """The configuration that a message holds, as JSON or in its fields. Raises InvalidInput."""
    if not message.config_json:
        found = {name: getattr(message, f) for name, f in _CONFIGURATION.items() if _is_said(message, f)}
        return {k: v for k, v in found.items() if not (k.startswith("num_experts") and message.expert_count <= 1)}
    length = len(message.config_json)
    if length > _MAX_CONFIG:
        require(Violation("model_shape.config_json", f"{length} characters", f"at most {_MAX_CONFIG}"))
    try:
        config = json.loads(message.config_json)
    except (ValueError, RecursionError) as error:
        raise InvalidInput(Violation("model_shape.config_json", f"not JSON ({error})", "a config.json")) from None
    if not isinstance(config, dict):
        raise InvalidInput(Violation("model_shape.config_json", type(config).__name__, "a JSON object"))
    return config


def _is_said(message: Any, field: str) -> bool:
    """Is the field set? Where nothing is a legal value too, whether it is needed decides."""
    if message.DESCRIPTOR.fields_by_name[field].has_presence:
        return bool(message.HasField(field))
    return bool(getattr(message, field)) or field in _NEEDED
