"""Comparisons of forms, targets and approaches: planner's records as messages."""

from __future__ import annotations

import math
from collections.abc import Mapping

from apportion.v1 import comparison_pb2, estimate_pb2
from planner.fitting.approaches import Approach, Approaches
from planner.fitting.judgement import LEVEL, ErrorEstimate, FormScore
from planner.fitting.ranking import Comparison
from server.convert.laws import interval, set_exponent


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


def to_targets(found: Mapping[str, Comparison]) -> comparison_pb2.TargetComparison:
    """One comparison a column, all of the same form."""
    message = comparison_pb2.TargetComparison(chosen_form=next(iter(found.values())).chosen.form)
    for target, each in found.items():
        message.targets[target].CopyFrom(to_comparison(each))
    return message


def to_approaches(found: Approaches) -> comparison_pb2.ApproachComparison:
    """The approaches, what they disagree on, and the interval over all their draws."""
    return comparison_pb2.ApproachComparison(
        approaches=[_approach(each) for each in found.approaches],
        disagreement=found.disagreement,
        pooled=interval(found.pooled),
    )


def _approach(approach: Approach) -> comparison_pb2.Approach:
    message = comparison_pb2.Approach(name=approach.name, caveat=approach.caveat)
    if approach.law is not None:
        message.coefficients.update({k: float(v) for k, v in approach.law.form.values().items()})
        set_exponent(message.compute_optimal_exponent, approach.law)
        for caution in approach.law.warnings:
            if caution.code != "METHOD_BIAS":  # that is the caveat
                message.warnings.add(code=caution.code, message=caution.sentence)
    return message


def _score(score: FormScore) -> comparison_pb2.FormScore:
    message = comparison_pb2.FormScore(
        form=score.form,
        baseline=score.baseline,
        sharing=score.sharing,
        coefficient_count=score.coefficient_count,
        extrapolation_error=_estimate(score.extrapolation_error),
        split_errors=score.split_errors,
        tied=score.tied,
        group_errors=dict(score.group_errors),
        worst_group=score.worst_group,
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
