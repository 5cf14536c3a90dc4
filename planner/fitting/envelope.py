"""Chinchilla's approach 1: the lower envelope of training curves, and a line through the sizes that lie on it.

    fit_envelope(Runs.read("runs.csv"), group="run_id")     # rows are points of training curves
    fit_envelope(Runs.read("finals.csv"))                   # rows are finished runs

With curves (a group column), the log loss of every run is interpolated in log C, and at many budgets the run with the
lowest loss gives (N*, D*); budgets won by the smallest or largest size at hand are left out: the best may lie beyond.
Without curves the frontier is the set of runs that no run of at most their compute beats. The lowest of noisy runs is
lowest by luck too (winner's curse): the bias of the exponent under the runs' own noise is simulated and said.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from planner.errors import NotIdentified
from planner.fitting.cautions import FRONTIER_CORRELATION
from planner.fitting.clusters import alike
from planner.fitting.fitted import FittedLaw
from planner.fitting.method_bias import MethodBias, method_bias, widened
from planner.fitting.observations import Observations, observe
from planner.fitting.optima import allocation_law, plain_diagnostics
from planner.fitting.runs import Runs
from planner.fitting.slips import slip_cautions
from planner.laws.allocation_line import Envelope
from planner.laws.caution import Caution
from planner.laws.chinchilla import Chinchilla

Array = NDArray[np.float64]
GRID = 300  # budgets looked at between the cheapest and the dearest point
FEWEST_POINTS = 3  # of a curve
FEWEST_ON_ENVELOPE = 5
CHUNK = 4_000_000  # losses (draws × curves × budgets) looked at at once


@dataclass(frozen=True, eq=False)
class Curves:
    """ln loss (curves, budgets; infinite off the curve), ln C (budgets,), ln N (curves,), and ln D + ln N - ln C."""

    log_loss: Array
    log_flops: Array
    log_parameters: Array
    log_product: float


def fit_envelope(
    runs: Runs,
    *,
    name: str | None = None,
    bootstrap: int = 1000,
    seed: int = 0,
    where: str | None = None,
    mapping: Mapping[str, str] | None = None,
    group: str | None = None,
) -> FittedLaw:
    """The envelope law of the runs; `group` names the column that says which curve a row is a point of.

    `run_id` and the like do so unasked.

    Raises InvalidInput, UnknownName as other fits do, NotIdentified where fewer than five points lie on the envelope.
    """
    seen = observe(runs, Chinchilla, where=where, mapping=mapping, group=group)
    if seen.groups is None and seen.run_labels is not None:  # a column that names the run says which curve a row is of
        seen = replace(seen, groups=seen.run_labels)
    found = envelope_draws(seen, bootstrap, seed)
    fitted, points, curved = found.lines, found.points, found.curved
    bias = (
        method_bias(seen, lambda losses: curve_exponent(seen, losses), seed, seen.groups)
        if curved
        else method_bias(seen, lambda losses: run_exponent(seen, losses), seed)
    )
    if points < FEWEST_ON_ENVELOPE or not np.isfinite(fitted[0]).all():
        raise NotIdentified(f"{points} points on the envelope: {FEWEST_ON_ENVELOPE} are needed for an exponent")
    what = "envelope of training curves" if curved else "frontier of finished runs"
    return allocation_law(
        Envelope,
        widened(fitted, bias, seen, seed),
        seen,
        runs,
        plain_diagnostics(seen, np.zeros(0), np.zeros(0), points),
        _cautions(seen, curved, bias) + slip_cautions(seen),
        {"bootstrap": str(bootstrap), "where": where or "", "group": group or "", "envelope": what},
        name=name,
        seed=seed,
        objective_value=0.0,
        objective=f"{what}: least squares of log N* on log C",
    )


@dataclass(frozen=True, eq=False)
class EnvelopeDraws:
    """Lines (draws + 1, 4): ln G_N, a, ln G_D, b, the estimate first; points on the envelope; of curves, or of runs."""

    lines: Array
    points: int
    curved: bool


def envelope_draws(seen: Observations, bootstrap: int, seed: int) -> EnvelopeDraws:
    """The envelope's line and its draws: over whole curves where rows are points of some, else over runs."""
    generator = np.random.default_rng(seed)
    if seen.groups is not None and bool(np.bincount(seen.groups).max() >= FEWEST_POINTS):
        curves = training_curves(seen, seen.losses)
        size = len(curves.log_parameters)
        drawn = generator.multinomial(size, np.full(size, 1.0 / size), size=bootstrap) > 0
        return EnvelopeDraws(*envelope_of_curves(curves, np.vstack([np.ones(size, dtype=bool), drawn])), curved=True)
    points = alike(seen, set())
    assert points is not None  # the form has variables
    size = int(points.max()) + 1
    drawn = (generator.multinomial(size, np.full(size, 1.0 / size), size=bootstrap) > 0)[:, points]
    present = np.vstack([np.ones(len(points), dtype=bool), drawn])
    return EnvelopeDraws(*envelope_of_runs(seen, seen.losses, present), curved=False)


