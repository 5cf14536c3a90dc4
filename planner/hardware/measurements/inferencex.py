"""Results of InferenceX (formerly InferenceMAX): one JSON object a point, or a list of them.

`hw` is the name of a runner (`b200-nvd`), latencies are in seconds (`mean_ttft`, `mean_tpot`), `conc` is the closed
loop's users. On one node `tp` counts all GPUs, and `dp_attention` says that attention is data parallel over them; sets
of separate pools state each pool's GPUs and workers. Field names as in SemiAnalysisAI/InferenceX,
`infx/results` and `utils/process_result.py` (read 2026-11-22).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from planner.hardware.measurements.cells import Row, Unusable, milliseconds, positive, said, truth

_ENGINES = {"trt": "trtllm"}


def is_result(record: Mapping[str, Any]) -> bool:
    """Is this such a result?"""
    return "hw" in record and "conc" in record


def row(record: Mapping[str, Any]) -> Row:
    """The measurement. Raises Unusable."""
    speculation = said(record, "spec_decoding", "mtp").lower()
    if speculation not in ("", "none", "false", "off"):
        raise Unusable(f"measured with speculative decoding ({speculation})")
    found: Row = {
        "system": re.split(r"[-_:]", said(record, "hw"))[0],
        "model": said(record, "model"),
        "precision": said(record, "precision"),
        "framework": _engine(said(record, "framework")),
        "isl": positive(record, "isl"),
        "osl": positive(record, "osl"),
        "concurrency": positive(record, "conc"),
        "ttft_ms": milliseconds(positive(record, "mean_ttft", "median_ttft")),
        "tpot_ms": milliseconds(positive(record, "mean_tpot", "median_tpot")),
    }
    if truth(record, "disagg"):
        return (
            found | {"mode": "disagg", "n_gpus": _pooled(record)} | _pool(record, "prefill") | _pool(record, "decode")
        )
    degree = positive(record, "tp")
    pipeline = positive(record, "pp") or 1.0
    attention = degree if truth(record, "dp_attention") else None
    return found | {
        "mode": "agg",
        "tp": 1.0 if attention else degree,
        "pp": pipeline,
        "attn_dp": attention or 1.0,
        "moe_ep": positive(record, "ep"),
        "n_gpus": degree * pipeline if degree else None,
        "output_tok_s": _whole(positive(record, "output_tput_per_gpu"), degree),
    }


def _engine(name: str) -> str:
    """`dynamo-trt`, `trt-mtp`: routers and methods aside, the engine."""
    parts = [part for part in name.lower().split("-") if part not in ("dynamo", "mtp", "disagg", "mori", "mooncake")]
    return _ENGINES.get(parts[0], parts[0]) if parts else ""


def _pooled(record: Mapping[str, Any]) -> float | None:
    counts = [positive(record, f"num_{side}_gpu") for side in ("prefill", "decode")]
    return None if None in counts else sum(c for c in counts if c)


def _pool(record: Mapping[str, Any], side: str) -> Row:
    degree = positive(record, f"{side}_tp")
    attention = degree if truth(record, f"{side}_dp_attention") else None
    return {
        f"{side}_num_workers": positive(record, f"{side}_num_workers"),
        f"{side}_tp_size": 1.0 if attention else degree,
        f"{side}_pp_size": positive(record, f"{side}_pp") or 1.0,
        f"{side}_attention_dp_size": attention or 1.0,
        f"{side}_moe_ep_size": positive(record, f"{side}_ep"),
    }


def _whole(each: float | None, count: float | None) -> float | None:
    return each * count if each and count else None
