"""What a decision stands to lose, as a function of the runs bought: the views of a cloud joined in one criterion.

The error of a decision has two parts, as any variance has: the mean over the draws of what is uncertain about each, by
its derivatives, and the spread of the draws themselves, which sees what derivatives at one law do not (a share of zero
that no run had). Both are variances of a linear model, and added up. For losses at points the field that the form
misses belongs to what has to be learned; for a best size, where a run at the target cannot be had, runs count for less
with their distance.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from planner.design.beliefs import Beliefs
from planner.design.candidates import Candidates
from planner.design.criterion import Criterion, compressed, joined
from planner.design.decision import Decision

Array = NDArray[np.float64]
FARTHEST = 1.0  # log loss by which a draw may differ from the others, at most
ENTRIES = 400_000  # of a criterion: fewer draws are looked at where candidates are many
FEWEST = 12


def stakes(beliefs: Beliefs, candidates: Candidates, decision: Decision) -> Criterion:
    """The expected regret as a function of the runs bought."""
    local = _about_each(beliefs, candidates, decision)
    count = len(local.runs)
    few = np.unique(np.linspace(0, count - 1, max(FEWEST, ENTRIES // max(local.runs[0].size, 1))).astype(int))
    local = Criterion(local.runs[few], local.aims[few], local.precision[few]).tempered()
    if count < 3:
        return local
    between = _between(beliefs, candidates, decision)
    weight = np.sqrt(len(local.runs))  # criteria are means over draws: this one counts as much as all others
    return joined([local, Criterion(between.runs, between.aims * weight, between.precision)])


def _about_each(beliefs: Beliefs, candidates: Candidates, decision: Decision) -> Criterion:
    """By derivatives about each draw."""

    def runs(variables: Mapping[str, Array]) -> Array:
        modes = beliefs.missed.modes(variables)
        return _beside(beliefs.gradients(variables), modes) / beliefs.noise(variables)[:, :, None]

    aims = decision.aims(beliefs)
    goals = _beside(aims, decision.modes(beliefs) / np.sqrt(aims.shape[1]))
    free, modes = aims.shape[2], goals.shape[2] - aims.shape[2]
    seen = runs(beliefs.seen)
    known = seen.transpose(0, 2, 1) @ seen
    known[:, :free, :free] += beliefs.known
    known[:, free:, free:] += np.eye(modes) / beliefs.misfit[:, None, None] ** 2
    return Criterion(runs(candidates.variables), compressed(goals), known)


def _beside(gradients: Array, modes: Array) -> Array:
    """Coefficients of the field beside those of the form: (draws, points, free + modes)."""
    return np.concatenate([gradients, np.broadcast_to(modes, (len(gradients), *modes.shape))], axis=2)


def _between(beliefs: Beliefs, candidates: Candidates, decision: Decision) -> Criterion:
    """By how the draws differ among each other: their deviations as a linear model, its leading directions."""
    deviations = [
        np.clip(x - np.median(x, axis=0), -FARTHEST, FARTHEST).T / np.sqrt(len(x) - 1)
        for x in (beliefs.answers(candidates.variables), decision.answers(beliefs))
    ]
    noise = np.sqrt(np.median(beliefs.noise(candidates.variables) ** 2, axis=0))
    runs, aims = deviations[0] / noise[:, None], deviations[1]
    both = np.concatenate([x / max(float(np.linalg.norm(x)), 1e-300) for x in (runs, aims)])
    leading = np.linalg.eigh(both.T @ both)[1][:, -len(beliefs.best) :]
    return Criterion((runs @ leading)[None], compressed((aims @ leading)[None]), np.eye(leading.shape[1])[None])
