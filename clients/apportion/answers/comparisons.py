"""Forms compared by how well they predict runs they were not fitted to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from apportion.answers.answer import Answer, Estimate


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
