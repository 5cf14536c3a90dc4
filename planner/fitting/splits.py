"""Splits that ask a law to extrapolate: fit the lower part of the runs, predict the rest.

A random hold-out asks for interpolation and flatters forms that bend (Alabdulmohsin et al. 2022, 2209.06640). So runs
are ordered by compute and by each variable in turn, the largest are held out, and whole levels stay together: a value
seen in the fit is no extrapolation. A point that was run many times counts once. Where it is known what is to be
predicted, only the directions in which that lies outside the runs count. Shares of domains have no direction to
extrapolate in; whole mixtures are held out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]
HELD_SHARES = (0.2, 0.4)
FOLDS = 5
BEYOND = 0.02  # of the fitted range in logarithms: less is no extrapolation
ROUNDING = 1e-6  # relative: values that differ by less are the same level, such as a budget computed two ways
ASKED_SHARE = 0.1  # of the runs to be predicted, that have to lie beyond
COMPUTE_WEIGHT = 2.0  # of a split by compute, in which plans extrapolate
LEAST_FITTED = 0.5  # of the points, where splits differ: one that leaves fewer asks for what the others do not
SEED = 0


@dataclass(frozen=True, eq=False)
class Split:
    """Rows to fit and rows to predict, masks (rows,), and how much the split counts."""

    name: str
    fitted: Mask
    held: Mask
    weight: float = 1.0


def splits(
    variables: Mapping[str, Array],
    training_flops: Array,
    groups: NDArray[np.intp] | None,
    wanted: Mapping[str, Array] | None = None,
) -> tuple[Split, ...]:
    """All splits of these rows; `training_flops` may be NaN. With groups every group gives its own largest runs.

    `wanted` holds variables (`training_flops` among them, if known) of what is to be predicted. Empty where no variable
    has two values.
    """
    shares = {k: v for k, v in variables.items() if k.startswith("domain_share_")}
    axes = {k: v for k, v in variables.items() if k not in shares}
    if bool(np.all(np.isfinite(training_flops))):
        axes = {"training_flops": training_flops, **axes}
    axes = {k: v for k, v in axes.items() if np.ptp(v) > ROUNDING * np.abs(v).max()}
    asked = {k: v for k, v in axes.items() if _asked(v, (wanted or {}).get(k))}
    rows = len(training_flops)
    members = np.zeros(rows, dtype=np.intp) if groups is None else groups
    counts = _once_each(variables, members)
    found: list[Split] = []
    for name, values in (asked or axes).items():
        weight = COMPUTE_WEIGHT if name == "training_flops" else 1.0
        for share in HELD_SHARES:
            held = _largest(values, members, counts, share)
            split = Split(f"largest {100 * share:.0f} % by {name}", ~held, held, weight)
            if held.any() and not any(np.array_equal(held, other.held) for other in found):
                found.append(split)
    ample = [split for split in found if counts[split.fitted].sum() >= LEAST_FITTED * counts.sum()]
    return tuple(ample or found) + (_folds(np.stack(list(shares.values()), axis=1)) if shares else ())


def _once_each(variables: Mapping[str, Array], members: NDArray[np.intp]) -> Array:
    """What each row counts (rows,), so that all rows of a point in a group count one together."""
    points = np.stack([members.astype(float), *variables.values()], axis=1)
    _, which, sizes = np.unique(points, axis=0, return_inverse=True, return_counts=True)
    return np.asarray(1.0 / sizes[which.reshape(-1)])


def _asked(known: Array, wanted: Array | None) -> bool:
    """Whether a fair part of the values `wanted` lies above the known ones."""
    if wanted is None or not len(wanted) or not np.all(np.isfinite(wanted)) or np.any(known <= 0):
        return False
    limit = known.max() * (known.max() / known.min()) ** BEYOND
    return bool(np.mean(wanted > limit) >= ASKED_SHARE)


def _largest(values: Array, members: NDArray[np.intp], counts: Array, share: float) -> Mask:
    """In each group the levels above the cut that comes closest to `share` of what its rows count."""
    held = np.zeros(len(values), dtype=bool)
    for group in np.unique(members):
        mine = members == group
        levels = np.unique(values[mine])
        if len(levels) < 2:
            continue
        above = np.array([counts[mine][values[mine] >= level].sum() for level in levels[1:]]) / counts[mine].sum()
        held |= mine & (values >= levels[1:][int(np.argmin(np.abs(above - share)))])
    return held


def _folds(points: Array) -> tuple[Split, ...]:
    """Distinct points dealt into FOLDS parts, each held out once."""
    _, which = np.unique(points, axis=0, return_inverse=True)
    which = which.reshape(-1)
    count = int(which.max()) + 1
    fold = np.random.default_rng(SEED).permutation(count) % FOLDS
    parts = range(min(FOLDS, count))
    return tuple(
        Split(f"mixtures held out, part {k + 1} of {len(parts)}", fold[which] != k, fold[which] == k) for k in parts
    )
