"""Fit a form to runs: variable projection, batched Newton, joint bootstrap, diagnostics; the result is a `Law`.

    fit_law(Runs.read("runs.csv"), "chinchilla", where="final == 1")

The recipe is Hoffmann et al. 2022 (2203.15556) App. D.2 as repaired by Besiroglu et al. 2024 (2404.10102): Huber's loss
(δ = 1e-3) of log residuals, summed, to the minimum and not to where an optimiser happened to stop.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from types import MappingProxyType

import numpy as np
import scipy
from numpy.typing import NDArray

from planner.errors import InvalidInput, Range, UnknownName, Violation, require
from planner.fitting.bootstrap import bootstrap as bootstrapped
from planner.fitting.breaks import shape_cautions
from planner.fitting.cautions import cautions
from planner.fitting.clusters import clusters
from planner.fitting.diagnostics import Diagnostics, diagnose, require_finite
from planner.fitting.drift import expected_drift, fall_per_decade
from planner.fitting.majority import majority_cautions
from planner.fitting.newton import Minimum, minimise, schedule
from planner.fitting.objective import DELTA, described
from planner.fitting.observations import DERIVED, Observations, observe
from planner.fitting.problem import Problem
from planner.fitting.projection import Screening, screen
from planner.fitting.refit import POOLED, grouped
from planner.fitting.runs import Runs
from planner.fitting.slips import slip_cautions
from planner.fitting.sweeps import found_sweep
from planner.laws.allocation_line import AllocationLine, Envelope
from planner.laws.by_group import MOST_GROUPS
from planner.laws.caution import Caution
from planner.laws.chinchilla import Chinchilla
from planner.laws.compute import ACTIVE_EXPERTS, SIMPLE
from planner.laws.form import Form
from planner.laws.forms import form_class
from planner.laws.law import Law, Provenance, Span, frozen_spans

Array = NDArray[np.float64]
LEVEL = 0.8
CELLS_FOR_DRAWS = 256
EXACT = 1e-15  # an objective this small means data without noise
DRAWS = Range(0, 100_000, "draws")
SEEDS = Range(0, 2**63 - 1, "")


@dataclass(frozen=True)
class Estimate:
    """A value with its 80 % interval and standard error over the draws (NaN without draws)."""

    value: float
    lower: float
    upper: float
    standard_error: float


@dataclass(frozen=True)
class ComputeOptimalExponent:
    """N* ∝ C^parameters and D* ∝ C^tokens."""

    parameters: Estimate
    tokens: Estimate


@dataclass(frozen=True)
class SearchEvidence:
    """Why the minimum found is believed to be the global one."""

    starts: int
    share_at_best: float  # of the polished starts that end within 1e-6 of the best objective
    profile_minima: int | None  # interior minima of the projected objective over the grid of exponents
    gradient: float  # largest entry of the projected gradient at the minimum


@dataclass(frozen=True)
class ApproachExponents:
    """a in N* ∝ C^a of the same runs by every approach that they allow: the parametric fit, parabolas, the envelope.

    Their disagreement is uncertainty that no bootstrap of one approach shows; `pooled` is over the draws of all.
    """

    exponents: Mapping[str, Estimate]
    disagreement: float  # largest less smallest
    pooled: Estimate


@dataclass(frozen=True, kw_only=True, eq=False)
class FittedLaw(Law):
    """A law with the record of its fit; `approaches` where the runs lie on isoFLOP profiles."""

    intervals: Mapping[str, Estimate]
    objective_value: float
    objective: str
    compute_optimal_exponent: ComputeOptimalExponent | None
    search: SearchEvidence
    diagnostics: Diagnostics
    warnings: tuple[Caution, ...]
    approaches: ApproachExponents | None = None


def fit_law(
    runs: Runs,
    form: str = "chinchilla",
    *,
    name: str | None = None,
    bootstrap: int = 1000,
    seed: int = 0,
    where: str | None = None,
    mapping: Mapping[str, str] | None = None,
    fixed: Mapping[str, float] | None = None,
    starts: int | None = None,
    group: str | None = None,
    sharing: str = POOLED,
    delta: float = DELTA,
) -> FittedLaw:
    """Fit the form called `form` to the rows of `runs` for which `where` holds.

    `mapping` says which column is which variable (column -> variable) where the usual names do not; `fixed` holds
    coefficients at given values; `bootstrap` is the number of draws (0: none); `starts` the number of polished starts.
    `group` names the column (text or numbers) of what runs share, a corpus, a recipe or a training curve: the bootstrap
    then draws whole groups, or runs within each where there are fewer than five. `sharing` says what groups share: all
    coefficients ("pooled"), all but scales and floors ("scales"), or nothing ("own"); unless pooled the law is of the
    form `<form>@…` (see `planner.laws.by_group`) and predicts by group. `delta` is Huber's δ.
    Of a sweep of hyper-parameters only the best run of each point is fitted (see `planner.fitting.sweeps`).
    Raises InvalidInput, UnknownName and NotIdentified (see `planner.fitting.observations`).
    """
    kind = form_class(form)
    if issubclass(kind, AllocationLine):
        require(*DRAWS.check("bootstrap", bootstrap), *SEEDS.check("seed", seed))
        return _allocation(kind, runs, name, bootstrap, seed, where, mapping, fixed, group)
    held = held_coefficients(kind, fixed)
    require(*DRAWS.check("bootstrap", bootstrap), *SEEDS.check("seed", seed))
    free = len(kind.coefficients) - len(held)
    sweep = found_sweep(runs, kind, where=where, mapping=mapping, group=group)
    kept = None if sweep is None else sweep.best
    seen = observe(runs, kind, where=where, mapping=mapping, free_coefficients=free, group=group, kept=kept)
    if sharing == POOLED:
        problem = Problem(kind, seen.variables, seen.losses, held)
        screening = screened(problem, starts, seed)
    else:
        problem, screening = grouped(kind, seen, sharing, delta)
        kind = problem.form
    theta, objective, search, others = _minimum(problem, screening, starts, delta)
    require_finite(objective, form)
    units = clusters(seen, problem.residuals(theta[None])[0], within=sharing != POOLED)
    cloud = bootstrapped(problem, theta, bootstrap, seed, units, others, delta=delta) if bootstrap else None
    draws = None if cloud is None or not len(cloud.draws) else cloud.draws
    best = kind.from_vector(problem.vectors(theta[None])[0])
    exponent = _exponent(best, draws)
    beside, disagreement = _beside(kind, seen, exponent, best, draws, seed)
    checked = diagnose(problem, theta, seen, draws, units, others)
    limits = None if exponent is None or draws is None else (exponent.parameters.lower, exponent.parameters.upper)
    options = {
        "form": form, "bootstrap": str(bootstrap), "where": where or "", "group": group or "", "delta": f"{delta:g}",
        "resampled": f"{units.count} {units.what}",
        **({} if sharing == POOLED else {"sharing": sharing}),
        **{f"group {k}": group_name for k, group_name in enumerate(seen.group_names[:MOST_GROUPS], start=1)},
        **{f"column of {k}": v for k, v in seen.columns.items()},
        **{f"fixed {k}": repr(v) for k, v in held.items()},
    }  # fmt: skip
    return FittedLaw(
        name=name or f"{form}-{runs.sha256[:8]}",
        form=best,
        grade="fitted",
        residual_log_sd=checked.residual_log_sd,
        relative_error_source="residuals of the fitted runs",
        provenance=Provenance(
            "fitted", "", runs.sha256, len(seen.losses), seen.rows_dropped, seed, options, package_versions()
        ),
        counting=seen.counting,
        compute_model=ACTIVE_EXPERTS if seen.counting == "active" else SIMPLE,
        training_range=data_ranges(seen),
        citation=kind.citation,
        metric=f"{seen.columns['loss']} (in the unit of the runs)",
        draws=draws,
        residuals=np.sort(problem.residuals(theta[None])[0]),
        drift_per_decade=expected_drift(
            None if checked.extrapolation is None else checked.extrapolation.drift_per_decade,
            fall_per_decade(problem.targets, seen),
        ),
        intervals=_intervals(best, draws),
        objective_value=objective,
        objective=f"{described(kind.signed())} (delta {delta:g})",
        compute_optimal_exponent=exponent,
        search=search,
        diagnostics=checked,
        warnings=(() if sweep is None else (sweep.caution(),))
        + _search_cautions(search, seen, 0 if cloud is None else cloud.failed)
        + cautions(problem, theta, checked, limits, units)
        + slip_cautions(seen)
        + majority_cautions(problem, theta, others, seen)
        + disagreement
        + shape_cautions(seen),
        approaches=beside,
    )


def observed_as(kind: type[Form]) -> type[Form]:
    """The form whose variables the runs must have for a fit of `kind`."""
    return Chinchilla if issubclass(kind, AllocationLine) else kind


def _allocation(
    kind: type[AllocationLine],
    runs: Runs,
    name: str | None,
    bootstrap: int,
    seed: int,
    where: str | None,
    mapping: Mapping[str, str] | None,
    fixed: Mapping[str, float] | None,
    group: str | None,
) -> FittedLaw:
    """Approaches 1 and 2, which read the best models off the runs and fit no loss."""
    from planner.fitting.envelope import fit_envelope  # late: both build on what this module defines
    from planner.fitting.isoflop import fit_isoflop

    if fixed:
        raise InvalidInput(Violation("fixed", ", ".join(fixed), f"none: {kind.form_name} has no coefficients to hold"))
    if kind is Envelope:
        return fit_envelope(runs, name=name, bootstrap=bootstrap, seed=seed, where=where, mapping=mapping, group=group)
    return fit_isoflop(runs, name=name, bootstrap=bootstrap, seed=seed, where=where, mapping=mapping)


def _beside(
    kind: type[Form],
    seen: Observations,
    exponent: ComputeOptimalExponent | None,
    best: Form,
    draws: Array | None,
    seed: int,
) -> tuple[ApproachExponents | None, tuple[Caution, ...]]:
    """What the other approaches read off the same runs, where the form is of parameters and tokens alone."""
    from planner.fitting.approaches import exponents_beside  # late: it builds on what this module defines

    if exponent is None or set(kind.variables) != {"parameter_count", "token_count"}:
        return None, ()
    cloud = None if draws is None else type(best).from_vector(draws).compute_optimal_exponents()
    sample = None if cloud is None else np.asarray(cloud[0], float).reshape(-1)
    return exponents_beside(seen, exponent.parameters, sample, seed)


def held_coefficients(form: type[Form], fixed: Mapping[str, float] | None) -> dict[str, float]:
    """The coefficients to hold. Raises UnknownName, and InvalidInput where one is out of range or none is left."""
    held = {k: float(v) for k, v in (fixed or {}).items()}
    for name in held:
        if name not in form.names():
            raise UnknownName("coefficient", name, form.names())
    specs = {c.name: c for c in form.coefficients}
    require(*(v for k, x in held.items() for v in Range(specs[k].lower, specs[k].upper, specs[k].unit).check(k, x)))
    if len(held) == len(form.coefficients):
        raise InvalidInput(Violation("fixed", "all coefficients", "at least one coefficient left to be fitted"))
    return held


def screened(problem: Problem, starts: int | None = None, seed: int = 0) -> Screening:
    """Points worth starting from, the best first."""
    return screen(problem, max(starts or 0, CELLS_FOR_DRAWS), seed)


def _gridded(problem: Problem) -> bool:
    return sum(not c.linear for c in problem.free) <= 2


def _minimum(
    problem: Problem, screening: Screening, starts: int | None, delta: float
) -> tuple[Array, float, SearchEvidence, Array]:
    """θ (free,) of the best minimum, its objective, the evidence, and other points (points, free) to look at.

    Fewer of the points screened are polished where they come from a grid.
    """
    polished = screening.theta[: starts or (12 if _gridded(problem) else 48)]
    # Continuation from a large δ crosses small barriers, from a small one it keeps to separate valleys: do both.
    deltas = (0.05 if _gridded(problem) else 0.5, 0.003)
    unit = max(float(np.std(problem.losses)), 1.0) if problem.signed else 1.0  # log residuals are of order one at most
    far, near = (minimise(problem, polished, schedule(unit * d, delta), iterations=150) for d in deltas)
    found = _better(far, near)
    lowest = found.objective.min()
    tied = found.objective <= lowest * (1.0 + 1e-14) if np.isfinite(lowest) else np.ones(len(found.objective), bool)
    best = int(np.argmin(np.where(tied, found.gradient, np.inf)))
    objective = float(found.objective[best])
    share = float(np.mean(found.objective <= objective * (1.0 + 1e-6) + EXACT))
    evidence = SearchEvidence(len(polished), share, screening.profile_minima, float(found.gradient[best]))
    return found.theta[best], objective, evidence, np.vstack([found.theta, screening.theta])


def _better(one: Minimum, other: Minimum) -> Minimum:
    """Per start, the lower of two descents."""
    first = one.objective <= other.objective
    return Minimum(
        np.where(first[:, None], one.theta, other.theta),
        np.where(first, one.objective, other.objective),
        np.where(first, one.gradient, other.gradient),
    )


def _search_cautions(search: SearchEvidence, seen: Observations, failed: int) -> tuple[Caution, ...]:
    notes = []
    if search.share_at_best < 0.25:
        sentence = f"only {100 * search.share_at_best:.0f} % of {search.starts} starts end at the best minimum found"
        notes.append(Caution("FEW_STARTS_AGREE", sentence))
    if search.profile_minima is not None and search.profile_minima > 1:
        sentence = f"the objective has {search.profile_minima} separate minima over the exponents"
        notes.append(Caution("SEVERAL_MINIMA", sentence))
    if search.gradient > 1e-6:
        notes.append(Caution("NOT_CONVERGED", f"the gradient at the minimum is {search.gradient:.1e}"))
    if seen.rows_dropped:
        notes.append(Caution("ROWS_DROPPED", f"{seen.rows_dropped} rows with blank cells were left out"))
    for variable, how in seen.columns.items():
        if how in (text for _, text, _ in DERIVED.get(variable, ())):
            notes.append(Caution("DERIVED_COLUMN", f"{variable} is derived: {how}"))
    if failed:
        notes.append(Caution("DRAWS_DROPPED", f"{failed} bootstrap draws did not converge and were left out"))
    return tuple(notes)


def _estimate(value: float, sample: Array | None) -> Estimate:
    if sample is None:
        return Estimate(value, float("nan"), float("nan"), float("nan"))
    tail = 0.5 * (1.0 - LEVEL)
    low, high = np.quantile(sample, [tail, 1.0 - tail])
    # Where the runs leave a direction open the draws may lie to one side of the fit, which is as possible as they are.
    return Estimate(
        value,
        float(min(low, value)),
        float(max(high, value)),
        float(np.std(sample, ddof=1)) if len(sample) > 1 else 0.0,
    )


def _intervals(best: Form, draws: Array | None) -> Mapping[str, Estimate]:
    return MappingProxyType(
        {
            k: _estimate(float(v), None if draws is None else draws[:, j])
            for j, (k, v) in enumerate(best.values().items())
        }
    )


def _exponent(best: Form, draws: Array | None) -> ComputeOptimalExponent | None:
    points = best.compute_optimal_exponents()
    samples = None if draws is None else type(best).from_vector(draws).compute_optimal_exponents()
    if points is None:
        return None
    parameters, tokens = (
        _estimate(float(points[k]), None if samples is None else np.asarray(samples[k]).reshape(-1)) for k in (0, 1)
    )
    return ComputeOptimalExponent(parameters, tokens)


def data_ranges(seen: Observations) -> Mapping[str, Span]:
    arrays = {**seen.variables, "training_flops": seen.training_flops}
    return frozen_spans({k: (float(v.min()), float(v.max())) for k, v in arrays.items() if np.all(np.isfinite(v))})


def package_versions() -> Mapping[str, str]:
    try:
        own = version("apportion-server")
    except PackageNotFoundError:  # run from a checkout
        own = "unpackaged"
    return {"apportion": own, "numpy": np.__version__, "scipy": scipy.__version__}
