"""Where a curve stops being one power law: inflection, saturation, double descent, loss rising as data is repeated.

A power law is a straight line in logarithms once its floor is known; every break bends it in its own way. A curve
(loss over one variable: tokens, steps, parameters, epochs) is fitted by a power law with a floor, by one with a break
(Caballero et al. 2022, 2210.14891, one break, by segments), and looked at for rises. What is found comes as cautions:
a forecast beyond the curve holds only if none of these lies ahead. Differences count as signal when they exceed the
curve's own noise, estimated from its second differences.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from planner.errors import InvalidInput, Violation, require
from planner.fitting.newton import minimise, schedule
from planner.fitting.observations import Observations
from planner.fitting.problem import Problem
from planner.fitting.projection import screen
from planner.laws.caution import Caution
from planner.laws.forms import form_class

Array = NDArray[np.float64]
FEWEST_POINTS = 8
RISE = 4.0  # noise standard deviations of a rise that is one
GAIN = 10.0  # how much lower the criterion of the broken line must be
NEAR_FLOOR = 0.1  # of the loss above the floor at the start is left at the end


@dataclass(frozen=True)
class Curve:
    """What a curve's shape is: its noise, and where it breaks (None: it does not)."""

    noise_log_sd: float
    break_at: float | None
    rises_at: float | None
    cautions: tuple[Caution, ...]


def curve_breaks(variable: Array, losses: Array, name: str = "the variable", epochs: Array | None = None) -> Curve:
    """Breaks of the losses over `variable` (points,); with `epochs` (points,) a rise past one epoch is overfitting.

    Points at equal values are averaged. Raises InvalidInput for fewer than eight distinct positive points.
    """
    x, y, seen_epochs = _averaged(np.asarray(variable, float), np.asarray(losses, float), epochs)
    noise = _noise(np.log(x), np.log(y))
    notes: list[Caution] = []
    rise = _rise(y, noise)
    if rise is not None:
        notes.append(_rise_caution(x, y, rise, name, seen_epochs))
    broken = None if rise is not None else _break(x, y, noise)
    if broken is not None:
        where, before, after = broken
        steeper = "steeper" if after > before else "flatter"
        sentence = (
            f"the curve breaks at {name} {where:.3g}: slope {before:.3g} before, {after:.3g} after ({steeper}); a law "
            "fitted across the break forecasts neither side"
        )
        notes.append(Caution("CURVE_BREAKS", sentence))
    saturated = None if rise is not None else _saturation(x, y, noise)
    if saturated is not None:
        floor, left = saturated
        sentence = (
            f"{100 * (1 - left):.0f} % of what a power law with a floor of {floor:.4g} can gain is gained: more {name} "
            "buys little"
        )
        notes.append(Caution("SATURATES", sentence))
    return Curve(noise, None if broken is None else broken[0], None if rise is None else float(x[rise]), tuple(notes))


def shape_cautions(seen: Observations) -> tuple[Caution, ...]:
    """What a fit has to say: of its one curve where it has one variable, of repeats where unique data is known."""
    if len(seen.variables) == 1:
        ((name, values),) = seen.variables.items()
        enough = len(np.unique(values)) >= FEWEST_POINTS and bool(np.all(values > 0) and np.all(seen.losses > 0))
        return curve_breaks(values, seen.losses, name).cautions if enough else ()
    if "unique_token_count" in seen.variables and bool(np.all(seen.losses > 0)):
        grown = [v for v in ("token_count", "parameter_count") if v in seen.variables]
        return tuple(note for v in grown for note in run_breaks(seen, v))
    return ()


def run_breaks(seen: Observations, variable: str, most: int = 50) -> tuple[Caution, ...]:
    """Breaks of the longest curves of a table (groups, else runs alike but for `variable`), most common first."""
    values = seen.variables[variable]
    if seen.groups is not None:
        labels = seen.groups
    else:
        others = [v for k, v in seen.variables.items() if k != variable]
        alike = np.stack(others, axis=1) if others else np.zeros((len(values), 1))
        labels = np.unique(alike, axis=0, return_inverse=True)[1].reshape(-1).astype(np.intp)
    epochs = seen.variables.get("epoch_count")
    if epochs is None and {"token_count", "unique_token_count"} <= seen.variables.keys():
        epochs = seen.variables["token_count"] / seen.variables["unique_token_count"]
    sizes = np.bincount(labels)
    found: dict[str, list[str]] = {}
    looked = 0
    for label in np.argsort(-sizes, kind="stable")[:most]:
        rows = np.flatnonzero(labels == label)
        if len(np.unique(values[rows])) < FEWEST_POINTS:
            continue
        looked += 1
        mine = None if epochs is None else epochs[rows]
        for note in curve_breaks(values[rows], seen.losses[rows], variable, mine).cautions:
            found.setdefault(note.code, []).append(note.sentence)
    ranked = sorted(found.items(), key=lambda item: -len(item[1]))
    return tuple(Caution(code, f"{len(s)} of {looked} curves, for example: {s[0]}") for code, s in ranked)


