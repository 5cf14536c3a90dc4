"""Stored runs, and laws with their coefficients, intervals and provenance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from apportion.answers.answer import Answer, Estimate, PlanWarning, ValueRange


@dataclass(frozen=True)
class RunSet(Answer):
    """A stored table of training runs, without its rows."""

    name: str
    row_count: int
    column_names: tuple[str, ...]
    content_sha256: str
    create_time: datetime | None


@dataclass(frozen=True)
class LawDraws(Answer):
    """Joint draws of a law's coefficients, draw after draw."""

    coefficient_names: tuple[str, ...]
    values: tuple[float, ...]


@dataclass(frozen=True)
class ComputeOptimalExponent(Answer):
    """Exponent a of N* ∝ C^a; `token_count` is that of D*."""

    value: float
    lower: float
    upper: float
    standard_error: float | None
    level: float
    token_count: Estimate | None


@dataclass(frozen=True)
class Law(Answer):
    """A scaling law: a form with coefficients, published or fitted."""

    name: str
    form: str
    formula: str
    grade: str
    coefficients: Mapping[str, float]
    intervals: Mapping[str, Estimate]
    objective_value: float | None
    objective: str
    compute_optimal_exponent: ComputeOptimalExponent | None
    diagnostics: Mapping[str, float]
    ranges: Mapping[str, ValueRange]
    parameter_convention: str
    compute_model: str
    corpus: str
    citation: str
    notes: str
    residual_log_sd: float
    warnings: tuple[PlanWarning, ...]
    provenance: Mapping[str, str]
    draws: LawDraws | None
    create_time: datetime | None
    metric: str
    drift_per_decade: float
    approach_exponents: Mapping[str, Estimate]
    excluded_forms: Mapping[str, str]
