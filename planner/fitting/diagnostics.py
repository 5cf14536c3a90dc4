"""What a fit does not say by itself: can its coefficients be told apart, which run carries it, does it extrapolate.

Every check is a number; `planner.fitting.cautions` says which of them the reader must know of. A good residual is no
evidence for a good optimum: fits that predict left-out losses within 1 % may disagree by a factor of 2.6 on the best
model size, which is why the refits by compute region report the allocation exponent as well.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from planner.errors import NotIdentified
from planner.fitting.clusters import Clusters
from planner.fitting.drift import drift_of_split, measured_drift
from planner.fitting.newton import best_points, minimise, schedule
from planner.fitting.objective import Huber
from planner.fitting.observations import Observations
from planner.fitting.problem import Problem, Sample
from planner.fitting.refit_scatter import usual_misses, usual_shift
from planner.laws.form import Form
from planner.laws.law import DRIFT_LEVEL, frozen_spans, outside

Array = NDArray[np.float64]
REGION_SHARE = 1.0 / 3.0
LEFT_OUT_EACH = 256  # up to so many runs, each is left out in turn
SUSPECTS = 40
WORST_GROUPS = 20
NO_CHEAP, NO_DEAR = "without the cheapest third", "without the dearest third"
REGIONS = (NO_CHEAP, NO_DEAR)
HELD_OUT = {"the cheaper half": 0.5, "the cheaper two thirds": 1.0 - REGION_SHARE}  # the last is the test reported


@dataclass(frozen=True)
class Influence:
    """The run whose removal moves the coefficients most, in standard errors of the coefficient moved most.

    Rows that err together (points of one training curve, a run entered twice) are removed together.
    """

    row: int  # counted from 1 in the table as given; the first of those removed together
    coefficient: str
    shift_in_standard_errors: float
    rows: int = 1


@dataclass(frozen=True)
class RegionRefit:
    """The law refitted without a part of the compute range."""

    region: str
    rows: int
    coefficients: Mapping[str, float]
    parameter_exponent: float | None
    usual_shift: float = 0.0  # of the exponent, in standard errors of the fit to all runs, if nothing is the matter


@dataclass(frozen=True)
class ExtrapolationTest:
    """Fitted to the cheaper two thirds, judged on the rest; errors are log(predicted / observed).

    By compute, or by the variable that spans most where compute is not known.
    """

    rows_fitted: int
    rows_held_out: int
    mean_absolute_log_error: float
    mean_log_error: float
    largest_absolute_log_error: float
    compute_factor: float  # largest held-out compute over largest fitted compute
    drift_per_decade: float  # log error beyond the scatter that 80 % of runs a decade outside stay within
    usual_miss: float = 1.0  # mean size of such errors in standard deviations of the noise, if nothing is the matter


@dataclass(frozen=True)
class GroupResidual:
    """How well the law fits the runs of one group: log(predicted / observed), its mean and its mean size."""

    group: str
    rows: int
    mean_log_residual: float
    mean_absolute_log_residual: float


@dataclass(frozen=True)
class Diagnostics:
    """Figures of merit and of doubt; of a signed metric the log errors are differences in its unit."""

    rows: int
    residual_log_sd: float
    median_absolute_log_residual: float
    r_squared: float  # of log losses
    condition_number: float  # of the scaled information matrix
    correlations: Mapping[str, float]  # "A~alpha" -> correlation over the draws, strongest first
    parameter_token_correlation: float | None  # of the logarithms, in the runs
    influence: Influence | None
    regions: tuple[RegionRefit, ...]
    extrapolation: ExtrapolationTest | None
    independent_count: int | None = None  # rows that err independently: runs, where several rows are points of one
    group_count: int | None = None  # groups of runs (corpora, recipes, training curves), where a column names them
    groups: tuple[GroupResidual, ...] = ()  # the worst fitted first, at most twenty


def diagnose(
    problem: Problem, theta: Array, seen: Observations, draws: Array | None, units: Clusters, others: Array
) -> Diagnostics:
    """All checks of the fit `theta` (free,); `draws` (draws, coefficients) sharpen some of them.

    `units` are what is left out and held out as a whole, `others` (points, free) more places to look for refits.
    """
    found = refits(problem, theta, _parts(problem, seen, units), others)
    residual = problem.residuals(theta[None])[0]
    spare = max(len(residual) - len(theta), 1)
    total = float(np.sum((problem.targets - problem.targets.mean()) ** 2))
    jacobian = problem.jacobian(theta[None])[0]
    return Diagnostics(
        rows=len(residual),
        residual_log_sd=float(np.sqrt(np.sum(residual**2) / spare)),
        median_absolute_log_residual=float(np.median(np.abs(residual))),
        r_squared=1.0 - float(np.sum(residual**2)) / total if total > 0 else 0.0,
        condition_number=_condition(jacobian),
        correlations=_correlations(problem, draws),
        parameter_token_correlation=_frontier(seen),
        influence=None if draws is None else _influence(problem, theta, seen, draws, jacobian, residual, units),
        regions=tuple(_region(problem, theta, name, part, jacobian) for name, part in found.items() if name in REGIONS),
        extrapolation=_extrapolation(problem, seen, found, jacobian),
        independent_count=units.count,
        group_count=seen.group_count,
        groups=_groups(residual, seen),
    )


def _groups(residual: Array, seen: Observations) -> tuple[GroupResidual, ...]:
    """Scaling may hold on average and fail for a part of the population (Diaz & Madaio 2024)."""
    if seen.groups is None:
        return ()
    parts = [residual[seen.groups == g] for g in range(len(seen.group_names))]
    found = [
        GroupResidual(name, len(part), float(part.mean()), float(np.abs(part).mean()))
        for name, part in zip(seen.group_names, parts, strict=True)
    ]
    return tuple(sorted(found, key=lambda g: -g.mean_absolute_log_residual)[:WORST_GROUPS])


def _condition(jacobian: Array) -> float:
    scaled = jacobian / np.maximum(np.sqrt((jacobian**2).sum(axis=1, keepdims=True)), 1e-300)
    singular = np.linalg.svd(scaled, compute_uv=False)
    with np.errstate(over="ignore"):  # infinite where a coefficient has no influence at all
        return float(np.square(singular[0] / max(singular[-1], 1e-300)))


def _correlations(problem: Problem, draws: Array | None, strongest: int = 10) -> dict[str, float]:
    if draws is None or len(draws) < 10:
        return {}
    names = problem.form.names()
    columns = [names.index(c.name) for c in problem.free]
    coordinates = problem.to_theta(draws[:, columns])
    moving = coordinates.std(axis=0) > 0
    coordinates = coordinates[:, moving]
    labels = [c.name for c, m in zip(problem.free, moving, strict=True) if m]
    if len(labels) < 2:
        return {}
    matrix = np.asarray(np.corrcoef(coordinates, rowvar=False))
    pairs = [
        (f"{labels[i]}~{labels[j]}", float(matrix[i, j])) for i in range(len(labels)) for j in range(i + 1, len(labels))
    ]
    return dict(sorted(pairs, key=lambda pair: -abs(pair[1]))[:strongest])


def _frontier(seen: Observations) -> float | None:
    if not {"parameter_count", "token_count"} <= seen.variables.keys():
        return None
    logs = np.log([seen.variables["parameter_count"], seen.variables["token_count"]])
    return float(np.corrcoef(logs)[0, 1])


def _influence(
    problem: Problem,
    theta: Array,
    seen: Observations,
    draws: Array,
    jacobian: Array,
    residual: Array,
    units: Clusters,
) -> Influence | None:
    """Every unit is really left out; of large tables only those that one Newton step says matter most."""
    names = problem.form.names()
    spread = problem.to_theta(draws[:, [names.index(c.name) for c in problem.free]]).std(axis=0)
    if not np.all(spread > 0):
        return None
    hessian = problem.derivatives(theta[None], Huber()).hessian[0]
    if not np.isfinite(hessian).all():  # the fit ended where a term overflows: no step can be told
        return None
    gradients = jacobian * Huber().slope(residual)
    together = np.stack([np.bincount(units.labels, g, units.count) for g in gradients])
    steps = np.linalg.pinv(hessian, rcond=1e-12) @ together / spread[:, None]
    suspects = np.argsort(-np.abs(steps).max(axis=0), kind="stable")
    suspects = suspects if units.count <= LEFT_OUT_EACH else suspects[:SUSPECTS]
    weights = (units.labels != suspects[:, None]).astype(float)
    refitted = minimise(problem, np.tile(theta, (len(suspects), 1)), schedule(0.003), Sample(weights)).theta
    shift = np.abs(refitted - theta) / spread
    worst, which = np.unravel_index(int(np.argmax(shift)), shift.shape)
    rows = np.flatnonzero(units.labels == suspects[worst])
    first = int(seen.rows[rows[0]]) + 1
    return Influence(first, problem.free[int(which)].name, float(shift[worst, which]), len(rows))


@dataclass(frozen=True, eq=False)
class Part:
    """The runs that a refit saw, and its θ (free,)."""

    chosen: NDArray[np.bool_]
    theta: Array


def refits(problem: Problem, theta: Array, parts: Mapping[str, NDArray[np.bool_]], others: Array) -> dict[str, Part]:
    """The fit to each part of the runs, from the whole fit and from the best of `others` for that part."""
    if not parts:
        return {}
    weights = np.stack([chosen.astype(float) for chosen in parts.values()])
    lowest = best_points(problem, np.vstack([theta, others]), Sample(weights))
    twice = Sample(np.concatenate([weights, weights]))
    found = minimise(problem, np.concatenate([np.tile(theta, (len(parts), 1)), lowest]), schedule(0.05), twice)
    from_fit, from_best = found.objective.reshape(2, -1)
    return {
        name: Part(chosen, found.theta[k if from_fit[k] <= from_best[k] else k + len(parts)])
        for k, (name, chosen) in enumerate(parts.items())
    }


def _parts(problem: Problem, seen: Observations, units: Clusters) -> dict[str, NDArray[np.bool_]]:
    """Parts of the compute range by name, those that determine a fit."""
    order = _order(seen)
    if order is None or np.ptp(order) == 0:
        return {}
    parts = {}
    if order is seen.training_flops:
        low, high = np.quantile(order, [REGION_SHARE, 1.0 - REGION_SHARE])
        parts = {NO_CHEAP: order > low, NO_DEAR: order < high}
    ends = _ends(order, units) if units.curves else order  # a run is dear if its end is: its start knows of its end
    for name, share in HELD_OUT.items():
        parts[name] = ends <= np.quantile(ends, share)
        if units.curves and not _determined(problem, parts[name]):
            parts[name] = order <= np.quantile(order, share)
    return {name: chosen for name, chosen in parts.items() if _determined(problem, chosen) and not chosen.all()}


def _order(seen: Observations) -> Array | None:
    """What runs are dear by: compute, or where that is unknown the variable that spans most."""
    return seen.training_flops if np.all(np.isfinite(seen.training_flops)) else _widest(seen.variables)


def _ends(flops: Array, units: Clusters) -> Array:
    most = np.zeros(units.count)
    np.maximum.at(most, units.labels, flops)
    return np.asarray(most[units.labels])


def _region(problem: Problem, theta: Array, name: str, part: Part, jacobian: Array) -> RegionRefit:
    form = problem.form.from_vector(problem.vectors(part.theta[None])[0])
    values = {k: float(v) for k, v in form.values().items()}
    slope = _exponent_slope(problem, theta)
    shift = 0.0 if slope is None else usual_shift(jacobian, part.chosen, slope)
    return RegionRefit(name, int(part.chosen.sum()), values, parameter_exponent(form), shift)


def _exponent_slope(problem: Problem, theta: Array, step: float = 1e-6) -> Array | None:
    """Derivatives (free,) of the exponent of the best model in θ, by differences."""
    ends = theta + step * np.concatenate([np.eye(len(theta)), -np.eye(len(theta))])
    each = [parameter_exponent(problem.form.from_vector(v)) for v in problem.vectors(ends)]
    if any(a is None or not np.isfinite(a) for a in each):
        return None
    return np.asarray(np.array(each, float).reshape(2, -1).T @ [1.0, -1.0]) / (2.0 * step)


def _determined(problem: Problem, chosen: NDArray[np.bool_]) -> bool:
    matrix = np.stack([v[chosen] for v in problem.variables.values()], axis=1)
    varied = len(matrix) > 0 and bool(np.all(np.ptp(matrix, axis=0) > 0))
    return varied and len(np.unique(matrix, axis=0)) > len(problem.free)


def _extrapolation(
    problem: Problem, seen: Observations, found: Mapping[str, Part], jacobian: Array
) -> ExtrapolationTest | None:
    order = _order(seen)
    drifts: list[float] = []
    tested: tuple[NDArray[np.bool_], Array] | None = None
    for name in HELD_OUT:
        if name in found and order is not None:
            cheap, residual = found[name].chosen, problem.residuals(found[name].theta[None])[0]
            tested = cheap, residual[~cheap]
            scatter = float(np.quantile(np.abs(residual[cheap]), DRIFT_LEVEL))
            drifts.append(drift_of_split(residual[~cheap], _decades_outside(seen, cheap), scatter))
    if tested is None or order is None:
        return None
    cheap, error = tested
    return ExtrapolationTest(
        int(cheap.sum()),
        int((~cheap).sum()),
        float(np.mean(np.abs(error))),
        float(np.mean(error)),
        float(np.max(np.abs(error))),
        float(order[~cheap].max() / order[cheap].max()),
        measured_drift(drifts),
        float(np.mean(usual_misses(jacobian, cheap))),
    )


def _widest(variables: Mapping[str, Array]) -> Array | None:
    """The positive variable whose values span most; None where none varies (shares of a mixture do not count)."""
    axes = [v for k, v in variables.items() if np.all(v > 0) and not k.startswith("domain_share")]
    widest = max(axes, key=lambda v: float(v.max() / v.min()), default=None)
    return None if widest is None or np.ptp(widest) == 0 else widest


def _decades_outside(seen: Observations, cheap: NDArray[np.bool_]) -> Array:
    """How far each run that is not cheap lies outside the range of the cheap ones, in the worst variable."""
    axes = {**seen.variables, "training_flops": seen.training_flops}
    axes = {k: v for k, v in axes.items() if np.all(np.isfinite(v))}
    spans = frozen_spans({k: (float(v[cheap].min()), float(v[cheap].max())) for k, v in axes.items()})
    return np.asarray(np.log10(outside(spans, {k: v[~cheap] for k, v in axes.items()})))


def parameter_exponent(form: Form) -> float | None:
    """a in N* ∝ C^a where the form has one."""
    exponents = form.compute_optimal_exponents()
    return None if exponents is None else float(exponents[0])


def require_finite(objective: float, form_name: str) -> None:
    """Raise NotIdentified if no start gave a finite objective."""
    if not np.isfinite(objective):
        raise NotIdentified(f"no coefficients of {form_name} give positive finite losses at these runs")
