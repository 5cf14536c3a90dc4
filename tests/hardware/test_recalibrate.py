"""Refitting the serving constants on a user's own measurements."""

from __future__ import annotations

import csv
import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from planner.errors import InvalidInput
from planner.hardware import SHIPPED, Catalogue, estimate_serving, recalibrate

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
    plain, own = (estimate_serving(_table(12), c) for c in (SHIPPED, Catalogue(calibration=found)))
    for quantity, tolerance in (("tpot_seconds", 0.06), ("ttft_seconds", 0.12)):
        slower = np.array(own[f"predicted_{quantity}"]) / np.array(plain[f"predicted_{quantity}"])
        assert slower == pytest.approx(np.full(12, 1.4), rel=tolerance)


def test_measurements_that_agree_leave_the_constants_alone() -> None:
    found = recalibrate(_measured(_table(), 1.0))
    assert found.tpot_level == pytest.approx(1.0, abs=0.02)
    assert found.tpot_error_after < 0.01


def test_what_one_model_shows_is_carried_to_others_in_part_only() -> None:
    own = Catalogue(calibration=recalibrate(_measured(_table(), 1.4)))
    other = {**_table(12), "model": ["Qwen3-32B"] * 12}
    ratio = np.array(estimate_serving(other, own)["predicted_tpot_seconds"])
    ratio /= np.array(estimate_serving(other)["predicted_tpot_seconds"])
    assert ((ratio > 1.1) & (ratio < 1.39)).all()


def test_models_that_differ_in_name_only_share_what_was_measured() -> None:
    own = Catalogue(calibration=recalibrate(_measured(_table(), 1.4)))
    named = {**_table(12), "model": ["meta-llama/Llama-3.1-70B-Instruct"] * 12}
    ratio = np.array(estimate_serving(named, own)["predicted_tpot_seconds"])
    ratio /= np.array(estimate_serving(named)["predicted_tpot_seconds"])
    assert ratio == pytest.approx(np.full(12, 1.4), rel=0.06)


def test_intervals_are_narrower_where_it_was_measured_and_nowhere_else() -> None:
    own = Catalogue(calibration=recalibrate(_measured(_table(), 1.4)))

    def spread(table: dict[str, list[Any]], catalogue: Catalogue) -> float:
        found = estimate_serving(table, catalogue)
        return float(found["predicted_tpot_seconds_upper"][0] / found["predicted_tpot_seconds_lower"][0])

    other = {**_table(12), "system": ["h200_sxm"] * 12}
    assert estimate_serving(_table(12), own)["calibrated"] == [True] * 12
    assert estimate_serving(other, own)["calibrated"] == [False] * 12
    assert "calibrated" not in estimate_serving(other)
    assert spread(_table(12), own) < spread(_table(12), SHIPPED)
    assert spread(other, own) == pytest.approx(spread(other, SHIPPED))


def test_rows_that_cannot_be_used_are_named_with_a_reason_and_change_nothing() -> None:
    table = _measured(_table(), 1.4)
    spoilt = {name: [*cells, *cells[:3]] for name, cells in table.items()}
    spoilt["system"][24] = "no such chip"
    spoilt["tpot_ms"][25] = float("nan")
    spoilt["precision"][26], spoilt["tp"][26], spoilt["model"][26] = "bf16", 1, "Llama-3.1-405B"
    found = recalibrate(spoilt)
    assert found.row_count == 24
    assert [*found.refused] == [24, 25, 26]
    assert "no such chip" in found.refused[24]
    assert "tpot_ms" in found.refused[25]
    assert "memory" in found.refused[26]
    assert found.tpot_level == pytest.approx(recalibrate(table).tpot_level)


def test_a_calibration_travels_between_processes() -> None:
    own = Catalogue(calibration=recalibrate(_measured(_table(), 1.4)))
    assert estimate_serving(_table(), pickle.loads(pickle.dumps(own))) == estimate_serving(_table(), own)
    hash(own)


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
    predicted = estimate_serving({n: [r[n] for r in rest] for n in rows[0]}, Catalogue(calibration=found))
    ratio = 1e3 * np.array(predicted["predicted_tpot_seconds"]) / np.array([float(r["tpot_ms"]) for r in rest])
    assert np.nanmedian(np.abs(ratio - 1.0)) <= 0.08
