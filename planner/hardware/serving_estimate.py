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

from planner.hardware.columns import Floats
from planner.hardware.memory import largest_batch, weight_bytes_per_accelerator
from planner.hardware.serving import (
    ServingConstants,
    decode_seconds,
    first_token,
    prefill_seconds,
    serving_constants,
    stalled_step,
    tpot_seconds,
    ttft_seconds,
)
from planner.hardware.serving_points import ServingPoints
from planner.hardware.tables import calibration, table

_MOST_SEQUENCES = 4096.0  # the largest concurrency of the measurements


@dataclass(frozen=True)
class ServingTimes:
    """Per configuration: mean TTFT and TPOT (seconds), output tokens per second of the whole deployment,
    sequences that
    decode at once in one worker, and whether the model fits at all."""

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
    capacity = largest_batch(shape, cell, context, table("memory")["tuned_usable_fraction"])
    fits = weight_bytes_per_accelerator(shape, cell) < table("memory")["tuned_usable_fraction"] * cell.memory_bytes
    batch = np.minimum(users, np.maximum(capacity, 1.0))
    step = decode_seconds(shape, cell, batch, context, constants=c)
    alone = prefill_seconds(shape, cell, inputs, constants=c)
    ttft, tpot = first_token(cell, batch, alone, step, c), stalled_step(cell, batch, outputs, alone, step, c)
    together, apart = points.kind == "batch", points.kind == "split"
    if together.any():
        ttft = np.where(together, prefill_seconds(shape, cell, inputs, batch, constants=c), ttft)
        tpot = np.where(together, step, tpot)
    if apart.any():
        split = calibration("split_pools")
        known = {
            n: np.where(points.workers_known, split[n], split[f"{n}_unknown"])
            for n in ("time_factor", "first_token_factor")
        }
        ttft = np.where(apart, _split_ttft(points, step, c) * known["first_token_factor"], ttft)
        tpot = np.where(apart, step * known["time_factor"], tpot)
    waves = np.maximum(users / batch - 1.0, 0.0)
    ttft = ttft + waves * (ttft + outputs * tpot)
    throughput = points.concurrency * outputs / (ttft + outputs * tpot + points.host_seconds * points.concurrency)
    return ServingTimes(ttft, tpot, throughput, batch, fits)


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
    for _ in range(40):
        middle = np.sqrt(low * high)
        times = (
            ttft_seconds(shape, cell, middle, inputs, outputs, constants=c),
            tpot_seconds(shape, cell, middle, inputs, outputs, constants=c),
        )
        enough = middle > rate * (times[0] + outputs * times[1])
        low, high = np.where(enough, low, middle), np.where(enough, middle, high)
    found = np.where(points.at_capacity, largest, high) * points.decode_workers
    chosen: Floats = np.where(np.isnan(points.concurrency), np.maximum(found, 1.0), points.concurrency)
    return chosen


def _split_ttft(points: ServingPoints, step: Any, c: ServingConstants) -> Any:
    """Prefill pool: its workers share the users; decoding steps of the other pool delay only the hand-over.

    Where a table lost the number of workers, there are as many as keep up with the decode pool at the usual
    utilisation: rate <= users / (O steps), since nobody deploys a pool that the other starves.
    """
    alone = prefill_seconds(points.shape, points.prefill_cell, points.input_tokens, constants=c)
    rate = points.concurrency / (points.output_tokens * step)
    needed = np.maximum(1.0, np.ceil(rate * alone / calibration("split_pools")["prefill_utilisation"]))
    users = points.concurrency / np.where(points.workers_known, points.prefill_workers, needed)
    queue = (c.first_token_prefills + c.first_token_queue * users**c.first_token_queue_exponent) * alone
    host = c.first_token_seconds + c.first_token_sequence_seconds * users
    return (host + queue + c.first_token_steps * step) * points.cell.first_token_factor


def without_engine_factors(points: ServingPoints) -> ServingPoints:
    """The same configurations on the mean engine (used while the factors themselves are fitted)."""
    one = np.ones(len(points.rows))
    plain = replace(points.cell, framework_factor=one, first_token_factor=one)
    prefill = replace(points.prefill_cell, framework_factor=one, first_token_factor=one)
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
    )
