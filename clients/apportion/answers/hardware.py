"""Accelerators with their offers, price books, shapes of known models, constants refitted to measurements."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from apportion.answers.answer import Answer, ValueRange


@dataclass(frozen=True)
class PriceOffer(Answer):
    """One offer of accelerator time, with its source and the date it was read."""

    offer: str
    term: str
    region: str
    price_usd_per_hour: float
    source: str
    read_date: str
    accelerator: str


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
    scaleup_link: str
    scaleout_bytes_per_second: float | None
    die_count: int
    release_date: str
    create_time: datetime | None


@dataclass(frozen=True)
class PriceBook(Answer):
    """Offers of somebody's own, laid over those on record, or (`exclusive`) instead of all of them."""

    name: str
    content: str
    exclusive: bool
    offers: tuple[PriceOffer, ...]
    create_time: datetime | None


@dataclass(frozen=True)
class ModelShape(Answer):
    """The shape of a known model; what only own models are made from is None or empty for the others."""

    name: str
    total_parameter_count: float
    active_parameter_count: float
    layer_count: int
    hidden_size: int
    expert_count: int
    experts_per_token_count: int
    kv_bytes_per_token: float
    attention: str
    head_count: int | None
    key_value_head_count: int | None
    intermediate_size: int | None
    vocabulary_size: int | None
    tied_embeddings: bool
    config_json: str
    create_time: datetime | None


@dataclass(frozen=True)
class RefusedMeasurement(Answer):
    """A measurement that could not be used, and why."""

    origin: str
    reason: str


@dataclass(frozen=True)
class MeasuredGroup(Answer):
    """One accelerator with one model, as measured, and the level that is its own."""

    group: str
    level: float


@dataclass(frozen=True)
class Calibration(Answer):
    """Constants of the serving models as measurements have refitted them; errors by quantity before and after."""

    name: str
    version: int
    etag: str
    create_time: datetime | None
    measurements_sha256: str
    row_count: int
    refused: tuple[RefusedMeasurement, ...]
    groups: tuple[MeasuredGroup, ...]
    engine: str
    constants: Mapping[str, float]
    constant_factors: Mapping[str, float]
    tpot_level: float
    ttft_level: float
    engine_levels: Mapping[str, float]
    intervals: Mapping[str, ValueRange]
    errors_before: Mapping[str, float]
    errors_after: Mapping[str, float]
    shrinkage: float