def training_curves(seen: Observations, losses: Array) -> Curves:
    """The runs' curves on a common grid of budgets. Runs are the groups of `seen`."""
    groups = np.zeros(len(losses), dtype=np.intp) if seen.groups is None else seen.groups
    log_c, log_n = np.log(seen.training_flops), np.log(seen.variables["parameter_count"])
    target = np.log(losses)
    grid = np.linspace(log_c.min(), log_c.max(), GRID)
    found, sizes = [], []
    for group in range(int(groups.max()) + 1):
        rows = np.flatnonzero(groups == group)
        if len(rows) < FEWEST_POINTS:
            continue
        rows = rows[np.argsort(log_c[rows], kind="stable")]
        curve = np.interp(grid, log_c[rows], target[rows], left=np.inf, right=np.inf)
        found.append(curve)
        sizes.append(float(np.median(log_n[rows])))
    product = float(np.mean(np.log(seen.variables["token_count"]) + log_n - log_c))
    return Curves(np.array(found).reshape(len(sizes), GRID), grid, np.array(sizes), product)


def envelope_of_curves(curves: Curves, present: NDArray[np.bool_]) -> tuple[Array, int]:
    """(draws, 4): ln G_N, a, ln G_D, b of the curves present in each draw (draws, curves); budgets used by draw 0."""
    parts, used = [], 0
    step = max(1, CHUNK // max(1, curves.log_loss.size))
    for k in range(0, len(present), step):
        there = present[k : k + step, :, None] & np.isfinite(curves.log_loss)
        winner = np.argmin(np.where(there, curves.log_loss, np.inf), axis=1)
        size = curves.log_parameters[:, None]
        smallest = np.where(there, size, np.inf).min(axis=1)
        largest = np.where(there, size, -np.inf).max(axis=1)
        best = curves.log_parameters[winner]
        kept = (best > smallest) & (best < largest)
        used = int(kept[0].sum()) if k == 0 else used
        parts.append(_line(curves.log_flops, best, kept, curves.log_product))
    return np.concatenate(parts), used


def envelope_of_runs(seen: Observations, losses: Array, present: NDArray[np.bool_]) -> tuple[Array, int]:
    """(draws, 4) as `envelope_of_curves`, from the runs that no present run of at most their compute beats."""
    log_c, log_n = np.log(seen.training_flops), np.log(seen.variables["parameter_count"])
    order = np.lexsort((losses, log_c))
    product = float(np.mean(np.log(seen.variables["token_count"]) + log_n - log_c))
    ordered = np.where(present[:, order], losses[order], np.inf)
    before = np.minimum.accumulate(ordered, axis=1)
    kept = np.isfinite(ordered)
    kept[:, 1:] &= ordered[:, 1:] < before[:, :-1]
    best = np.broadcast_to(log_n[order], kept.shape)
    return _line(log_c[order], best, kept, product), int(kept[0].sum())


def curve_exponent(seen: Observations, losses: Array) -> float:
    """a of the same curves with other losses (for simulations)."""
    curves = training_curves(seen, losses)
    return float(envelope_of_curves(curves, np.ones((1, len(curves.log_parameters)), dtype=bool))[0][0, 1])


def run_exponent(seen: Observations, losses: Array) -> float:
    """a of the same finished runs with other losses (for simulations)."""
    return float(envelope_of_runs(seen, losses, np.ones((1, len(losses)), dtype=bool))[0][0, 1])


def _line(log_c: Array, log_n: Array, kept: NDArray[np.bool_], log_product: float) -> Array:
    weight = kept.astype(float)
    total = weight.sum(axis=1)
    with np.errstate(all="ignore"):
        mean_x, mean_y = weight @ log_c / total, (weight * log_n).sum(axis=1) / total
        u = log_c - mean_x[:, None]
        slope = (weight * u * (log_n - mean_y[:, None])).sum(axis=1) / (weight * u**2).sum(axis=1)
        intercept = mean_y - slope * mean_x
    line = np.stack([intercept, slope, log_product - intercept, 1.0 - slope], axis=1)
    return np.where((total < FEWEST_ON_ENVELOPE)[:, None], np.nan, line)


def _cautions(seen: Observations, curved: bool, bias: MethodBias | None) -> tuple[Caution, ...]:
    notes = []
    if not curved:
        sentence = (
            "the rows are not points of training curves (no column names their run, or none has three points): the "
            "envelope rests on the few runs that no cheaper run beats"
        )
        notes.append(Caution("FRONTIER_OF_RUNS", sentence))
    else:
        sentence = (
            "points inside a run are comparable only if the learning rate does not depend on the run's length "
            "(constant, or a decay for each point)"
        )
        notes.append(Caution("MID_SCHEDULE", sentence))
    logs = np.log([seen.variables["parameter_count"], seen.variables["token_count"]])
    together = float(np.corrcoef(logs)[0, 1])
    if together > FRONTIER_CORRELATION:
        sentence = (
            f"parameters and tokens of the runs move together (correlation {together:.3f}): the envelope gives back "
            "the line on which the runs were laid, whatever is best"
        )
        notes.append(Caution("FRONTIER_ONLY", sentence))
    if seen.rows_dropped:
        notes.append(Caution("ROWS_DROPPED", f"{seen.rows_dropped} rows with blank cells were left out"))
    if bias is not None:
        notes.append(Caution("METHOD_BIAS", bias.sentence("the lowest runs (winner's curse)")))
    return tuple(notes)
