"""Hardware facts: planner's catalogue entries as messages."""

from __future__ import annotations

import math

from apportion.v1 import hardware_pb2
from planner.hardware import Accelerator, ModelShape, prices
from server import names


def to_accelerator(entry: Accelerator) -> hardware_pb2.Accelerator:
    """One accelerator with its offers; figures its sheet lacks are unset."""
    message = hardware_pb2.Accelerator(
        name=names.full(names.ACCELERATORS, entry.name),
        vendor=entry.vendor,
        peak_flops_per_second=dict(entry.flops_per_second),
        memory_bytes=entry.memory_bytes,
        memory_bytes_per_second=entry.memory_bytes_per_second,
        scaleup_domain_count=entry.scaleup_domain,
        source=f"{entry.source} ({entry.date})" if entry.date else entry.source,
        doubt=entry.doubt,
    )
    for field, value in (("scaleup_bytes_per_second", entry.scaleup_bytes_per_second), ("tdp_watts", entry.tdp_watts)):
        if math.isfinite(value):
            setattr(message, field, value)
    for offer in prices(entry.name):
        message.offers.add(
            offer=offer.offer,
            term=offer.term,
            region=offer.region,
            price_usd_per_hour=offer.price_usd_per_hour,
            source=offer.source,
            read_date=offer.date,
        )
    return message


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
