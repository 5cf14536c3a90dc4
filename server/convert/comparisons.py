"""Comparisons of forms: planner's record as a message."""

from __future__ import annotations

import math

from apportion.v1 import comparison_pb2, estimate_pb2
from planner.fitting.judgement import LEVEL, ErrorEstimate, FormScore
from planner.fitting.ranking import Comparison


def to_comparison(found: Comparison) -> comparison_pb2.FormComparison:
    """The ranking, the splits and the verdict."""
    return comparison_pb2.FormComparison(
        ranking=[_score(score) for score in found.ranking],
        chosen_form=found.chosen.form,
        trustworthy=found.trustworthy,
        statement=found.statement,
        splits=[
            comparison_pb2.ComparisonSplit(name=s.name, fitted_row_count=s.fitted_rows, held_row_count=s.held_rows)
            for s in found.splits
        ],
        excluded_forms=dict(found.excluded),
        error_kind="difference" if found.signed else "log_ratio",
        row_count=found.rows_used,
        holdout_row_count=len(found.holdout_rows),
    )


def _score(score: FormScore) -> comparison_pb2.FormScore:
    message = comparison_pb2.FormScore(
        form=score.form,
        baseline=score.baseline,
        sharing=score.sharing,
        coefficient_count=score.coefficient_count,
        extrapolation_error=_estimate(score.extrapolation_error),
        split_errors=score.split_errors,
        tied=score.tied,
    )
    if not score.baseline:
        message.huber_delta = score.huber_delta
    if score.holdout_error is not None:
        message.holdout_error.CopyFrom(_estimate(score.holdout_error))
    if score.holdout_r_squared is not None and math.isfinite(score.holdout_r_squared):
        message.holdout_r_squared = score.holdout_r_squared
    return message


def _estimate(error: ErrorEstimate) -> estimate_pb2.Estimate:
    return estimate_pb2.Estimate(value=error.value, lower=error.lower, upper=error.upper, level=LEVEL)
