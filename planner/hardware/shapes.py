"""Model shapes: tensors, KV cache and FLOPs of real models, and of models that do not exist yet.

Parameters are counted from the tensors a configuration implies (embeddings, tied heads, grouped or latent
attention, routed and shared experts, first dense layers), because sizes quoted in names are off by several
per cent and a fit test is decided by less. A planned model has no configuration; `hypothetical_shape` gives
it depth, width and KV bytes as power laws of its parameter count regressed over the dense catalogue, hence
monomials that a geometric program can hold. Source of the shapes: the models' own configuration files
(`models.toml`). Latent attention: DeepSeek-V2, 2405.04434.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from typing import Any

from planner.errors import UnknownName
from planner.hardware.tables import calibration, key, table


@dataclass(frozen=True)
class ModelShape:
    """What the cost formulas need of a model; numbers may be posynomials of a decision variable.

    total_parameters = embedding + untied_head (0 if tied) + dense + moe_layers x expert_count x
    parameters_per_expert.
    head_parameters: the output projection as read in every step, tied or not.
    dense_parameters: read for every token (attention, dense and shared feed-forward, routers, norms).
    kv_bytes_per_token_16bit: cache growth per token of context over all layers; kv_window_bytes_16bit:
    cache of the sliding-window layers of one sequence (constant). kv_shards_max: over how many
    tensor-parallel ranks the cache can be split (KV heads; 1 for latent attention).
    attention_flops_per_pair: forward FLOPs per (query, key), all layers.
    """

    name: str
    layers: Any
    hidden: Any
    total_parameters: Any
    active_parameters: Any
    embedding_parameters: Any
    head_parameters: Any
    untied_head_parameters: Any
    dense_parameters: Any
    expert_count: Any
    experts_per_token: Any
    moe_layers: Any
    parameters_per_expert: Any
    kv_bytes_per_token_16bit: Any
    kv_window_bytes_16bit: Any
    kv_shards_max: Any
    attention_flops_per_pair: Any
    attention_kind: str
    vocab: int = 0
    source: str = ""
    doubt: str = ""

    @property
    def is_moe(self) -> bool:
        return bool(self.expert_count > 1)


def _attention_parameters(row: dict[str, Any]) -> int:
    hidden, heads = row["hidden"], row["heads"]
    if row["attention"] == "MLA":
        nope, rope, value = row["qk_nope_head_dim"], row["qk_rope_head_dim"], row["v_head_dim"]
        latent, query_rank = row["kv_lora_rank"], row["q_lora_rank"]
        query = (hidden + heads * (nope + rope)) * query_rank if query_rank else hidden * heads * (nope + rope)
        return int(query + hidden * (latent + rope) + latent * heads * (nope + value) + heads * value * hidden)
    if "q_lora_rank" in row:  # low-rank query and output projections
        rank = row["q_lora_rank"]
        return int(2 * rank * (hidden + heads * row["head_dim"]) + 2 * hidden * row["head_dim"] * row["kv_heads"])
    return int(hidden * row["head_dim"] * (2 * heads + 2 * row["kv_heads"]))


def _kv_bytes_per_layer(row: dict[str, Any]) -> int:
    if row["attention"] == "MLA":
        return 2 * int(row["kv_lora_rank"] + row["qk_rope_head_dim"])
    return 2 * 2 * int(row["kv_heads"] * row["head_dim"])


def shape_of_row(row: dict[str, Any]) -> ModelShape:
    """The shape that a row of `models.toml` (or the same facts from elsewhere) implies."""
    layers, hidden = row["layers"], row["hidden"]
    experts = row.get("experts", 0)
    first_dense = row.get("first_dense_layers", 0)
    moe_layers = row.get("moe_layers", layers - first_dense) if experts else 0
    matrices = row.get("mlp_matrices", 3)
    per_expert = matrices * hidden * row.get("moe_intermediate", row.get("intermediate", 0)) if experts else 0
    shared = row.get("shared_experts", 0) * per_expert
    dense_mlp_layers = first_dense if experts and "moe_layers" not in row else layers - moe_layers
    dense = float(
        layers * (_attention_parameters(row) + 2 * hidden) + moe_layers * (shared + hidden * experts) + hidden
    )
    dense += dense_mlp_layers * matrices * hidden * row.get("intermediate", 0)
    chosen = row.get("experts_per_token", 0)
    embedding = float(row["vocab"] * hidden)
    head = 0.0 if row.get("tied_embeddings") else embedding
    expert_parameters = float(moe_layers * per_expert)
    total = embedding + head + dense + experts * expert_parameters
    active = embedding + head + dense + chosen * expert_parameters
    if "published_parameters" in row:
        # Scale the counted split so that its sum is the published one: layers of other kinds are in neither
        # field.
        active_share = row.get("published_active_parameters", row["published_parameters"])
        if experts > chosen:
            expert_parameters = (row["published_parameters"] - active_share) / (experts - chosen)
            per_expert = expert_parameters / moe_layers
        total, active = row["published_parameters"], active_share
        dense = max(active - embedding - head - chosen * expert_parameters, 0.25 * active)
    growing = row.get("full_attention_layers", layers)
    windowed = row.get("window_layers", 0)
    per_layer = _kv_bytes_per_layer(row)
    latent = row["attention"] == "MLA"
    # Prompts and training expand the latent cache into heads; only decoding works on it as it is.
    expanded = (row["qk_nope_head_dim"] + row["qk_rope_head_dim"] + row["v_head_dim"]) / 2 if latent else 0.0
    pair_width = expanded if latent else row["head_dim"]
    return ModelShape(
        name=row["name"],
        layers=float(layers),
        hidden=float(hidden),
        total_parameters=total,
        active_parameters=active,
        embedding_parameters=embedding,
        head_parameters=embedding,
        untied_head_parameters=head,
        dense_parameters=dense,
        expert_count=float(max(experts, 1)),
        experts_per_token=float(max(chosen, 1)),
        moe_layers=float(moe_layers),
        parameters_per_expert=float(per_expert),
        kv_bytes_per_token_16bit=float(growing * per_layer),
        kv_window_bytes_16bit=float(windowed * per_layer * row.get("sliding_window", 0)),
        kv_shards_max=1.0 if latent else float(row["kv_heads"]),
        attention_flops_per_pair=4.0 * growing * row["heads"] * pair_width,
        attention_kind=row["attention"],
        vocab=row["vocab"],
        source=row["source"],
        doubt=row.get("doubt", ""),
    )


_SUFFIX = re.compile(
    r"(instruct|chat|base|thinking|hf|it|fp8|nvfp4|bf16|mxfp4|fp4|staticpertensor|v0\.1|v0\.2|v0\.3|2507|0528|0324|2512)$"
)


def _stems(name: str) -> list[str]:
    """Spellings from the exact to the barest: without publisher, `Meta-`, and variant suffixes."""
    bare = key(name.rsplit("/", 1)[-1])
    for prefix in ("meta", "nvidia"):
        bare = bare.removeprefix(prefix) or bare
    stems = [key(name), bare]
    while (shorter := _SUFFIX.sub("", stems[-1])) != stems[-1] and shorter:
        stems.append(shorter)
    return stems


@cache
def _rows() -> dict[str, dict[str, Any]]:
    return {row["name"]: row for row in table("models")["model"]}


@cache
def _index() -> dict[str, str]:
    found: dict[str, str] = {}
    for name in _rows():
        found.setdefault(key(name), name)
    for depth in range(1, 6):
        for name in _rows():
            stems = _stems(name)
            if depth < len(stems):
                found.setdefault(stems[depth], name)
    for alias, name in table("models")["alias"].items():
        found.setdefault(key(alias), name)
    return found


@cache
def model_shape(name: str) -> ModelShape:
    """The shape of a model by its full or short name (`Llama-3.1-70B`), without regard to case.

    Raises:
        UnknownName: no such model; the nearest names are in the message.
    """
    index = _index()
    for stem in _stems(name):
        if stem in index:
            return shape_of_row(_rows()[index[stem]])
    raise UnknownName("model", name, [n.rsplit("/", 1)[-1] for n in _rows()])


def model_shape_names() -> tuple[str, ...]:
    """All names, in the order of the table."""
    return tuple(_rows())


def depth_times_width(parameter_count: Any) -> Any:
    """Layers x width of a model of that many active parameters: a monomial (see `hypothetical_shape`)."""
    law = calibration("family")
    layers, hidden = law["layers"], law["hidden"]
    scale = layers["coefficient"] * hidden["coefficient"]
    return scale * parameter_count ** (layers["exponent"] + hidden["exponent"])


def hypothetical_shape(
    parameter_count: Any, expert_count: Any = 1.0, *, experts_per_token: Any = 1.0, total_parameters: Any = None
) -> ModelShape:
    """A model that does not exist yet.

    Args:
        parameter_count: ACTIVE parameters of a token: float, array or a monomial of a decision variable.
        expert_count: E; the feed-forward block is repeated E times and `experts_per_token` of them are used
            (non-granular experts as in Ludziejewski et al. 2025, 2502.05172).
        total_parameters: if known, replaces the count that follows from `expert_count`.

    Returns:
        depth, width, KV bytes per token and attention FLOPs as monomials of `parameter_count` (power laws
        regressed over the dense catalogue, `calibration.toml`, section `family`).
    """
    law = calibration("family")

    def power_law(quantity: str) -> Any:
        return law[quantity]["coefficient"] * parameter_count ** law[quantity]["exponent"]

    share = law["feed_forward_share"]
    one_expert = share * parameter_count / experts_per_token
    moe = expert_count > 1
    dense = parameter_count * (1.0 - share * moe)
    layers = power_law("layers")
    implied = dense + one_expert * expert_count * moe
    return ModelShape(
        name="hypothetical",
        layers=layers,
        hidden=power_law("hidden"),
        total_parameters=implied if total_parameters is None else total_parameters,
        active_parameters=parameter_count,
        embedding_parameters=0.0,
        head_parameters=0.0,
        untied_head_parameters=0.0,
        dense_parameters=dense,
        expert_count=expert_count,
        experts_per_token=experts_per_token,
        moe_layers=layers * moe,
        parameters_per_expert=one_expert * moe / layers,
        kv_bytes_per_token_16bit=power_law("kv_bytes_per_token_16bit"),
        kv_window_bytes_16bit=0.0,
        kv_shards_max=law["kv_shards_max"],
        attention_flops_per_pair=power_law("attention_flops_per_pair"),
        attention_kind="GQA",
        source="power laws over the dense catalogue",
    )