def _averaged(x: Array, y: Array, epochs: Array | None) -> tuple[Array, Array, Array | None]:
    wrong = ~(np.isfinite(x) & np.isfinite(y) & (x > 0) & (y > 0))
    require(*([Violation("curve", f"{int(wrong.sum())} points", "positive finite numbers")] if wrong.any() else []))
    points, inverse = np.unique(x, return_inverse=True)
    if len(points) < FEWEST_POINTS:
        raise InvalidInput(Violation("curve", f"{len(points)} distinct points", f"at least {FEWEST_POINTS}"))
    count = np.bincount(inverse)
    mean = np.bincount(inverse, weights=y) / count
    return points, mean, None if epochs is None else np.bincount(inverse, weights=epochs) / count


def _noise(u: Array, v: Array) -> float:
    """Spread of points about the line through their neighbours, over that line's own spread (robust)."""
    share = (u[1:-1] - u[:-2]) / (u[2:] - u[:-2])
    off = v[1:-1] - (1.0 - share) * v[:-2] - share * v[2:]
    scale = np.sqrt(1.0 + share**2 + (1.0 - share) ** 2)
    return max(1.4826 * float(np.median(np.abs(off / scale - np.median(off / scale)))), 1e-6)


def _rise(y: Array, noise: float) -> int | None:
    """Where the loss is lowest before it rises by more than noise; None if it does not."""
    logs = np.log(y)
    lowest = np.minimum.accumulate(logs)
    rise = logs - lowest
    # Two points in a row: a single bad one is no shape.
    high = np.minimum(rise[1:], rise[:-1]) > RISE * noise
    if not high.any():
        return None
    first = int(np.argmax(high))
    return int(np.argmin(logs[: first + 1]))


def _rise_caution(x: Array, y: Array, rise: int, name: str, epochs: Array | None) -> Caution:
    after = y[rise:]
    peak = int(np.argmax(after))
    falls_again = peak + 1 < len(after) and float(after[peak:].min()) < y[rise]
    if falls_again:
        sentence = (
            f"the loss rises from {name} {x[rise]:.3g} to {x[rise + peak]:.3g} and falls below its earlier minimum "
            "after that (double descent): no power law follows it"
        )
        return Caution("DOUBLE_DESCENT", sentence)
    if epochs is not None and epochs[rise] > 1.0:
        sentence = (
            f"the loss rises again after {name} {x[rise]:.3g}, {epochs[rise]:.3g} epochs: repeated data is being "
            "learnt by heart, and more epochs cost loss"
        )
        return Caution("OVERFITS_REPEATS", sentence)
    return Caution("LOSS_RISES", f"the loss rises again after {name} {x[rise]:.3g}: a power law only falls")


def _break(x: Array, y: Array, noise: float) -> tuple[float, float, float] | None:
    """(place, slope before, slope after) of the best break in two lines, if it explains more than a floor does."""
    u, v = np.log(x), np.log(y)
    floor = _floor_fit(x, y)
    plain = float(np.sum(floor[1] ** 2))
    best: tuple[float, float, Array] | None = None
    for k in range(3, len(u) - 3):
        design = np.stack([np.ones_like(u), u, np.maximum(u - u[k], 0.0)], axis=1)
        coefficients, *_ = np.linalg.lstsq(design, v, rcond=None)
        rest = float(np.sum((v - design @ coefficients) ** 2))
        if best is None or rest < best[0]:
            best = (rest, float(x[k]), coefficients)
    if best is None:
        return None
    rest, where, coefficients = best
    # Bayes' criterion at the curve's own noise; a floor has three coefficients, a break four.
    gain = (plain - rest) / noise**2 - np.log(len(u))
    before, after = -float(coefficients[1]), -float(coefficients[1] + coefficients[2])
    # A floor flattens a curve too, so a flattening is a break only if the floor's power law misses it.
    if gain < GAIN or abs(after - before) < 0.1 * max(abs(before), abs(after)):
        return None
    return where, before, after


def _saturation(x: Array, y: Array, noise: float) -> tuple[float, float] | None:
    """(floor, share of the reducible loss left at the end) where little is left and the floor is told apart."""
    floor, residual = _floor_fit(x, y)
    if floor <= 0.0 or float(np.std(residual)) > 5.0 * noise + 1e-3:
        return None
    left = (y[-1] - floor) / (y[0] - floor) if y[0] > floor else 1.0
    return (floor, float(max(left, 0.0))) if left < NEAR_FLOOR else None


def _floor_fit(x: Array, y: Array) -> tuple[float, Array]:
    """The floor E of E + A x^-a and its log residuals."""
    kind = form_class("power-of-tokens")
    problem = Problem(kind, {kind.variables[0]: x}, y)
    found = minimise(problem, screen(problem, 8).theta, schedule(0.05))
    best = found.theta[int(np.argmin(found.objective))][None]
    form = kind.from_vector(problem.vectors(best)[0])
    return float(form.values().get("E", 0.0)), problem.residuals(best)[0]
