"""Refitting the serving constants on a user's own measurements."""

from __future__ import annotations

import csv
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from planner.errors import InvalidInput
from planner.hardware import estimate_serving, recalibrate

SHARED = Path(os.environ.get("APPORTION_SHARED", Path(__file__).parents[3] / "shared"))


def _table(rows: int = 24) -> dict[str, list[Any]]:
    rng = np.random.default_rng(3)
    return {
        "system": ["h100_sxm"] * rows,
        "model": ["Llama-3.1-70B"] * rows,
        "precision": ["fp8"] * rows,
        "framework": ["vllm"] * rows,
        "tp": rng.choice([2, 4, 8], rows).tolist(),
        "isl": rng.choice([512, 1024, 4096], rows).tolist(),
        "osl": rng.choice([256, 1024], rows).tolist(),
        "concurrency": rng.choice([1, 4, 16, 64], rows).tolist(),
    }


def _measured(table: dict[str, list[Any]], slower: float) -> dict[str, list[Any]]:
    found = estimate_serving(table)
    milliseconds = {f"{q}_ms": [1e3 * slower * v for v in found[f"predicted_{q}_seconds"]] for q in ("tpot", "ttft")}
    return {**table, **milliseconds}


def test_a_stack_that_is_slower_throughout_is_learnt() -> None:
    found = recalibrate(_measured(_table(), 1.4))
    assert found.tpot_error_before > 0.25
    assert found.tpot_error_after < 0.04
    points, times = found.times(_table(12))
    plain = np.array(estimate_serving(_table(12))["predicted_tpot_seconds"])
    assert times.tpot_seconds == pytest.approx(1.4 * plain[points.rows], rel=0.06)


def test_measurements_that_agree_leave_the_constants_alone() -> None:
    found = recalibrate(_measured(_table(), 1.0))
    assert found.tpot_level == pytest.approx(1.0, abs=0.02)
    assert found.tpot_error_after < 0.01


def test_what_cannot_be_fitted_is_refused() -> None:
    with pytest.raises(InvalidInput, match="tpot_ms"):
        recalibrate(_table())
    with pytest.raises(InvalidInput, match="rows"):
        recalibrate(_measured(_table(2), 1.0))


def test_twenty_measured_rows_predict_the_rest_within_eight_per_cent() -> None:
    path = SHARED / "data" / "hardware" / "serving_inferencex.csv"
    if not path.is_file():
        pytest.skip(f"no measurements in {path}")
    with path.open(newline="", encoding="utf-8") as handle:
        rows = [r for r in csv.DictReader(handle) if r["mode"] == "agg" and r["system"] == "h100_sxm"]
    rows = [r for r in rows if r["model"] == "Qwen/Qwen3-32B"]
    order = np.random.default_rng(0).permutation(len(rows))
    known, rest = ([rows[i] for i in part] for part in (order[:20], order[20:]))
    found = recalibrate({n: [r[n] for r in known] for n in rows[0]})
    points, times = found.times({n: [r[n] for r in rest] for n in rows[0]})
    measured = np.array([float(rest[i]["tpot_ms"]) for i in points.rows]) / 1e3
    assert np.median(np.abs(times.tpot_seconds / measured - 1.0)) <= 0.08
