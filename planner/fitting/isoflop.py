"""Chinchilla's approach 2: a parabola in log parameters through the runs of each compute budget, a line through minima.

    fit_isoflop(Runs.read("runs.csv"), mapping={"budget_in_name": "training_flops"})

Runs are sorted into budgets by gaps in log C. Each budget's log losses, brought to the budget's middle by the slope of
the frontier, are fitted by a parabola over the sizes within a factor of four of its minimum: a wider grid biases it,
since the true profile is steeper on one side (2603.22339 puts the error at 2 % for a factor of two and 23 % for
sixteen). Runs are resampled within budgets, so the noise of single runs enters every draw; minima outside the sizes
tried are dropped. How far the method errs on the same grid is measured on a law of known optimum
(`planner.fitting.method_bias`) and said.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from planner.errors import NotIdentified
from planner.fitting.fitted import FittedLaw
from planner.fitting.method_bias import MethodBias, method_bias, widened
from planner.fitting.observations import Observations, observe
from planner.fitting.optima import FEWEST_BUDGETS, Optima, allocation_law, lines, plain_diagnostics
from planner.fitting.runs import Runs
from planner.fitting.slips import slip_cautions
from planner.laws.allocation_line import IsoFlop
from planner.laws.caution import Caution
from planner.laws.chinchilla import Chinchilla

Array = NDArray[np.float64]
BUDGET_GAP = 0.1  # budgets are apart by more than this in ln C
WIDEST_BUDGET = 0.8  # a chain of runs wider than this in ln C is no budget
HALF_WIDTH = float(np.log(4.0))  # of the window round the minimum, in ln N
FEWEST_SIZES = 4  # distinct model sizes of a budget
WINDOW_RUNS = 5  # the window is widened to hold so many
MOST_LEFT_OUT = 0.5  # of the runs, of a table of budgets


@dataclass(frozen=True, eq=False)
class Budget:
    """The runs of one budget: rows (runs,) and the middle of their ln C."""

    log_flops: float
    rows: NDArray[np.intp]


def fit_isoflop(
    runs: Runs,
    *,
    name: str | None = None,
    bootstrap: int = 1000,
    seed: int = 0,
    where: str | None = None,
    mapping: Mapping[str, str] | None = None,
) -> FittedLaw:
    """The isoFLOP law of the runs; map the column of nominal budgets to `training_flops` where C varies within them.

    Raises InvalidInput, UnknownName as other fits do, NotIdentified with fewer than three budgets of four sizes whose
    minimum lies inside.
    """
    seen = observe(runs, Chinchilla, where=where, mapping=mapping)
    groups = budgets(seen)
    optima, residuals, targets = isoflop_optima(
        seen, groups, resampled_within(groups, len(seen.losses), bootstrap, seed)
    )
    fitted = lines(optima, seed)
    bias = method_bias(seen, lambda losses: exponent(seen, groups, losses), seed)
    return allocation_law(
        IsoFlop,
        widened(fitted, bias, seen, seed),
        seen,
        runs,
        plain_diagnostics(seen, residuals, targets, len(groups)),
        _cautions(seen, groups, optima, fitted, bias) + slip_cautions(seen),
        {"bootstrap": str(bootstrap), "where": where or "", "half width in parameters": "4"},
        name=name,
        seed=seed,
        objective_value=float(np.sum(residuals**2)),
        objective="squared log residuals about one parabola in log parameters per budget, summed",
    )


def budgets(seen: Observations) -> tuple[Budget, ...]:
    """Runs of like compute with enough distinct sizes, cheapest first. Raises NotIdentified if fewer than three."""
    log_c = np.log(seen.training_flops)
    order = np.argsort(log_c, kind="stable")
    breaks = np.flatnonzero(np.diff(log_c[order]) > BUDGET_GAP) + 1
    found = []
    for rows in np.split(order, breaks):
        sizes = len(np.unique(seen.variables["parameter_count"][rows]))
        if sizes >= FEWEST_SIZES and np.ptp(log_c[rows]) <= WIDEST_BUDGET:
            found.append(Budget(float(np.median(log_c[rows])), rows))
    if len(found) < FEWEST_BUDGETS:
        raise NotIdentified(
            f"{len(found)} compute budgets with at least {FEWEST_SIZES} model sizes each: {FEWEST_BUDGETS} are needed "
            "(map the column of nominal budgets to training_flops where compute varies within them)"
        )
    return tuple(found)


def resampled_within(groups: tuple[Budget, ...], rows: int, draws: int, seed: int) -> Array:
    """How often each run occurs (draws + 1, rows): once in row 0, resampled within its budget in the others."""
    generator = np.random.default_rng(seed)
    weights = np.ones((draws + 1, rows))
    for budget in groups:
        size = len(budget.rows)
        weights[1:, budget.rows] = generator.multinomial(size, np.full(size, 1.0 / size), size=draws)
    return weights


def isoflop_optima(
    seen: Observations, groups: tuple[Budget, ...], weights: Array, losses: Array | None = None
) -> tuple[Optima, Array, Array]:
    """Minima of all budgets for every row of `weights`; residuals and targets (runs in windows,) of row 0."""
    log_c, log_n, log_d = (
        np.log(v) for v in (seen.training_flops, seen.variables["parameter_count"], seen.variables["token_count"])
    )
    target = np.log(seen.losses if losses is None else losses)
    middle = np.array([g.log_flops for g in groups])
    lowest = np.array([np.min(target[g.rows]) for g in groups])
    slope = float(np.polyfit(middle, lowest, 1)[0]) if len(groups) > 1 else 0.0
    sizes, tokens, residuals, targets = [], [], [], []
    for budget in groups:
        rows = budget.rows
        level = target[rows] - slope * (log_c[rows] - budget.log_flops)
        inside, vertex, residual = _parabola(log_n[rows], level, weights[:, rows])
        sizes.append(vertex)
        # D at the vertex: ln D + ln N is ln C up to a constant of the budget, whatever C counts.
        product = log_d[rows] + log_n[rows] - log_c[rows]
        tokens.append(budget.log_flops + float(np.mean(product[inside])) - vertex)
        residuals.append(residual)
        targets.append(level[inside])
    return Optima(middle, np.stack(sizes, 1), np.stack(tokens, 1)), np.concatenate(residuals), np.concatenate(targets)


def exponent(seen: Observations, groups: tuple[Budget, ...], losses: Array) -> float:
    """a of the same runs with other losses (for simulations); NaN where it is not determined."""
    optima, _, _ = isoflop_optima(seen, groups, np.ones((1, len(losses))), losses)
    if np.isfinite(optima.log_parameters).sum() < FEWEST_BUDGETS:
        return float("nan")
    return float(lines(optima)[0, 1])


def _parabola(x: Array, y: Array, weights: Array) -> tuple[NDArray[np.bool_], Array, Array]:
    """Window (runs,), vertex (draws + 1,) in ln N (NaN: none inside the sizes tried), and residuals in the window."""
    inside = np.ones(len(x), dtype=bool)
    for _ in range(3):
        vertex = _vertices(x[inside], y[inside], np.ones((1, int(inside.sum()))))[0][0]
        centre = vertex if np.isfinite(vertex) else float(x[np.argmin(y)])
        distance = np.abs(x - centre)
        reach = max(HALF_WIDTH, float(np.sort(distance)[min(WINDOW_RUNS, len(x)) - 1]))
        inside = distance <= reach * (1.0 + 1e-12)
        if len(np.unique(x[inside])) < 3:
            inside = np.ones(len(x), dtype=bool)
    vertices, coefficients, shift = _vertices(x[inside], y[inside], weights[:, inside])
    vertices = np.where((vertices >= x.min()) & (vertices <= x.max()), vertices, np.nan)
    u = x[inside] - shift
    return inside, vertices, y[inside] - np.stack([np.ones_like(u), u, u**2], axis=1) @ coefficients


def _vertices(x: Array, y: Array, weights: Array) -> tuple[Array, Array, float]:
    """Vertices (draws,) of weighted parabolas, NaN where these open downwards; coefficients of row 0; the centre."""
    shift = float(x.mean())
    u = x - shift
    design = np.stack([np.ones_like(u), u, u**2], axis=1)
    normal = np.einsum("bn,ni,nj->bij", weights, design, design)
    right = np.einsum("bn,ni,n->bi", weights, design, y)
    scale = np.sqrt(np.einsum("bii->bi", normal))
    scale = np.where(scale > 0, scale, 1.0)  # a draw without runs here, or with runs of one size at the centre
    scaled = normal / (scale[:, :, None] * scale[:, None, :])
    determined = np.linalg.eigvalsh(scaled)[:, 0] > 1e-7
    scaled = np.where(determined[:, None, None], scaled, np.eye(3))
    solution = np.linalg.solve(scaled, (right / scale)[..., None])[..., 0] / scale
    good = determined & (solution[:, 2] > 0)
    with np.errstate(all="ignore"):
        vertex = np.where(good, shift - solution[:, 1] / (2.0 * solution[:, 2]), np.nan)
    return vertex, solution[0], shift


def _cautions(
    seen: Observations, groups: tuple[Budget, ...], optima: Optima, fitted: Array, bias: MethodBias | None
) -> tuple[Caution, ...]:
    notes = []
    missing = int((~np.isfinite(optima.log_parameters[0])).sum())
    if missing:
        sentence = f"{missing} of {len(groups)} budgets have no minimum inside the sizes tried and were left out"
        notes.append(Caution("BUDGETS_LEFT_OUT", sentence))
    used = len(seen.losses) - sum(len(g.rows) for g in groups)
    if used:
        notes.append(
            Caution("ROWS_DROPPED", f"{used} runs belong to no budget of {FEWEST_SIZES} sizes and were left out")
        )
    if used > MOST_LEFT_OUT * len(seen.losses):
        sentence = (
            f"{used} of {len(seen.losses)} runs were not made to a budget shared with others: what is left are runs of "
            "like compute by chance, whose parabolas say little; a parametric law uses all runs"
        )
        notes.append(Caution("FEW_IN_BUDGETS", sentence))
    total = float(fitted[0, 1] + fitted[0, 3])
    if abs(total - 1.0) > 0.02:
        sentence = (
            f"the exponents of parameters and tokens add up to {total:.3f}: compute is not proportional to N D here"
        )
        notes.append(Caution("EXPONENT_SUM", sentence))
    if bias is not None:
        notes.append(Caution("METHOD_BIAS", bias.sentence("parabolas over these sizes")))
    return tuple(notes)
