"""Comparisons: of forms, by how they predict runs they were not fitted to, and of ways to read off the best size."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from apportion.answers.answer import Answer, Estimate, PlanWarning
from apportion.answers.laws import ComputeOptimalExponent


@dataclass(frozen=True)
class FormScore(Answer):
    """How well one form, or a baseline, predicts runs it was not fitted to."""

    form: str
    baseline: bool
    sharing: str
    huber_delta: float | None
    coefficient_count: int
    extrapolation_error: Estimate | None
    split_errors: tuple[float, ...]
    holdout_error: Estimate | None
    holdout_r_squared: float | None
    tied: bool
    group_errors: Mapping[str, float]
    worst_group: str


@dataclass(frozen=True)
class ComparisonSplit(Answer):
    """One split: what was fitted, what was predicted."""

    name: str
    fitted_row_count: int
    held_row_count: int


@dataclass(frozen=True)
class FormComparison(Answer):
    """Forms by how well they extrapolate, the best first, and whether the best can be trusted."""

    ranking: tuple[FormScore, ...]
    chosen_form: str
    trustworthy: bool
    statement: str
    splits: tuple[ComparisonSplit, ...]
    excluded_forms: Mapping[str, str]
    error_kind: str
    row_count: int
    holdout_row_count: int


@dataclass(frozen=True)
class TargetComparison(Answer):
    """Several columns of losses of the same runs, all in the same form: a comparison each."""

    chosen_form: str
    targets: Mapping[str, FormComparison]


@dataclass(frozen=True)
class Approach(Answer):
    """One way to read the compute-optimal exponent off runs, how it errs on them, or why they do not allow it."""

    name: str
    compute_optimal_exponent: ComputeOptimalExponent | None
    coefficients: Mapping[str, float]
    caveat: str
    warnings: tuple[PlanWarning, ...]


@dataclass(frozen=True)
class ApproachComparison(Answer):
    """The three approaches of Hoffmann et al. 2022 on the same runs; `pooled` is over the draws of all."""

    approaches: tuple[Approach, ...]
    disagreement: float
    pooled: Estimate
