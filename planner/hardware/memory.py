"""Memory per accelerator: weights, KV cache, activations, runtime reserve; optimiser states in training.

All are posynomials of batch, context and (for a hypothetical shape) parameter count, so that "it fits" is
the constraint `memory / usable <= 1` of a geometric program. Activations in training: Korthikanti et al.
2022 (2205.05198), eqs. 1-6; optimiser sharding: Rajbhandari et al. 2020 (ZeRO, 1910.02054). The runtime
reserve and usable fraction are parameters.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from planner.hardware.cells import ServingCell
from planner.hardware.shapes import ModelShape
from planner.hardware.tables import table

# Bytes per parameter kept by mixed-precision Adam, by what is sharded over the data-parallel ranks (ZeRO
# stages 0-3):
# 2 weights + 2 gradients + 12 (fp32 master weights and two moments).
_SHARDED = {0: 0.0, 1: 12.0, 2: 14.0, 3: 16.0}


def weight_bytes_per_accelerator(shape: ModelShape, cell: ServingCell) -> Any:
    """Weights on one accelerator: dense tensors split over tensor ranks, experts over all ranks of a layer.

    Embeddings and the output head stay in 16 bits, as quantised checkpoints keep them.
    """
    bytes_each = cell.weight_bytes_per_parameter
    narrow = np.maximum(bytes_each, 2.0)
    vocabulary = shape.embedding_parameters + shape.untied_head_parameters
    experts = shape.moe_layers * shape.expert_count * shape.parameters_per_expert
    dense = (shape.dense_parameters * bytes_each + vocabulary * narrow) / cell.tensor_parallel
    return (dense + experts * bytes_each / cell.ranks) / cell.pipeline_parallel


def kv_bytes_per_sequence(shape: ModelShape, cell: ServingCell, context_tokens: Any) -> Any:
    """KV cache of one sequence over the whole replica (bytes), before any replication over ranks."""
    scale = cell.kv_bytes_per_element / 2.0
    return (shape.kv_bytes_per_token_16bit * context_tokens + shape.kv_window_bytes_16bit) * scale


def kv_bytes_per_accelerator(shape: ModelShape, cell: ServingCell, batch: Any, context_tokens: Any) -> Any:
    """KV cache on one accelerator: a cache with fewer heads than tensor ranks is replicated on the rest.

    Latent attention (one shared head, DeepSeek-V2, 2405.04434) is replicated on every tensor rank;
    attention data parallelism gives each rank its own sequences instead.
    """
    shards = np.minimum(cell.tensor_parallel, shape.kv_shards_max) * cell.attention_data_parallel
    return batch * kv_bytes_per_sequence(shape, cell, context_tokens) / (shards * cell.pipeline_parallel)


def serving_memory_bytes(
    shape: ModelShape, cell: ServingCell, batch: Any, context_tokens: Any, *, prefill_chunk_tokens: float = 0.0
) -> Any:
    """Bytes needed on one accelerator: weights + KV + activations of a prefill chunk + runtime reserve."""
    facts = table("memory")
    chunk = prefill_chunk_tokens or facts["prefill_chunk_tokens"]
    activations = chunk * shape.hidden * facts["activation_bytes_per_token_and_hidden"] / cell.tensor_parallel
    return (
        weight_bytes_per_accelerator(shape, cell)
        + kv_bytes_per_accelerator(shape, cell, batch, context_tokens)
        + activations
        + facts["runtime_reserve_bytes"]
    )


def serving_memory_fraction(shape: ModelShape, cell: ServingCell, batch: Any, context_tokens: Any) -> Any:
    """Needed over usable memory: the cell fits if this is at most 1 (a posynomial constraint)."""
    usable = table("memory")["usable_fraction"] * cell.memory_bytes
    return serving_memory_bytes(shape, cell, batch, context_tokens) * (1.0 / usable)


def largest_batch(
    shape: ModelShape, cell: ServingCell, context_tokens: Any, usable_fraction: float | None = None
) -> Any:
    """Sequences whose KV cache fits beside the weights (numbers only; 0 or less: the model does not fit)."""
    usable = table("memory")["usable_fraction"] if usable_fraction is None else usable_fraction
    free = usable * cell.memory_bytes - serving_memory_bytes(shape, cell, 0.0, context_tokens)
    return free / kv_bytes_per_accelerator(shape, cell, 1.0, context_tokens)


def activation_bytes_per_layer(
    shape: ModelShape,
    micro_batch: Any,
    sequence_tokens: Any,
    *,
    tensor_parallel: Any = 1.0,
    recompute: str = "selective",
) -> Any:
    """Activations kept for the backward pass of one layer on one accelerator (Korthikanti et al. 2022,
    2205.05198).

    `none`: s b h (34 + 5 a s / h) / t; `selective`: 34 s b h / t (attention scores recomputed, sequence
    parallel); `full`: 2 s b h / t (only the layer's input). a s / h is written with the attention FLOPs per
    pair: 4 L h_attn.
    """
    tokens = micro_batch * sequence_tokens
    if recompute == "full":
        return 2.0 * tokens * shape.hidden / tensor_parallel
    kept = 34.0 * tokens * shape.hidden / tensor_parallel
    if recompute == "selective":
        return kept
    heads = shape.attention_flops_per_pair / (4.0 * 128.0 * shape.layers)  # heads of the usual width 128
    return kept + 5.0 * heads * tokens * sequence_tokens / tensor_parallel


def training_memory_bytes(
    shape: ModelShape,
    *,
    micro_batch: Any = 1.0,
    sequence_tokens: Any = 4096.0,
    tensor_parallel: Any = 1.0,
    pipeline_parallel: Any = 1.0,
    data_parallel: Any = 1.0,
    expert_parallel: Any = None,
    zero_stage: int = 3,
    recompute: str = "selective",
) -> Any:
    """Bytes on one accelerator while training with mixed-precision Adam.

    2 + 2 + 12 bytes per parameter over tensor and pipeline ranks (experts over `expert_parallel` ranks instead of the
    tensor ranks, if given), of which ZeRO stage 1, 2, 3 shards 12, 14, 16 over the `data_parallel` ranks (Rajbhandari
    et al. 2020, 1910.02054); activations of the microbatches that a 1F1B pipeline keeps alive on its first stage: as
    many as stages, so the same as all layers of one microbatch; logits of one microbatch. A posynomial of
    `data_parallel`, `micro_batch` and (with a hypothetical shape) of the parameter count.
    """
    sharded = _SHARDED[zero_stage]
    model_ranks = tensor_parallel * pipeline_parallel
    kept = shape.total_parameters / model_ranks
    if expert_parallel is not None:
        experts = shape.moe_layers * shape.expert_count * shape.parameters_per_expert
        rest = shape.embedding_parameters + shape.untied_head_parameters + shape.dense_parameters
        kept = (rest / tensor_parallel + experts / expert_parallel) / pipeline_parallel
    states = kept * (16.0 - sharded) + shape.total_parameters * sharded / (data_parallel * model_ranks)
    layer = activation_bytes_per_layer(
        shape, micro_batch, sequence_tokens, tensor_parallel=tensor_parallel, recompute=recompute
    )
    again = 0.0  # under full recomputation the layer that is being recomputed is whole for a while
    if recompute == "full":
        again = activation_bytes_per_layer(shape, micro_batch, sequence_tokens, tensor_parallel=tensor_parallel)
    logits = 6.0 * micro_batch * sequence_tokens * shape.vocab / tensor_parallel
    # ZeRO-3 holds one gathered layer (weights and gradients) at a time.
    gathered = 4.0 * (sharded == 16.0) * shape.total_parameters / (shape.layers * model_ranks)
    return states + layer * shape.layers + again + gathered + logits + table("memory")["runtime_reserve_bytes"]


def training_memory_fraction(shape: ModelShape, memory_bytes: Any, **layout: Any) -> Any:
    """Needed over usable memory of one accelerator: fits if at most 1. `layout` as in
    `training_memory_bytes`."""
    return training_memory_bytes(shape, **layout) * (1.0 / (table("memory")["usable_fraction"] * memory_bytes))
