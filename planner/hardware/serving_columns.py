"""One set of columns from the many spellings of serving benchmarks.

Understood: InferenceX exports and GuideLLM-like loops (`system`, `isl`, `osl`, `concurrency`), whole batches
(`hardware`, `input_len`, `batch_size`; `prompt_size`), ML.ENERGY (`gpu`, `max_num_seqs`, `task`), MLPerf (`benchmark`,
`n_accel`, `target_qps`), tables of maximum load (`max_output_tok_s_per_gpu`), single streams of llama.cpp
(`decode_tok_s`). Rows are not looked at here; what a benchmark's rules fix comes from `benchmarks.toml`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from planner.hardware.columns import Columns, Floats, first_of, numbers, require_columns, row_count, text
from planner.hardware.placements import PLACEMENT
from planner.hardware.tables import calibration, table

ACCELERATOR = ("system", "hardware", "accelerator", "gpu")
COUNT = ("n_gpus", "n_devices", "num_gpus", "n_accel")
_INPUTS = ("isl", "input_len", "prompt_size")
_OUTPUTS = ("osl", "output_len", "output_tokens", "avg_output_len")
_IN_FLIGHT = ("concurrency", "avg_batch_size", "max_num_seqs", "batch_size")
ARRIVALS = ("target_qps", "requests_per_second")  # of the whole deployment, Poisson
_SELF_CONTAINED = "benchmark|decode_tok_s"  # tables whose rules fix lengths and load
_MAXIMUM = "max_output_tok_s_per_gpu"
_SINGLE_STREAM_TOKENS = 1024.0  # llama.cpp's benchmark: a prompt and an answer of 1024 tokens each
# Columns that say what runs where; rows that agree in all of them are one configuration under different loads.
CONFIGURATION = (
    *ACCELERATOR, *PLACEMENT, *COUNT, "model", "benchmark", "task", "precision", "quant", "weight_precision",
    "weight_dtype", "dtype", "total_params_b", "active_params_b", "parameter_count", "total_parameter_count",
    "expert_count", "framework", "mode", "tp", "pp", "dp", "attn_dp", "moe_ep", "ep", "parallelism", "parallel",
    *(f"{side}_{n}" for side in ("prefill", "decode")
      for n in ("num_workers", "tp_size", "pp_size", "attention_dp_size", "moe_ep_size")),
)  # fmt: skip

NUMERIC = (
    *COUNT, *_INPUTS, *_OUTPUTS, *_IN_FLIGHT, *ARRIVALS, "total_params_b", "active_params_b", "parameter_count",
    "total_parameter_count", "expert_count", "tp", "pp", "dp", "attn_dp", "moe_ep", "ep",
)  # fmt: skip


@dataclass(frozen=True)
class Load:
    """Row by row: sequences in flight (NaN: not stated), lengths in tokens, requests per second (NaN: a closed loop),
    and whether the accelerators are as full as they can be."""

    in_flight: Floats
    input_tokens: Floats
    output_tokens: Floats
    requests_per_second: Floats
    at_capacity: Any


def require_serving(columns: Columns) -> None:
    """`InvalidInput` naming every needed column that is absent."""
    require_columns(
        columns,
        "|".join((*ACCELERATOR, "cluster")),
        "model|benchmark|parameter_count",
        "|".join((*_INPUTS, "avg_output_len", _SELF_CONTAINED)),
        "|".join((*_OUTPUTS, _SELF_CONTAINED)),
        "|".join((*_IN_FLIGHT, *ARRIVALS, _MAXIMUM, _SELF_CONTAINED)),
    )


def read_load(columns: Columns) -> Load:
    """The load of every row."""
    rules = _rules(columns)
    attention_ranks = np.maximum(1.0, numbers(columns, "attn_dp", 1.0)) if "attn_dp" in columns else 1.0
    in_flight = [numbers(columns, n) * (attention_ranks if n == "batch_size" else 1.0) for n in _IN_FLIGHT]
    fixed = 1.0 if "decode_tok_s" in columns else float("nan")
    rate = first_of(*(numbers(columns, n) for n in ARRIVALS))
    found = first_of(*in_flight, np.full(len(rate), fixed))
    alone = np.full(len(rate), _SINGLE_STREAM_TOKENS if "decode_tok_s" in columns else float("nan"))
    full = np.isnan(found) & np.isnan(rate) & bool(_MAXIMUM in columns or "benchmark" in columns)
    return Load(
        in_flight=found,
        input_tokens=first_of(*(numbers(columns, n) for n in _INPUTS), rules["input_tokens"], alone, _prompts(columns)),
        output_tokens=first_of(*(numbers(columns, n) for n in _OUTPUTS), rules["output_tokens"], alone),
        requests_per_second=np.where(np.isnan(found), rate, np.nan),
        at_capacity=full,
    )


def is_whole_batch(columns: Columns) -> bool:
    """Tables that give a batch but neither users nor a limit of sequences measure one batch from start to end."""
    return ("batch_size" in columns or "decode_tok_s" in columns) and not (
        "concurrency" in columns or "max_num_seqs" in columns
    )


def models(columns: Columns) -> list[str]:
    """Model names; of benchmarks the model that their rules name."""
    known = table("benchmarks")["serving"]
    ruled = [str(known.get(b, {}).get("model", "")) for b in text(columns, "benchmark")]
    return [name or rule for name, rule in zip(text(columns, "model"), ruled)]


def parameter_counts(columns: Columns) -> tuple[Floats, Floats, Floats]:
    """Total parameters, active parameters and experts a layer of every row, NaN where the table does not say.

    `parameter_count` is a law's N: what a token passes through, and all there is unless `total_parameter_count` or
    `expert_count` says otherwise.
    """
    active = first_of(numbers(columns, "active_params_b") * 1e9, numbers(columns, "parameter_count"))
    total = first_of(numbers(columns, "total_params_b") * 1e9, numbers(columns, "total_parameter_count"))
    experts = numbers(columns, "expert_count")
    return np.where(np.isnan(total) & ~(experts > 1.0), active, total), active, experts


def stated_precisions(columns: Columns) -> list[str]:
    """The first stated weight format of every row."""
    known = table("benchmarks")["serving"]
    ruled = [str(known.get(b, {}).get("precision", "")) for b in text(columns, "benchmark")]
    options = (text(columns, n) for n in ("precision", "quant", "weight_precision", "weight_dtype", "dtype"))
    plain = [["" if v == "UNSET" else v for v in option] for option in options]
    return [next((v for v in row if v), "") for row in zip(*plain, ruled)]


def engines(columns: Columns) -> list[str]:
    """Engine names in lower case."""
    default = "llama.cpp" if "decode_tok_s" in columns else ""
    return [name.lower() or default for name in text(columns, "framework")]


def _rules(columns: Columns) -> dict[str, Floats]:
    fields = ("input_tokens", "output_tokens")
    if "benchmark" not in columns:
        return {f: np.full(row_count(columns), np.nan) for f in fields}
    known = table("benchmarks")["serving"]
    names = text(columns, "benchmark")
    return {f: np.array([float(known.get(n, {}).get(f, "nan")) for n in names]) for f in fields}


def _prompts(columns: Columns) -> Floats:
    """Prompt lengths of tasks that do not state them (`calibration.toml`, section `task_prompt_tokens`)."""
    if "avg_output_len" not in columns:
        return np.full(row_count(columns), np.nan)
    known = calibration("task_prompt_tokens")
    return np.array([float(known.get(t, known["other"])) for t in text(columns, "task")])
