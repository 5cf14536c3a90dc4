"""Serving predictions for parsed configurations, with the queue that forms when the cache is full.

Three situations: a closed loop on one pool, one whole batch (no queue: prompt of all, then every step), and
separate prefill and decode pools (Zhong et al. 2024, DistServe, 2401.09670), where prefills do not stall
decoding. When the loop holds more users than the cache, the rest wait: users / throughput = wait + first
token + answer.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from planner.hardware.cells import ServingCell
from planner.hardware.columns import Floats
from planner.hardware.memory import largest_batch, weight_bytes_per_accelerator
from planner.hardware.serving import (
    ServingConstants,
    first_token,
    serving_constants,
    stalled_step,
)
from planner.hardware.serving_points import ServingPoints
from planner.hardware.serving_techniques import prompt_seconds, token_seconds
from planner.hardware.tables import calibration, table

_MOST_SEQUENCES = 4096.0  # the largest concurrency of the measurements


@dataclass(frozen=True)
class ServingTimes:
    """Per configuration: mean TTFT and TPOT (seconds), output tokens per second of the whole deployment,
    sequences that decode at once in one worker, and whether the weights and one whole request fit at all."""

    ttft_seconds: Floats
    tpot_seconds: Floats
    output_tokens_per_second: Floats
    running: Floats
    fits: Any


def serving_times(points: ServingPoints, constants: ServingConstants | None = None) -> ServingTimes:
    """Vectorised prediction of all configurations."""
    c = constants or serving_constants()
    points = replace(points, concurrency=load(points, c))
    shape, cell, inputs, outputs = points.shape, points.cell, points.input_tokens, points.output_tokens
    users = points.concurrency / points.decode_workers
    context = inputs + 0.5 * outputs
    usable = table("memory")["tuned_usable_fraction"]
    capacity = largest_batch(shape, cell, context, usable)
    holds_weights = weight_bytes_per_accelerator(shape, cell) < usable * cell.memory_bytes
    fits = holds_weights & (largest_batch(shape, cell, inputs + outputs, usable) >= 1.0)
    batch = np.minimum(users, np.maximum(capacity, 1.0))
    step = _step(points, batch, context, c)
    alone = _prompt(points, cell, 1.0, c)
    ttft, tpot = first_token(cell, batch, alone, step, c), stalled_step(cell, batch, outputs, alone, step, c)
    together, apart = points.kind == "batch", points.kind == "split"
    if together.any():
        ttft = np.where(together, _prompt(points, cell, batch, c), ttft)
        tpot = np.where(together, step, tpot)
    if apart.any():
        split = calibration("split_pools")
        factor = np.where(points.workers_known, split["time_factor"], split["time_factor_unknown"])
        ttft = np.where(apart, split_first_token(points, c), ttft)
        tpot = np.where(apart, step * factor, tpot)
    waves = np.maximum(users / batch - 1.0, 0.0)
    ttft = ttft + waves * (ttft + outputs * tpot)
    throughput = points.concurrency * outputs / (ttft + outputs * tpot + points.host_seconds * points.concurrency)
    return ServingTimes(ttft, tpot, throughput, batch, fits)


def _prompt(points: ServingPoints, cell: ServingCell, prompts: Any, c: ServingConstants) -> Any:
    return prompt_seconds(points.shape, cell, points.input_tokens, prompts, points.techniques, c)


def _step(points: ServingPoints, batch: Any, context: Any, c: ServingConstants) -> Any:
    return token_seconds(points.shape, points.cell, batch, context, points.techniques, c)


def load(points: ServingPoints, constants: ServingConstants | None = None) -> Floats:
    """Sequences in flight: as stated, as many as fit (at capacity), or by Little's law at an arrival rate.

    rate x (TTFT + O TPOT) is solved by bisection in the logarithm, since both times grow with the sequences; a rate
    that no number of sequences up to capacity serves means capacity.
    """
    if not np.isnan(points.concurrency).any():
        return points.concurrency
    c = constants or serving_constants()
    shape, cell, inputs, outputs = points.shape, points.cell, points.input_tokens, points.output_tokens
    usable = table("memory")["tuned_usable_fraction"]
    largest = np.clip(largest_batch(shape, cell, inputs + outputs, usable), 1.0, _MOST_SEQUENCES)
    rate = np.nan_to_num(points.requests_per_second / points.decode_workers, nan=np.inf)
    low, high = np.full(len(rate), 1e-3), largest
    alone = _prompt(points, cell, 1.0, c)
    for _ in range(40):
        middle = np.sqrt(low * high)
        step = _step(points, middle, inputs + 0.5 * outputs, c)
        request = first_token(cell, middle, alone, step, c) + outputs * stalled_step(
            cell, middle, outputs, alone, step, c
        )
        enough = middle > rate * request
        low, high = np.where(enough, low, middle), np.where(enough, middle, high)
    found = np.where(points.at_capacity, largest, high) * points.decode_workers
    chosen: Floats = np.where(np.isnan(points.concurrency), np.maximum(found, 1.0), points.concurrency)
    return chosen


def split_first_token(points: ServingPoints, c: ServingConstants) -> Any:
    """Time to first token of separate pools: k a^x u^y, at least a, of the prompt on its own (a seconds) and the users
    of one prefill worker (u).

    Neither the queue of a closed loop nor a saturated pool describes these measurements (half of them lost how many
    workers there were); a monomial of the two says all that they hold.
    """
    split = calibration("split_pools")
    alone = _prompt(points, points.prefill_cell, 1.0, c)
    users = points.concurrency / points.prefill_workers
    found = alone ** split["prefill_exponent"] * users ** split["users_exponent"] * split["first_token_seconds"]
    return np.maximum(found, alone)


def without_engine_factors(points: ServingPoints) -> ServingPoints:
    """The same configurations on the mean engine (used while the factors themselves are fitted)."""
    one = np.ones(len(points.rows))
    factors = {"framework_factor": one, "first_token_factor": one, "stall_factor": one}
    plain, prefill = replace(points.cell, **factors), replace(points.prefill_cell, **factors)
    return replace(points, cell=plain, prefill_cell=prefill)


def take(points: ServingPoints, chosen: Any) -> ServingPoints:
    """A subset of the configurations (boolean mask or positions)."""

    def pick(part: Any) -> Any:
        return type(part)(**{name: values[chosen] for name, values in vars(part).items()})

    return replace(
        points,
        rows=points.rows[chosen],
        shape=pick(points.shape),
        cell=pick(points.cell),
        prefill_cell=pick(points.prefill_cell),
        concurrency=points.concurrency[chosen],
        input_tokens=points.input_tokens[chosen],
        output_tokens=points.output_tokens[chosen],
        decode_workers=points.decode_workers[chosen],
        prefill_workers=points.prefill_workers[chosen],
        accelerators=points.accelerators[chosen],
        kind=points.kind[chosen],
        workers_known=points.workers_known[chosen],
        framework=points.framework[chosen],
        host_seconds=points.host_seconds[chosen],
        requests_per_second=points.requests_per_second[chosen],
        at_capacity=points.at_capacity[chosen],
        techniques=points.techniques.at(chosen),
    )
