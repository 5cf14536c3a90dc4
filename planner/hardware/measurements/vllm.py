"""Results of vLLM's serving benchmark (`vllm bench serve`, formerly `benchmark_serving.py`) and of SGLang's.

One JSON object a run: `model_id`, `backend`, `max_concurrency`, `request_rate`, `completed`, totals of tokens, and
`mean_*_ms` beside medians and percentiles; whatever was given as `--metadata KEY=VALUE` lies beside them. It knows
nothing of the server: accelerator, precision and layout come from the metadata or from whoever calls. Field names as in
vllm-project/vllm `vllm/benchmarks/serve.py` and sgl-project/sglang `bench_serving.py` (read 2026-11-22).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from planner.hardware.measurements.cells import Row, Unusable, positive, require_most_succeeded, said

_ENGINES = ("vllm", "sglang", "trtllm", "tensorrt-llm")  # other backends name a protocol, not an engine


def is_result(record: Mapping[str, Any]) -> bool:
    """Is this such a result?"""
    return "completed" in record and ("mean_tpot_ms" in record or "median_tpot_ms" in record)


def row(record: Mapping[str, Any]) -> Row:
    """The measurement. Raises Unusable."""
    completed = positive(record, "completed")
    if completed is None:
        raise Unusable("no request was completed")
    require_most_succeeded(completed, positive(record, "num_prompts"))
    inputs, outputs = positive(record, "total_input_tokens"), positive(record, "total_output_tokens")
    backend = said(record, "backend", "endpoint_type").lower()
    found: Row = {
        "system": said(record, "accelerator", "gpu", "gpu_type", "hardware", "device"),
        "model": said(record, "model_id", "model"),
        "precision": said(record, "precision", "quantization", "dtype"),
        "framework": said(record, "engine", "framework") or (backend if backend in _ENGINES else ""),
        "tp": positive(record, "tensor_parallel_size", "tensor_parallel", "tp"),
        "pp": positive(record, "pipeline_parallel_size", "pipeline_parallel", "pp"),
        "n_gpus": positive(record, "n_gpus", "num_gpus", "gpu_count"),
        "isl": inputs / completed if inputs else None,
        "osl": outputs / completed if outputs else None,
        "ttft_ms": positive(record, "mean_ttft_ms", "median_ttft_ms"),
        "tpot_ms": positive(record, "mean_tpot_ms", "median_tpot_ms"),
        "output_tok_s": positive(record, "output_throughput"),
    }
    return found | {"concurrency": _in_flight(record, found)}


def _in_flight(record: Mapping[str, Any], found: Row) -> float | None:
    """The closed loop's users; under an arrival rate what Little's law makes of throughput and time in the system."""
    users = positive(record, "max_concurrency")
    if users is not None and positive(record, "request_rate") is None:  # "inf": all users ask at once
        return min(users, positive(record, "num_prompts") or users)
    rate = positive(record, "request_throughput")
    if rate is None or not (found["ttft_ms"] and found["tpot_ms"] and found["osl"]):
        return users
    in_flight: float = rate * (found["ttft_ms"] + (found["osl"] - 1.0) * found["tpot_ms"]) / 1e3
    return max(1.0, min(in_flight, users or in_flight))
