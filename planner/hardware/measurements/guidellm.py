"""Reports of GuideLLM: `benchmarks`, one entry a load, each with distributions of its successful requests.

Its `inter_token_latency_ms` is the time per output token after the first, what is called TPOT here; its own
`time_per_output_token_ms` has counted the first token in since 0.3. Like vLLM's results a report knows nothing of the
server but the model's name. Field names as in vllm-project/guidellm `src/guidellm/benchmark/schemas`, versions 0.2 to
0.8 (read 2026-11-22).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from planner.hardware.measurements.cells import Row, inside, positive, require_most_succeeded, said

_CLOSED = {"synchronous", "concurrent"}


def is_report(record: Mapping[str, Any]) -> bool:
    """Is this such a report?"""
    return isinstance(record.get("benchmarks"), list)


def row(benchmark: Mapping[str, Any], report: Mapping[str, Any]) -> Row:
    """The measurement of one entry of a report. Raises Unusable."""
    totals = inside(benchmark, "metrics", "request_totals") or inside(benchmark, "request_totals")
    succeeded = positive(totals, "successful") or 0.0
    if totals:
        require_most_succeeded(succeeded, succeeded + (positive(totals, "errored") or 0.0))
    return {
        "system": "",
        "model": _model(benchmark, report),
        "isl": _mean(benchmark, "prompt_token_count"),
        "osl": _mean(benchmark, "output_token_count"),
        "concurrency": _in_flight(benchmark),
        "ttft_ms": _mean(benchmark, "time_to_first_token_ms"),
        "tpot_ms": _mean(benchmark, "inter_token_latency_ms"),
        "output_tok_s": _mean(benchmark, "output_tokens_per_second"),
    }


def _mean(benchmark: Mapping[str, Any], quantity: str) -> float | None:
    found = inside(benchmark, "metrics", quantity, "successful")
    mean = positive(found, "mean")
    total, count = positive(found, "total_sum"), positive(found, "count")
    return mean if mean is not None or not (total and count) else total / count


def _in_flight(benchmark: Mapping[str, Any]) -> float | None:
    """The streams of a closed loop; of any other load how many requests were in flight on average."""
    strategy = inside(benchmark, "config", "strategy") or inside(benchmark, "args", "strategy")
    kind = said(strategy, "type_", "kind").lower()
    if kind == "synchronous":
        return 1.0
    streams = positive(strategy, "streams", "max_concurrency") if kind in _CLOSED else None
    return streams or _mean(benchmark, "request_concurrency")


def _model(benchmark: Mapping[str, Any], report: Mapping[str, Any]) -> str:
    places = (
        inside(benchmark, "config", "backend"),
        inside(benchmark, "worker"),
        inside(report, "args", "backend_kwargs"),
        inside(report, "args"),
        inside(report, "config", "spec", "backend"),
    )
    return next((name for place in places if (name := said(place, "model", "backend_model"))), "")
