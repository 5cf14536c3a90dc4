"""Fit a form to runs: variable projection, batched Newton, joint bootstrap, diagnostics; the result is a `Law`.

    fit_law(Runs.read("runs.csv"), "chinchilla", where="final == 1")

The recipe is Hoffmann et al. 2022 (2203.15556) App. D.2 as repaired by Besiroglu et al. 2024 (2404.10102): Huber's loss
(δ = 1e-3) of log residuals, summed, to the minimum and not to where an optimiser happened to stop.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from planner.errors import InvalidInput, Range, UnknownName, Violation, require
from planner.fitting.beside import exponents_beside
from planner.fitting.bootstrap import bootstrap as bootstrapped
from planner.fitting.breaks import shape_cautions
from planner.fitting.cautions import cautions
from planner.fitting.clusters import clusters
from planner.fitting.diagnostics import diagnose, require_finite
from planner.fitting.drift import expected_drift, fall_per_decade
from planner.fitting.envelope import fit_envelope
from planner.fitting.estimates import ApproachExponents, ComputeOptimalExponent, estimates_of, exponents_of
from planner.fitting.fitted import FittedLaw, data_ranges, package_versions
from planner.fitting.isoflop import fit_isoflop
from planner.fitting.majority import majority_cautions
from planner.fitting.minimum import SearchEvidence, lowest_minimum, screened
from planner.fitting.objective import DELTA, described
from planner.fitting.observations import DERIVED, Observations, observe
from planner.fitting.problem import Problem
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
from planner.laws.law import Provenance

DRAWS = Range(0, 100_000, "draws")
SEEDS = Range(0, 2**63 - 1, "")


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

    `mapping` says which column, or column*factor, is which variable where the usual names do not; `fixed` holds
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
    theta, objective, search, others = lowest_minimum(problem, screening, starts, delta)
    require_finite(objective, form)
    units = clusters(seen, problem.residuals(theta[None])[0], within=sharing != POOLED)
    cloud = bootstrapped(problem, theta, bootstrap, seed, units, others, delta=delta) if bootstrap else None
    draws = None if cloud is None or not len(cloud.draws) else cloud.draws
    best = kind.from_vector(problem.vectors(theta[None])[0])
    exponent = exponents_of(best, draws)
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
        intervals=estimates_of(best, draws),
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
    draws: NDArray[np.float64] | None,
    seed: int,
) -> tuple[ApproachExponents | None, tuple[Caution, ...]]:
    """What the other approaches read off the same runs, where the form is of parameters and tokens alone."""
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
