"""From the best models of budgets to a law N* = G_N C^a, D* = G_D C^b with draws: what both graphical approaches share.

A table of optima (draws, budgets) is turned into one line in logarithms per draw; budgets whose optimum a draw does not
have (NaN) are left out of its line. A budget's weight is the inverse of its optimum's variance over the draws plus the
scatter of all budgets about the line: a poorly determined minimum counts for less, and none counts alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from planner.errors import NotIdentified
from planner.fitting.diagnostics import Diagnostics
from planner.fitting.estimates import ComputeOptimalExponent, estimates_of
from planner.fitting.fitted import FittedLaw, data_ranges, package_versions
from planner.fitting.minimum import SearchEvidence
from planner.fitting.observations import Observations
from planner.fitting.runs import Runs
from planner.laws.allocation_line import AllocationLine
from planner.laws.caution import Caution
from planner.laws.law import Provenance

Array = NDArray[np.float64]
FEWEST_BUDGETS = 3


@dataclass(frozen=True, eq=False)
class Optima:
    """ln C (budgets,), ln N* and ln D* (draws + 1, budgets); row 0 is the estimate, the others its draws."""

    log_flops: Array
    log_parameters: Array
    log_tokens: Array


def lines(optima: Optima, seed: int = 0) -> Array:
    """(draws + 1, 4): ln G_N, a, ln G_D, b; NaN where a draw has fewer than three budgets.

    Raises NotIdentified where the estimate itself has fewer than three.
    """
    known = np.isfinite(optima.log_parameters)
    count = int(known[0].sum())
    if count < FEWEST_BUDGETS:
        raise NotIdentified(
            f"{count} budgets have their best model inside the sizes tried: {FEWEST_BUDGETS} are needed for an exponent"
        )
    weight = _weights(optima, known)
    # Budgets are drawn too: what a whole budget has in common (its learning rate, its schedule) is not in its runs.
    generator = np.random.default_rng(seed)
    size = len(weight)
    drawn = generator.multinomial(size, np.full(size, 1.0 / size), size=len(known)).astype(float)
    drawn[0] = 1.0
    weights = known * weight * drawn
    return np.concatenate(
        [_line(optima.log_flops, y, weights) for y in (optima.log_parameters, optima.log_tokens)], axis=1
    )


def _weights(optima: Optima, known: NDArray[np.bool_]) -> Array:
    """(budgets,) 1 / (scatter of budgets about the line + spread of the optimum over the draws)."""
    once = known[0]
    y = optima.log_parameters[0, once]
    x = optima.log_flops[once]
    scatter = float(np.sum((y - np.polyval(np.polyfit(x, y, 1), x)) ** 2)) / max(len(y) - 2, 1)
    own = np.array([_variance(c[k]) for c, k in zip(optima.log_parameters.T, known.T, strict=True)])
    return np.asarray(1.0 / (scatter + own + 1e-12))


def _variance(sample: Array) -> float:
    """By the middle two thirds: a vertex of a nearly flat parabola may land anywhere."""
    if len(sample) < 3:
        return 0.0
    low, high = np.quantile(sample, [1.0 / 6.0, 5.0 / 6.0])
    return float(0.25 * (high - low) ** 2)


def _line(x: Array, y: Array, weights: Array) -> Array:
    """Intercept and slope (rows, 2) of weighted least squares, row by row."""
    y = np.where(weights > 0, y, 0.0)
    total = weights.sum(axis=1)
    with np.errstate(all="ignore"):
        mean_x, mean_y = weights @ x / total, (weights * y).sum(axis=1) / total
        u = x - mean_x[:, None]
        slope = (weights * u * (y - mean_y[:, None])).sum(axis=1) / (weights * u**2).sum(axis=1)
        few = (weights > 0).sum(axis=1) < FEWEST_BUDGETS
        return np.where(few[:, None], np.nan, np.stack([mean_y - slope * mean_x, slope], axis=1))


def allocation_law(
    kind: type[AllocationLine],
    fitted: Array,
    seen: Observations,
    runs: Runs,
    diagnostics: Diagnostics,
    cautions: tuple[Caution, ...],
    options: dict[str, str],
    *,
    name: str | None,
    seed: int,
    objective_value: float,
    objective: str,
) -> FittedLaw:
    """The law of the lines `fitted` (draws + 1, 4), row 0 the estimate."""
    values = np.stack([np.exp(fitted[:, 0]), fitted[:, 1], np.exp(fitted[:, 2]), fitted[:, 3]], axis=1)
    best = kind.from_vector(values[0])
    good = np.isfinite(values[1:]).all(axis=1)
    draws = values[1:][good] if good.any() else None
    intervals = estimates_of(best, draws)
    return FittedLaw(
        name=name or f"{kind.form_name}-{runs.sha256[:8]}",
        form=best,
        grade="fitted",
        residual_log_sd=diagnostics.residual_log_sd,
        relative_error_source="residuals of the fitted runs",
        provenance=Provenance(
            "fitted", "", runs.sha256, len(seen.losses), seen.rows_dropped, seed,
            {"form": kind.form_name, **options, **{f"column of {k}": v for k, v in seen.columns.items()}},
            package_versions(),
        ),
        counting=seen.counting,
        training_range=data_ranges(seen),
        citation=kind.citation,
        draws=draws,
        notes="exponents of the best model only: no loss formula",
        intervals=intervals,
        objective_value=objective_value,
        objective=objective,
        compute_optimal_exponent=ComputeOptimalExponent(intervals["a"], intervals["b"]),
        search=SearchEvidence(1, 1.0, None, 0.0),
        diagnostics=diagnostics,
        warnings=cautions,
    )  # fmt: skip


def plain_diagnostics(seen: Observations, residuals: Array, targets: Array, budgets: int) -> Diagnostics:
    """Diagnostics of an approach that fits curves budget by budget."""
    total = float(np.sum((targets - targets.mean()) ** 2)) if len(targets) else 0.0
    return Diagnostics(
        rows=len(seen.losses),
        residual_log_sd=float(np.sqrt(np.mean(residuals**2))) if len(residuals) else 0.0,
        median_absolute_log_residual=float(np.median(np.abs(residuals))) if len(residuals) else 0.0,
        r_squared=1.0 - float(np.sum(residuals**2)) / total if total > 0 else 0.0,
        condition_number=float("nan"),
        correlations={},
        parameter_token_correlation=None,
        influence=None,
        regions=(),
        extrapolation=None,
        group_count=budgets,
    )
