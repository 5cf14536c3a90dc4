"""Accelerators with their offers, and the shapes of known models."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from apportion.answers.answer import Answer


@dataclass(frozen=True)
class PriceOffer(Answer):
    """One offer of accelerator time, with its source and the date it was read."""

    offer: str
    term: str
    region: str
    price_usd_per_hour: float
    source: str
    read_date: str


@dataclass(frozen=True)
class Accelerator(Answer):
    """One kind of accelerator; a figure that its sheet lacks is None."""

    name: str
    vendor: str
    peak_flops_per_second: Mapping[str, float]
    memory_bytes: float
    memory_bytes_per_second: float
    scaleup_bytes_per_second: float | None
    scaleup_domain_count: int
    tdp_watts: float | None
    source: str
    doubt: str
    offers: tuple[PriceOffer, ...]


@dataclass(frozen=True)
class ModelShape(Answer):
    """The shape of a known model."""

    name: str
    total_parameter_count: float
    active_parameter_count: float
    layer_count: int
    hidden_size: int
    expert_count: int
    experts_per_token_count: int
    kv_bytes_per_token: float
    attention: str
