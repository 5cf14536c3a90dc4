"""Slips that physics shows: swapped columns, other units, compute that is not that of its run.

A power law fits tokens in billions as well as tokens, and parameters under the name of tokens; only the numbers
themselves tell. Real runs see a fraction of a token to some ten thousand tokens a parameter; a table's values lie close
to one another, not in two heaps a thousandfold apart, and between the smallest and the largest that people train with;
compute is a small multiple of parameters times tokens; and loss falls with both. What breaks this comes as a caution,
never as a refusal: the table may be right and be unusual.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

from planner.fitting.observations import Observations
from planner.fitting.units import likely_factor, unit_name
from planner.laws.caution import Caution

Array = NDArray[np.float64]
TOKENS_PER_PARAMETER = (0.3, 1e4)  # medians of published tables lie between 1 and 2000
FEWEST = {"parameter_count": 1e4, "token_count": 1e5, "unique_token_count": 1e5}  # medians of a table
HEAPS = 1e3  # factor between neighbouring values that no sweep leaves empty
COMPUTE_RATIO = (0.1, 10.0)  # of stated compute to 6 N D: forward passes only give 1/3, attention 1.4
COMPUTE_SPREAD = 4.0  # factor about the table's own median ratio
RISES = 4.0  # standard errors of a slope that has the wrong sign
HIGHEST_LOSS = 13.0  # nats: a uniform guess over 440,000 tokens


def slip_cautions(seen: Observations) -> tuple[Caution, ...]:
    """What the values of a table give away, and the units that its headers were read to name."""
    n, d = (seen.variables.get(k) for k in ("parameter_count", "token_count"))
    notes: list[Caution] = []
    for variable, source in seen.sources.items():
        if source.by_header:
            notes.append(Caution("DERIVED_COLUMN", f"{variable} is derived: {source}, by its header"))
    if n is not None and d is not None:
        notes += _ratio(n, d)
        notes += _compute(seen, n, d)
        notes += _heaps(d / n, "tokens per parameter")
    for name, values in (("parameter_count", n), ("token_count", d)):
        if values is not None:
            notes += _heaps(values, name)
    for name in FEWEST:
        if name in seen.variables:
            notes += _size(seen, name, seen.variables[name])
    notes += _loss(seen)
    return tuple(notes)


@cache
def _most() -> Mapping[str, float]:
    """The largest count of any published run, by variable."""
    table = tomllib.loads(files("planner.fitting").joinpath("largest_runs.toml").read_text("utf-8"))
    return {name: float(row["value"]) for name, row in table.items()}


def _size(seen: Observations, name: str, values: Array) -> list[Caution]:
    """Whether counts are smaller or larger than any that people train with, and the unit that would explain it."""
    middle, largest, column = float(np.median(values)), float(values.max()), seen.columns[name]
    source = seen.sources.get(name)
    if middle < FEWEST[name]:
        factor = likely_factor(name, middle)
        sentence = f"the median {name} is {middle:.3g} ({column}): is it in {unit_name(factor)}?"
        if source is not None and source.factor == 1.0:
            sentence += f" then map {replace(source, factor=factor)}={name}"
        return [Caution("SUSPECT_UNITS", sentence)]
    most = _most()[name]
    if largest > most:
        sentence = f"the largest {name} is {largest:.3g} ({column}), and no published run has had more than {most:g}"
        sentence += ": is it in other units?"
        return [Caution("SUSPECT_UNITS", sentence)]
    return []


def _ratio(n: Array, d: Array) -> list[Caution]:
    low, high = TOKENS_PER_PARAMETER
    ratio = float(np.median(d / n))
    if low <= ratio <= high:
        return []
    guess = "are the two columns swapped, or tokens in other units" if ratio < low else "is one in other units"
    sentence = f"the median run sees {ratio:.3g} tokens a parameter: {guess}? (usual are {low:g} to {high:g})"
    return [Caution("SUSPECT_UNITS", sentence)]


def _heaps(values: Array, name: str) -> list[Caution]:
    """Whether the values fall in two heaps, one in another unit than the other."""
    logs = np.sort(np.log10(values[values > 0]))
    if len(logs) < 4:
        return []
    gap = np.diff(logs)
    where = int(np.argmax(gap))
    if gap[where] < np.log10(HEAPS):
        return []
    sentence = (
        f"{name} falls in two heaps, {where + 1} rows up to {10 ** logs[where]:.3g} and {len(logs) - where - 1} from "
        f"{10 ** logs[where + 1]:.3g}: are some rows in other units?"
    )
    return [Caution("MIXED_UNITS", sentence)]


def _compute(seen: Observations, n: Array, d: Array) -> list[Caution]:
    """Whether stated compute disagrees with 6 N D (of active parameters), where all three are columns."""
    if not {"parameter_count", "token_count", "training_flops"} <= seen.columns.keys():
        return []
    derived = " × "
    if any(derived in seen.columns[k] for k in ("parameter_count", "token_count", "training_flops")):
        return []
    ratio = seen.training_flops / (6.0 * n * d)
    middle = float(np.median(ratio))
    off = int(np.sum(np.abs(np.log(ratio / middle)) > np.log(COMPUTE_SPREAD)))
    if COMPUTE_RATIO[0] <= middle <= COMPUTE_RATIO[1] and not off:
        return []
    sentence = f"stated compute is {middle:.3g} times 6 N D in the median run"
    if off:
        sentence += f", and off that by more than a factor of {COMPUTE_SPREAD:g} in {off} of {len(ratio)} rows"
    return [Caution("COMPUTE_DISAGREES", sentence)]


def _loss(seen: Observations) -> list[Caution]:
    if np.any(seen.losses <= 0):
        return []
    notes = []
    if np.median(seen.losses) > HIGHEST_LOSS:
        sentence = f"the median loss is {np.median(seen.losses):.3g}, above any of a language model in nats per token"
        notes.append(Caution("SUSPECT_UNITS", f"{sentence}: is it a perplexity, a percentage, or a sum?"))
    logs = {k: np.log(v) for k, v in seen.variables.items() if k in ("parameter_count", "token_count")}
    logs = {k: v for k, v in logs.items() if np.ptp(v) > 0}
    if not logs or len(seen.losses) <= len(logs) + 2:
        return notes
    design = np.stack([np.ones(len(seen.losses)), *logs.values()], axis=1)
    target = np.log(seen.losses)
    slope, *_ = np.linalg.lstsq(design, target, rcond=None)
    rest = target - design @ slope
    covariance = np.linalg.pinv(design.T @ design) * float(rest @ rest) / (len(target) - design.shape[1])
    error = np.sqrt(np.maximum(np.diag(covariance), 1e-300))
    for name, s, e in zip(logs, slope[1:], error[1:], strict=True):
        if s > RISES * e and s > 1e-6:
            sentence = f"the loss of these runs rises with {name}: is the metric one that should fall?"
            notes.append(Caution("WRONG_WAY", sentence))
    return notes
