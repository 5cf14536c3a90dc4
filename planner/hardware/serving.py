"""Serving latency and throughput of one replica under continuous batching.

One decode step of B sequences takes (read time + product time + collectives + launch overhead); the read
and product terms are ADDED where a roofline takes their maximum: on measurements both err alike, and the
sum is a posynomial, hence usable in a geometric program. What a bare roofline omits dominates small
batches: a fixed time per layer that no bandwidth shortens. Requests that arrive in the middle of others'
decoding stall them (Agrawal et al. 2024, Sarathi-Serve, 2403.02310), and wait in turn, which is most of the
time to first token. Efficiencies fall with narrower formats as a power of the operand's bytes. Roofline:
Williams et al. 2009; transformer inference counts: Pope et al. 2022 (2211.05102); collectives: ring
all-reduce, Thakur et al. 2005.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cache
from typing import Any

import numpy as np

from planner.hardware.cells import ServingCell
from planner.hardware.memory import kv_bytes_per_accelerator
from planner.hardware.shapes import ModelShape
from planner.hardware.tables import calibration


@dataclass(frozen=True)
class ServingConstants:
    """Fitted constants (`calibration.toml`, section `serving`); none belongs to one accelerator or model.

    *_efficiency: share of the peak at 16 bits; *_exponent: how it falls with the operand's bytes / 2;
    *_seconds: fixed times.
    """

    memory_efficiency: float
    memory_width_exponent: float
    cache_efficiency: float
    flop_efficiency: float
    flop_width_exponent: float
    prefill_efficiency: float
    link_efficiency: float
    layer_seconds: float
    moe_layer_seconds: float
    collective_seconds: float
    routing_exponent: float
    sequence_seconds: float
    step_seconds: float
    stall_share: float
    prefill_layer_seconds: float
    prefill_moe_excess: float
    first_token_seconds: float
    first_token_prefills: float
    first_token_queue: float
    first_token_queue_exponent: float
    first_token_steps: float
    first_token_sequence_seconds: float
    expansion_excess: float


@cache
def serving_constants() -> ServingConstants:
    """The shipped constants."""
    values = calibration("serving")
    return ServingConstants(**{f.name: float(values[f.name]) for f in fields(ServingConstants)})


def distinct_experts(shape: ModelShape, tokens: Any, constants: ServingConstants | None = None) -> Any:
    """Expected distinct experts per layer that `tokens` tokens touch: E (1 - (1 - k/E)^(tokens^r)).

    r = 1 is uniform routing; fitted r < 1 because tokens of one batch prefer the same experts. Not log-log
    convex in `tokens`: inside a geometric program give `experts_read` (a monomial tangent of this) instead.
    """
    c = constants or serving_constants()
    missed = (1.0 - shape.experts_per_token / shape.expert_count) ** (tokens**c.routing_exponent)
    return shape.expert_count * (1.0 - missed)


def _experts_read(shape: ModelShape, batch: Any, stated: Any, c: ServingConstants) -> Any:
    """The stated number per layer; else the expected distinct ones of a batch, none in dense models."""
    if stated is not None:
        return stated
    return distinct_experts(shape, batch, c) if np.any(np.asarray(shape.expert_count) > 1) else 0.0


def _reads(shape: ModelShape, cell: ServingCell, experts_read: Any, c: ServingConstants) -> Any:
    """Seconds to stream the weights of one step on one rank."""
    width = cell.weight_bytes_per_parameter
    body = shape.dense_parameters / cell.tensor_parallel
    if np.any(np.asarray(shape.expert_count) > 1):
        body = body + shape.moe_layers * shape.parameters_per_expert * experts_read / cell.ranks
    head = shape.head_parameters * np.maximum(width, 2.0) / cell.tensor_parallel
    narrow = (width / 2.0) ** c.memory_width_exponent
    expanded = 1.0 + c.expansion_excess * cell.expanded_weights
    return (body * (width / narrow) * expanded + head) / (c.memory_efficiency * cell.memory_bytes_per_second)


def step_bytes(shape: ModelShape, cell: ServingCell, batch: Any, context_tokens: Any, experts_read: Any = None) -> Any:
    """Bytes that one rank reads in a decode step: weights, experts that the batch touches, cache (numbers only unless
    `experts_read` is given)."""
    width = cell.weight_bytes_per_parameter
    touched = _experts_read(shape, batch, experts_read, serving_constants())
    head = shape.head_parameters * np.maximum(width, 2.0)
    experts = shape.moe_layers * shape.parameters_per_expert * touched * width
    weights = (shape.dense_parameters * width + head) / cell.tensor_parallel + experts / cell.ranks
    return weights + kv_bytes_per_accelerator(shape, cell, batch, context_tokens)


def _products(shape: ModelShape, cell: ServingCell) -> Any:
    """Seconds of matrix products per token on one rank at the peak, before any efficiency."""
    used = shape.dense_parameters + shape.head_parameters
    used = used + shape.moe_layers * shape.experts_per_token * shape.parameters_per_expert
    return 2.0 * used / (cell.ranks * cell.peak_flops_per_second)


def _collectives(shape: ModelShape, cell: ServingCell, tokens: Any, c: ServingConstants) -> Any:
    """Two ring all-reduces of tokens x hidden x 2 bytes per layer, plus the fixed time of each.

    Under attention data parallelism each rank exchanges its own sequences only.
    """
    share = (cell.ranks - 1.0) / (cell.ranks * cell.attention_data_parallel)
    payload = 4.0 * share * tokens * shape.hidden / (c.link_efficiency * cell.link_bytes_per_second)
    fixed = (c.collective_seconds + cell.collective_extra_seconds) * np.minimum(cell.ranks - 1.0, 1.0)
    return 2.0 * shape.layers * (payload + fixed)


def decode_seconds(
    shape: ModelShape,
    cell: ServingCell,
    batch: Any,
    context_tokens: Any,
    experts_read: Any = None,
    constants: ServingConstants | None = None,
    *,
    tokens_each: Any = 1.0,
) -> Any:
    """Seconds of one decode step of `batch` sequences (over the whole replica) at `context_tokens` of context
    each, `tokens_each` of which are new (more than one where drafted tokens are checked).

    Pipeline stages split the batch, not the latency: a token still passes through all layers, and each
    stage reads its weights for each part of the batch.
    """
    c = constants or serving_constants()
    tokens = batch * tokens_each
    experts_read = _experts_read(shape, tokens, experts_read, c)
    cache_bytes = kv_bytes_per_accelerator(shape, cell, batch, context_tokens)
    efficiency = c.flop_efficiency * (cell.compute_bytes / 2.0) ** c.flop_width_exponent
    step = (
        _reads(shape, cell, experts_read, c)
        + cache_bytes / (c.cache_efficiency * cell.memory_bytes_per_second)
        + tokens * _products(shape, cell) / (cell.pipeline_parallel * efficiency)
        + _collectives(shape, cell, tokens, c)
        + c.layer_seconds * shape.layers
        + c.moe_layer_seconds * shape.moe_layers
        + c.sequence_seconds * batch / cell.attention_data_parallel
        + c.step_seconds
    )
    return step * cell.framework_factor


def prefill_seconds(
    shape: ModelShape,
    cell: ServingCell,
    input_tokens: Any,
    prompts: Any = 1.0,
    constants: ServingConstants | None = None,
    *,
    cached_share: Any = 0.0,
) -> Any:
    """Seconds to process `prompts` prompts at once: products, causal attention, weights read once, collectives,
    launches.

    Of `cached_share` of each prompt the cache holds keys and values already: with n = (1 - h) I new tokens, n meet the
    h I cached ones and half of themselves, (1 - h^2) I^2 / 2 pairs.
    """
    c = constants or serving_constants()
    efficiency = c.prefill_efficiency * (cell.compute_bytes / 2.0) ** c.flop_width_exponent
    tokens = prompts * input_tokens * (1.0 - cached_share)
    pairs = 0.5 * tokens * input_tokens * (1.0 + cached_share)
    attention = (
        shape.attention_flops_per_pair * pairs / (cell.ranks * cell.bf16_flops_per_second * c.prefill_efficiency)
    )
    routing = 1.0 + c.prefill_moe_excess * (shape.moe_layers / shape.layers)  # small ragged products, dispatch
    whole = (
        tokens * _products(shape, cell) * routing / efficiency
        + attention
        + _reads(shape, cell, shape.expert_count, c)
        + _collectives(shape, cell, tokens, c)
        + c.prefill_layer_seconds * shape.layers
    )
    return whole * cell.framework_factor


def tpot_seconds(
    shape: ModelShape,
    cell: ServingCell,
    batch: Any,
    input_tokens: Any,
    output_tokens: Any,
    experts_read: Any = None,
    constants: ServingConstants | None = None,
) -> Any:
    """Mean seconds per output token after the first, with `batch` requests always in flight.

    A decode step at the mean context I + O/2, plus the share of other requests' prefills that chunking does
    not hide: in the time of O steps each of the `batch` requests is replaced once and its prompt processed.
    """
    c = constants or serving_constants()
    step = decode_seconds(shape, cell, batch, input_tokens + 0.5 * output_tokens, experts_read, c)
    return stalled_step(cell, batch, output_tokens, prefill_seconds(shape, cell, input_tokens, constants=c), step, c)


def stalled_step(cell: ServingCell, batch: Any, output_tokens: Any, alone: Any, step: Any, c: ServingConstants) -> Any:
    """`tpot_seconds` from the time of a prompt on its own (`alone`) and of a decode step."""
    return step + c.stall_share * cell.stall_factor * (batch * alone / (output_tokens * cell.pipeline_parallel))


def ttft_seconds(
    shape: ModelShape,
    cell: ServingCell,
    batch: Any,
    input_tokens: Any,
    output_tokens: Any,
    experts_read: Any = None,
    constants: ServingConstants | None = None,
) -> Any:
    """Mean seconds to the first token in a closed loop of `batch` users.

    base + r B + (p + q B^g) prefills + s decode steps: the prompt itself, those of users who start or
    return together, the steps of others in between, and the host's work per request. Waiting for free cache
    memory is not in it: see `largest_batch`.
    """
    c = constants or serving_constants()
    alone = prefill_seconds(shape, cell, input_tokens, constants=c)
    step = decode_seconds(shape, cell, batch, input_tokens + 0.5 * output_tokens, experts_read, c)
    return first_token(cell, batch, alone, step, c)


def first_token(cell: ServingCell, batch: Any, alone: Any, step: Any, c: ServingConstants) -> Any:
    """`ttft_seconds` from the time of a prompt on its own (`alone`) and of a decode step."""
    queue = c.first_token_prefills * alone + c.first_token_queue * alone * batch**c.first_token_queue_exponent
    host = c.first_token_seconds + c.first_token_sequence_seconds * batch
    return (host + queue + c.first_token_steps * step) * cell.first_token_factor


def seconds_per_output_token(
    shape: ModelShape,
    cell: ServingCell,
    batch: Any,
    input_tokens: Any,
    output_tokens: Any,
    experts_read: Any = None,
    constants: ServingConstants | None = None,
) -> Any:
    """Inverse throughput of a full replica: (TTFT + O TPOT) / (B O) seconds; a posynomial if `batch` is a
    monomial."""
    first = ttft_seconds(shape, cell, batch, input_tokens, output_tokens, experts_read, constants)
    each = tpot_seconds(shape, cell, batch, input_tokens, output_tokens, experts_read, constants)
    return (first / output_tokens + each) / batch


def output_tokens_per_second(
    shape: ModelShape, cell: ServingCell, batch: Any, input_tokens: Any, output_tokens: Any
) -> Any:
    """Output tokens per second of one replica with `batch` requests always in flight (numbers only)."""
    return 1.0 / seconds_per_output_token(shape, cell, batch, input_tokens, output_tokens)


def usd_per_million_output_tokens(
    shape: ModelShape,
    cell: ServingCell,
    batch: Any,
    input_tokens: Any,
    output_tokens: Any,
    price_usd_per_hour: Any,
    experts_read: Any = None,
    constants: ServingConstants | None = None,
) -> Any:
    """US dollars per million output tokens at that load; the price is per accelerator-hour."""
    each = seconds_per_output_token(shape, cell, batch, input_tokens, output_tokens, experts_read, constants)
    return each * cell.accelerators * price_usd_per_hour * (1e6 / 3600.0)
