"""Which diagnostics of a fit its reader has to know of, as cautions with a code and a sentence.

Thresholds are conventions, stated here once: they decide what is said, never what is computed.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from planner.fitting.clusters import FEWEST_GROUPS, Clusters
from planner.fitting.diagnostics import Diagnostics, parameter_exponent
from planner.fitting.objective import DELTA
from planner.fitting.problem import Problem
from planner.laws.caution import Caution

Array = NDArray[np.float64]
RUNS_PER_COEFFICIENT = 3
LARGEST_CONDITION_NUMBER = 1e9
FRONTIER_CORRELATION = 0.98
SAME_EXPONENT = 1e-9  # width of an interval that is none
LARGEST_INFLUENCE = 1.0  # standard errors
FEWEST_IN_GROUP = 5
GROUP_STANDARD_ERRORS = 3.0
LARGEST_MISS = 2.5  # mean held-out error over the median residual, and over what a refit usually adds to it
REGION_STANDARD_ERRORS = 2.5
WIDTH_IN_STANDARD_ERRORS = 2.563  # of an 80 % interval of a normal law


def cautions(
    problem: Problem,
    theta: Array,
    found: Diagnostics,
    exponent_range: tuple[float, float] | None,
    units: Clusters,
) -> tuple[Caution, ...]:
    """The diagnostics that a reader has to know of, as warnings."""
    notes: list[Caution] = []
    notes += _unit_cautions(problem, found, units)
    if units.strata is not None and found.group_count is not None and found.group_count < FEWEST_GROUPS:
        plural = "group" if found.group_count == 1 else "groups"
        sentence = (
            f"{found.group_count} {plural} cannot show how groups differ: runs were resampled within each, so the "
            f"intervals leave that out ({FEWEST_GROUPS} groups are needed)"
        )
        notes.append(Caution("FEW_GROUPS", sentence))
    notes += _group_cautions(found)
    low, high = problem.bounds
    stuck = [c.name for c, x, a, b in zip(problem.free, theta, low, high, strict=True) if x <= a or x >= b]
    if stuck:
        notes.append(Caution("AT_BOUND", f"{', '.join(stuck)} ended at the limit of the allowed range"))
    if units.count < RUNS_PER_COEFFICIENT * len(problem.free):
        notes.append(Caution("FEW_RUNS", f"{units.count} runs for {len(problem.free)} coefficients"))
    if found.condition_number > LARGEST_CONDITION_NUMBER:
        sentence = f"the runs hardly tell the coefficients apart (condition number {found.condition_number:.1e})"
        notes.append(Caution("WEAKLY_IDENTIFIED", sentence))
    correlation = found.parameter_token_correlation
    if correlation is not None and abs(correlation) > FRONTIER_CORRELATION:
        sentence = (
            f"parameters and tokens of the runs move together (correlation {correlation:.3f}): runs off the "
            "compute-optimal line are needed to tell their effects apart"
        )
        notes.append(Caution("FRONTIER_ONLY", sentence))
    if found.influence is not None and found.influence.shift_in_standard_errors > LARGEST_INFLUENCE:
        lonely = found.influence.rows == 1
        what = f"row {found.influence.row} alone"
        what = what if lonely else f"the {found.influence.rows} rows of the run that begins at {what[:-6]}"
        sentence = (
            f"leaving out {what} moves {found.influence.coefficient} by "
            f"{found.influence.shift_in_standard_errors:.1f} standard errors"
        )
        notes.append(Caution("INFLUENTIAL_RUN", sentence))
    exponent = parameter_exponent(problem.form.from_vector(problem.vectors(theta[None])[0]))
    notes += _region_cautions(found, exponent, exponent_range)
    test = found.extrapolation
    usual = max(found.median_absolute_log_residual, DELTA)
    if test is not None and test.mean_absolute_log_error > LARGEST_MISS * usual * test.usual_miss:
        miss = test.mean_absolute_log_error
        size = f"{miss:.2g}" if problem.signed else f"{100 * miss:.2g} %"
        sentence = (
            f"fitted to the cheaper two thirds it misses the dearer third by {size} "
            f"on average, {test.mean_absolute_log_error / usual:.1f} times the median residual"
        )
        notes.append(Caution("POOR_EXTRAPOLATION", sentence))
    return tuple(notes)


def _group_cautions(found: Diagnostics) -> list[Caution]:
    """Groups whose runs lie on one side of the law by more than chance and more than runs usually scatter."""
    usual = found.residual_log_sd
    off = [
        g
        for g in found.groups
        if g.rows >= FEWEST_IN_GROUP
        and abs(g.mean_log_residual) > max(usual, GROUP_STANDARD_ERRORS * usual / float(np.sqrt(g.rows)))
    ]
    if not off:
        return []
    worst = max(off, key=lambda g: abs(g.mean_log_residual))
    sentence = (
        f"the law misses the {worst.rows} runs of {worst.group} by {100 * worst.mean_log_residual:+.2g} % on average"
        + (f", and {len(off) - 1} other groups" if len(off) > 1 else "")
        + ": fit such groups by themselves"
    )
    return [Caution("GROUP_BIAS", sentence)]


def _unit_cautions(problem: Problem, found: Diagnostics, units: Clusters) -> list[Caution]:
    """That rows are points of fewer runs, and that rows are there more than once."""
    notes = []
    if units.curves and units.count < found.rows:
        sentence = (
            f"the {found.rows} rows are points of {units.count} {units.what}: these were resampled, left out and held "
            "out whole, since points of one run, or of one size, err together"
        )
        notes.append(Caution("CURVES", sentence))
    if not units.curves:
        cells = np.stack([*problem.variables.values(), problem.losses], axis=1)
        repeated = len(cells) - len(np.unique(cells, axis=0))
        if repeated:
            sentence = f"{repeated} rows repeat another row exactly: they count in the fit, but as one run in intervals"
            notes.append(Caution("REPEATED_ROWS", sentence))
    return notes


def _region_cautions(
    found: Diagnostics, exponent: float | None, exponent_range: tuple[float, float] | None
) -> list[Caution]:
    """Exponents refitted to a region that lie further off than such refits usually do."""
    if exponent_range is None or exponent is None:
        return []
    low, high = exponent_range
    notes = []
    if high - low < SAME_EXPONENT:
        sentence = f"the form fixes the exponent of the best model size at {low:.3f}, whatever the runs say"
        return [Caution("FIXED_EXPONENT", sentence)]
    for region in found.regions:
        a = region.parameter_exponent
        usual = REGION_STANDARD_ERRORS * region.usual_shift * (high - low) / WIDTH_IN_STANDARD_ERRORS
        if a is not None and not low <= a <= high and abs(a - exponent) > usual:
            sentence = (
                f"refitted {region.region} by compute, the exponent of the best model size is {a:.3f}, outside the "
                f"80 % interval {low:.3f} to {high:.3f}"
            )
            notes.append(Caution("REGION_SENSITIVE", sentence))
    return notes
