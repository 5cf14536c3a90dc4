"""Models and accelerators that the catalogue does not have, from what their owners have at hand.

`model_shape_from_config` reads a Hugging Face `config.json` (dense, grouped-query, latent attention, experts, sliding
windows); `accelerator_from_spec` reads a specification as a mapping with the names of `accelerators.toml`. Both
gather all that is wrong before they refuse.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, TypeGuard

from planner.errors import Range, Violation, require
from planner.hardware.accelerators import FORMATS, Accelerator
from planner.hardware.shapes import ModelShape, shape_of_row

_PEAKS = {f: f"{f}_flops_per_second" for f in FORMATS} | {"int8": "int8_ops_per_second"}
_TEXTS = {"name", "scaleup_link", "vendor", "release", "source", "date", "doubt"}
_RANGES = {name: Range(1e9, 1e20, "operations per second") for name in _PEAKS.values()} | {
    "memory_bytes": Range(1e6, 1e15, "bytes"),
    "memory_bytes_per_second": Range(1e6, 1e17, "bytes per second"),
    "scaleup_bytes_per_second": Range(1e6, 1e15, "bytes per second"),
    "scaleout_bytes_per_second": Range(1e6, 1e15, "bytes per second"),
    "scaleup_domain": Range(1, 1e6, "accelerators"),
    "tdp_watts": Range(0.1, 1e6, "watts"),
    "dies": Range(1, 64, "dies"),
}
_WHOLE = {"scaleup_domain", "dies"}
_LINKS = ("switch", "mesh", "torus", "pcie", "none")
_TEXT_PARTS = ("text_config", "llm_config", "language_config", "thinker_config")
_NEEDED = (
    ("num_hidden_layers", "n_layer", "num_layers", "n_layers"),
    ("hidden_size", "n_embd", "d_model", "dim"),
    ("num_attention_heads", "n_head", "n_heads"),
    ("vocab_size",),
)
_KV_HEADS = ("num_key_value_heads", "num_kv_heads", "n_head_kv", "multi_query_group_num")
_LATENT = ("kv_lora_rank", "qk_rope_head_dim", "qk_nope_head_dim", "v_head_dim")
_LARGEST = 100_000_000  # of any number in a configuration
_SIZE = Range(1e3, 1e18, "parameters")
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
        InvalidInput: depth, width, heads or vocabulary are absent or not positive, query heads are not a multiple of
            key-value heads, or a number that is there is not a whole one in its range; all at once.
    """
    text = _language_part(config)
    numbers = _Numbers(text)
    layers, hidden, heads, vocab = (numbers.needed(names) for names in _NEEDED)
    kv_heads = numbers.first(_KV_HEADS, 1 if text.get("multi_query") is True else heads)
    latent = bool(text.get("kv_lora_rank"))
    if not latent and heads % kv_heads:
        numbers.fault("num_key_value_heads", kv_heads, f"a divisor of {heads} attention heads")
    row: dict[str, Any] = {
        "name": name or str(config.get("_name_or_path") or config.get("model_type") or "own model"),
        "layers": layers,
        "hidden": hidden,
        "heads": heads,
        "kv_heads": kv_heads,
        "head_dim": numbers.first(("head_dim", "kv_channels"), max(hidden // heads, 1)),
        "vocab": vocab,
        "intermediate": numbers.first(_INTERMEDIATE, 4 * hidden),
        "attention": "MLA" if latent else "GQA",
        "tied_embeddings": bool(text.get("tie_word_embeddings", config.get("tie_word_embeddings", False))),
        "source": "config.json given by the caller",
    }
    if str(text.get("model_type", "")).lower() in _PLAIN_MLP:
        row["mlp_matrices"] = 2
    if latent:
        row |= {field: numbers.needed((field,)) for field in _LATENT}
        row["q_lora_rank"] = numbers.first(("q_lora_rank",), 0)
    row |= _experts(text, numbers, layers, hidden)
    row |= _windows(text, numbers, layers)
    require(*numbers.violations)
    shape = shape_of_row(row)
    require(*_SIZE.check("parameters", shape.total_parameters))
    return shape


class _Numbers:
    """Whole numbers of a configuration by the first of several names, with what is wrong about them."""

    def __init__(self, text: Mapping[str, Any]) -> None:
        self._text = text
        self.violations: list[Violation] = []

    def needed(self, names: tuple[str, ...]) -> int:
        """A number that must be there (1 in its place, with the fault on record, so that reading can go on)."""
        value = _first(self._text, names)
        return self._checked(names[0], "absent" if value is None else value, 1)

    def first(self, names: tuple[str, ...], default: int) -> int:
        """A number that may be absent, or null, or 0."""
        value = _first(self._text, names)
        return self._checked(names[0], value, default) if value else default

    def fault(self, field: str, value: Any, allowed: str) -> None:
        self.violations.append(Violation(field, f"{value}"[:80], allowed))

    def _checked(self, field: str, value: Any, default: int) -> int:
        if _positive(value) and value <= _LARGEST:
            return value
        self.fault(field, value, f"a whole number from 1 to {_LARGEST:,}")
        return default


def _language_part(config: Mapping[str, Any]) -> Mapping[str, Any]:
    text = config
    for part in (*_TEXT_PARTS, "text_config"):
        if isinstance(text.get(part), Mapping):
            text = text[part]
    return text


def _experts(text: Mapping[str, Any], numbers: _Numbers, layers: int, hidden: int) -> dict[str, Any]:
    experts = numbers.first(_EXPERTS, 1)
    if experts < 2:
        return {}
    chosen = numbers.needed(_CHOSEN)
    if chosen > experts:
        numbers.fault(_CHOSEN[0], chosen, f"between 1 and {experts}")
    width = numbers.first(("moe_intermediate_size", "expert_ffn_hidden_size", *_INTERMEDIATE), 4 * hidden)
    row = {"experts": experts, "experts_per_token": chosen, "moe_intermediate": width}
    shared_width = numbers.first(("shared_expert_intermediate_size",), 0)
    shared = numbers.first(("n_shared_experts", "num_shared_experts"), 0)
    row["shared_experts"] = round(shared_width / width) if shared_width else shared
    row["first_dense_layers"] = min(numbers.first(("first_k_dense_replace",), 0), layers - 1)
    step = numbers.first(("moe_layer_freq", "decoder_sparse_step"), 1) if "mlp_only_layers" not in text else 1
    step = numbers.first(("interleave_moe_layer_step",), step)
    if step > 1:
        row["moe_layers"] = max(layers // step, 1)
        del row["first_dense_layers"]
    if text.get("intermediate_size_mlp"):
        row["intermediate"] = numbers.first(("intermediate_size_mlp",), hidden)
    return row


def _windows(text: Mapping[str, Any], numbers: _Numbers, layers: int) -> dict[str, Any]:
    """Layers whose cache stops at a window, and layers that keep no cache that grows (linear attention)."""
    window = numbers.first(("sliding_window",), 0)
    kinds = text.get("layer_types")
    if isinstance(kinds, (list, tuple)) and kinds:
        full = sum("full" in str(kind) or str(kind) == "attention" for kind in kinds)
        sliding = sum("sliding" in str(kind) for kind in kinds)
        return {"full_attention_layers": full, "window_layers": sliding, "sliding_window": window}
    if not window or text.get("use_sliding_window") is False:
        return {}
    pattern = numbers.first(("sliding_window_pattern",), 0)
    full = layers // pattern if pattern else 0
    return {"full_attention_layers": full, "window_layers": layers - full, "sliding_window": window}


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
    peaks = {f: spec[n] for f, n in _PEAKS.items() if n in spec}
    wrong = [
        Violation(n, "absent", "given") for n in ("name", "memory_bytes", "memory_bytes_per_second") if n not in spec
    ]
    wrong += [v for n in sorted(set(spec) & set(_RANGES)) for v in _out_of_range(n, spec[n])]
    unknown = set(spec) - set(_RANGES) - _TEXTS
    wrong += [
        Violation(n, f"{spec[n]}"[:80], f"one of {', '.join(sorted({*_RANGES, *_TEXTS}))}") for n in sorted(unknown)
    ]
    if not any(f in peaks for f in ("bf16", "fp16", "fp32")):
        wrong.append(Violation("bf16_flops_per_second", "absent", "given, or the fp16 or fp32 peak"))
    if spec.get("scaleup_link", "pcie") not in _LINKS:
        wrong.append(Violation("scaleup_link", f"{spec['scaleup_link']}"[:80], f"one of {', '.join(_LINKS)}"))
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


def _out_of_range(field: str, value: Any) -> tuple[Violation, ...]:
    number = value if isinstance(value, (int, float)) and not isinstance(value, bool) else float("nan")
    found = _RANGES[field].check(field, min(number, 1e30))
    if not found and field in _WHOLE and number % 1:
        return (Violation(field, f"{value}", "a whole number"),)
    return tuple(Violation(field, f"{value}"[:80], v.allowed) for v in found)
