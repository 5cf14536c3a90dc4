"""Models and accelerators that the catalogue does not have, from what their owners have at hand.

`model_shape_from_config` reads a Hugging Face `config.json` (dense, grouped-query, latent attention, experts, sliding
windows); `accelerator_from_spec` reads a specification as a mapping with the names of `accelerators.toml`. Both
gather all that is wrong before they refuse.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, TypeGuard

from planner.errors import InvalidInput, Violation, require
from planner.hardware.accelerators import FORMATS, Accelerator
from planner.hardware.shapes import ModelShape, shape_of_row

_LINKS = ("switch", "mesh", "torus", "pcie", "none")
_TEXT_PARTS = ("text_config", "llm_config", "language_config", "thinker_config")
_NEEDED = {
    "layers": ("num_hidden_layers", "n_layer", "num_layers", "n_layers"),
    "hidden": ("hidden_size", "n_embd", "d_model", "dim"),
    "heads": ("num_attention_heads", "n_head", "n_heads"),
    "vocab": ("vocab_size",),
}
_EXPERTS = ("n_routed_experts", "num_local_experts", "num_experts", "moe_num_experts")
_CHOSEN = ("num_experts_per_tok", "num_experts_per_token", "moe_k", "experts_per_token")
_INTERMEDIATE = ("intermediate_size", "ffn_hidden_size", "n_inner", "ffn_dim")
_PLAIN_MLP = ("gpt2", "gptj", "gpt_neox", "opt", "bloom", "falcon", "phi", "starcoder2", "mpt")


def model_shape_from_config(config: Mapping[str, Any], name: str = "") -> ModelShape:
    """The shape of a model from its Hugging Face configuration.

    Args:
        config: the parsed `config.json`; of a multimodal model the part of its language model is taken.
        name: what to call it (default: `_name_or_path` or `model_type`).

    Raises:
        InvalidInput: depth, width, heads or vocabulary are absent or not positive, or query heads are not a multiple of
            key-value heads.
    """
    text: Mapping[str, Any] = config
    for part in _TEXT_PARTS:
        if isinstance(text.get(part), Mapping):
            text = text[part]
            text = text["text_config"] if isinstance(text.get("text_config"), Mapping) else text
    found = {field: _first(text, names) for field, names in _NEEDED.items()}
    require(
        *(
            Violation(_NEEDED[field][0], "absent" if value is None else f"{value}", "a whole number above 0")
            for field, value in found.items()
            if not _positive(value)
        )
    )
    layers, hidden, heads = (int(found[n]) for n in ("layers", "hidden", "heads"))
    kv_heads = _first(text, ("num_key_value_heads", "num_kv_heads", "n_head_kv", "multi_query_group_num"))
    if kv_heads is None:
        kv_heads = 1 if text.get("multi_query") else heads
    latent = _positive(text.get("kv_lora_rank"))
    if not latent and (not _positive(kv_heads) or heads % int(kv_heads)):
        raise InvalidInput(Violation("num_key_value_heads", f"{kv_heads}", f"a divisor of {heads} attention heads"))
    row: dict[str, Any] = {
        "name": name or str(config.get("_name_or_path") or config.get("model_type") or "own model"),
        "layers": layers,
        "hidden": hidden,
        "heads": heads,
        "kv_heads": int(kv_heads),
        "head_dim": int(_first(text, ("head_dim", "kv_channels")) or hidden // heads),
        "vocab": int(found["vocab"]),
        "intermediate": int(_first(text, _INTERMEDIATE) or 4 * hidden),
        "attention": "MLA" if latent else "GQA",
        "tied_embeddings": bool(text.get("tie_word_embeddings", config.get("tie_word_embeddings", False))),
        "source": "config.json given by the caller",
    }
    if str(text.get("model_type", "")).lower() in _PLAIN_MLP:
        row["mlp_matrices"] = 2
    if latent:
        row |= {n: int(text[n]) for n in ("kv_lora_rank", "qk_rope_head_dim", "qk_nope_head_dim", "v_head_dim")}
        row["q_lora_rank"] = int(text.get("q_lora_rank") or 0)
    row |= _experts(text, layers)
    row |= _windows(text, layers)
    return shape_of_row(row)


def _experts(text: Mapping[str, Any], layers: int) -> dict[str, Any]:
    experts = _first(text, _EXPERTS)
    if not _positive(experts) or experts < 2:
        return {}
    chosen = _first(text, _CHOSEN)
    if not _positive(chosen) or chosen > experts:
        raise InvalidInput(Violation("num_experts_per_tok", f"{chosen}", f"between 1 and {experts}"))
    width = _first(text, ("moe_intermediate_size", "expert_ffn_hidden_size", *_INTERMEDIATE)) or 4 * text["hidden_size"]
    row = {"experts": experts, "experts_per_token": chosen, "moe_intermediate": int(width)}
    shared_width = text.get("shared_expert_intermediate_size")
    shared = text.get("n_shared_experts") or text.get("num_shared_experts") or 0
    row["shared_experts"] = round(shared_width / width) if shared_width else int(shared)
    row["first_dense_layers"] = int(text.get("first_k_dense_replace") or 0)
    step = (
        int(text.get("moe_layer_freq") or text.get("decoder_sparse_step") or 1) if "mlp_only_layers" not in text else 1
    )
    if isinstance(text.get("interleave_moe_layer_step"), int):
        step = int(text["interleave_moe_layer_step"])
    if step > 1:
        row["moe_layers"] = layers // step
        del row["first_dense_layers"]
    if text.get("intermediate_size_mlp"):
        row["intermediate"] = int(text["intermediate_size_mlp"])
    return row


def _windows(text: Mapping[str, Any], layers: int) -> dict[str, Any]:
    """Layers whose cache stops at a window, and layers that keep no cache that grows (linear attention)."""
    window = text.get("sliding_window")
    kinds = text.get("layer_types")
    if isinstance(kinds, (list, tuple)) and kinds:
        full = sum("full" in str(kind) or str(kind) == "attention" for kind in kinds)
        sliding = sum("sliding" in str(kind) for kind in kinds)
        return {"full_attention_layers": full, "window_layers": sliding, "sliding_window": int(window or 0)}
    if not _positive(window) or text.get("use_sliding_window") is False:
        return {}
    pattern = text.get("sliding_window_pattern")
    full = layers // int(pattern) if _positive(pattern) else 0
    return {"full_attention_layers": full, "window_layers": layers - full, "sliding_window": int(window)}


def accelerator_from_spec(spec: Mapping[str, Any]) -> Accelerator:
    """An accelerator from its specification.

    Args:
        spec: `name`, `memory_bytes`, `memory_bytes_per_second` and at least one of `bf16_flops_per_second`,
            `fp16_flops_per_second`, `fp32_flops_per_second` (dense peaks); optionally the other peaks
            (`fp8_flops_per_second`, `fp4_flops_per_second`, `int8_ops_per_second`), `scaleup_bytes_per_second` (one
            way), `scaleup_domain`, `scaleup_link`, `scaleout_bytes_per_second`, `tdp_watts`, `vendor`, `release`,
            `source`, `date`.

    Raises:
        InvalidInput: what is needed is absent, not a positive number, or not a key of a specification; all at once.
    """
    peaks = {f: spec[f"{f}_flops_per_second"] for f in FORMATS if f"{f}_flops_per_second" in spec}
    if "int8_ops_per_second" in spec:
        peaks["int8"] = spec["int8_ops_per_second"]
    numeric = {n for n in spec if n.endswith(("_per_second", "_bytes", "_watts"))} | {"scaleup_domain"}
    known = {f"{f}_flops_per_second" for f in FORMATS} | {
        "name", "int8_ops_per_second", "memory_bytes", "memory_bytes_per_second", "scaleup_bytes_per_second",
        "scaleup_domain", "scaleup_link", "scaleout_bytes_per_second", "tdp_watts", "vendor", "release", "source",
        "date", "doubt", "dies",
    }  # fmt: skip
    wrong = [
        Violation(n, f"{spec[n]}", "a positive number") for n in sorted(numeric & set(spec)) if not _number(spec[n])
    ]
    wrong += [
        Violation(n, "absent", "given") for n in ("name", "memory_bytes", "memory_bytes_per_second") if n not in spec
    ]
    wrong += [Violation(n, f"{spec[n]}", f"one of {', '.join(sorted(known))}") for n in sorted(set(spec) - known)]
    if not any(f in peaks for f in ("bf16", "fp16", "fp32")):
        wrong.append(Violation("bf16_flops_per_second", "absent", "given, or the fp16 or fp32 peak"))
    if spec.get("scaleup_link", "pcie") not in _LINKS:
        wrong.append(Violation("scaleup_link", f"{spec['scaleup_link']}", f"one of {', '.join(_LINKS)}"))
    require(*wrong)
    domain = int(spec.get("scaleup_domain", 1))
    outside = float(spec.get("scaleout_bytes_per_second", 1e9))
    return Accelerator(
        name=str(spec["name"]),
        vendor=str(spec.get("vendor", "")),
        bf16_flops_per_second=float(next(peaks[f] for f in ("bf16", "fp16", "fp32") if f in peaks)),
        flops_per_second=MappingProxyType({f: float(v) for f, v in peaks.items()}),
        memory_bytes=float(spec["memory_bytes"]),
        memory_bytes_per_second=float(spec["memory_bytes_per_second"]),
        scaleup_bytes_per_second=float(spec.get("scaleup_bytes_per_second", outside)),
        scaleup_domain=domain,
        scaleout_bytes_per_second=outside,
        tdp_watts=float(spec.get("tdp_watts", "nan")),
        release=str(spec.get("release", "")),
        source=str(spec.get("source", "given by the caller")),
        date=str(spec.get("date", "")),
        doubt=str(spec.get("doubt", "")),
        scaleup_link=str(spec.get("scaleup_link", "none" if domain == 1 else "pcie")),
        dies=float(spec.get("dies", 1)),
    )


def _first(config: Mapping[str, Any], names: tuple[str, ...]) -> Any:
    return next((config[n] for n in names if config.get(n) is not None), None)


def _positive(value: Any) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and value > 0


def _number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 < value < float("inf")
