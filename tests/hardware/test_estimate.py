"""Whole tables: order kept, blanks where a row cannot be run, errors and coverage on measurements."""

from __future__ import annotations

import csv
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from planner.errors import InvalidInput
from planner.hardware import estimate_energy, estimate_serving, estimate_training

LOOP = {
    "system": ["h100_sxm", "h100_sxm", "a100_sxm", "abacus", "h100_sxm", "h100_sxm"],
    "model": ["meta-llama/Llama-3.1-70B"] * 5 + ["no/such-model"],
    "precision": ["fp8", "bf16", "fp8", "fp8", "fp8", "fp8"],
    "framework": ["vllm"] * 6,
    "n_gpus": ["4", "1", "4", "4", "6", "4"],
    "tp": ["4", "1", "4", "4", "3", "4"],
    "isl": ["1024"] * 6,
    "osl": ["1024"] * 6,
    "concurrency": ["16"] * 6,
}


def test_rows_that_cannot_be_run_are_marked_and_blank_and_order_is_kept() -> None:
    result = estimate_serving(LOOP)
    # fits; does not fit in memory; no fp8 on A100; unknown chip; three ranks do not divide the heads; unknown model
    assert result["supported"] == [True, False, False, False, False, False]
    for name, column in result.items():
        assert len(column) == 6, name
        if name not in ("supported", "unsupported_reason"):
            assert np.isfinite(column[0])
            assert np.isnan(column[1:]).all()
    assert result["predicted_tpot_seconds"][0] == pytest.approx(0.013192, rel=0.3)  # InferenceX, 2025-10
    lower, upper = result["predicted_tpot_seconds_lower"][0], result["predicted_tpot_seconds_upper"][0]
    assert lower < result["predicted_tpot_seconds"][0] < upper


def test_a_table_without_needed_columns_is_refused_naming_all_of_them() -> None:
    with pytest.raises(InvalidInput) as caught:
        estimate_serving({"system": ["H100"]})
    assert len(caught.value.violations) >= 3
    with pytest.raises(InvalidInput):
        estimate_serving({**LOOP, "isl": ["1024"]})


def test_gpt_oss_in_fp4_runs_on_chips_without_fp4_since_its_products_are_16_bit() -> None:
    rows = {name: [values[0]] for name, values in LOOP.items()}
    assert estimate_serving({**rows, "model": ["openai/gpt-oss-120b"], "precision": ["fp4"]})["supported"] == [True]
    assert estimate_serving({**rows, "precision": ["fp4"]})["supported"] == [False]


def test_an_empty_table_gives_empty_columns() -> None:
    result = estimate_serving({name: [] for name in LOOP})
    assert result["supported"] == []
    assert result["predicted_ttft_seconds"] == []


def test_a_table_of_unrunnable_rows_only() -> None:
    result = estimate_serving({name: [values[3]] for name, values in LOOP.items()})
    assert result["supported"] == [False]


def test_whole_batches_and_split_pools_are_understood() -> None:
    batch = estimate_serving(
        {
            "hardware": ["Nvidia A100 GPU"],
            "n_devices": [1],
            "framework": ["vLLM"],
            "model": ["meta-llama/Llama-2-7b-hf"],
            "input_len": [1024],
            "output_len": [1024],
            "batch_size": [16],
        }
    )
    # LLM-Inference-Bench (BSD-3): 16 sequences of 1024 + 1024 tokens in 25.05 s
    assert batch["predicted_output_tokens_per_second"][0] == pytest.approx(16 * 1024 / 25.05, rel=0.35)
    split = estimate_serving(
        {
            "system": ["gb200"],
            "model": ["moonshotai/Kimi-K2.5"],
            "precision": ["fp4"],
            "mode": ["disagg"],
            "framework": ["trtllm"],
            "n_gpus": [36],
            "isl": [1024],
            "osl": [1024],
            "concurrency": [192],
            "prefill_num_workers": [1],
            "prefill_tp_size": [1],
            "prefill_attention_dp_size": [4],
            "decode_num_workers": [4],
            "decode_tp_size": [8],
            "decode_attention_dp_size": [1],
            "decode_moe_ep_size": [8],
        }
    )
    assert split["predicted_tpot_seconds"][0] == pytest.approx(0.0117, rel=0.35)  # InferenceX, 2026-04


def test_parameter_counts_do_instead_of_a_known_model() -> None:
    columns = {
        "task": ["lm-arena-chat"] * 2,
        "model": ["Qwen/Qwen3-14B", "someone/unheard-of-14b"],
        "total_params_b": [14.8, 14.8],
        "active_params_b": [14.8, 14.8],
        "weight_precision": ["bfloat16"] * 2,
        "gpu": ["H100"] * 2,
        "num_gpus": [1, 1],
        "max_num_seqs": [32, 32],
        "avg_output_len": [700.0, 700.0],
    }
    result = estimate_energy(columns)
    assert result["supported"] == [True, True]
    known, made = result["predicted_joules_per_token"]
    assert made == pytest.approx(known, rel=0.3)
    assert known == pytest.approx(493.9 / 2023.2, rel=0.4)  # ML.ENERGY v3: watts over tokens a second


def test_training_rows_give_speed_and_hours() -> None:
    result = estimate_training(
        {
            "model": ["MPT-70b", "Llama-2-7B", "x"],
            "n_params": [64862437376, 6.7e9, ""],
            "tokens": ["", 2e12, ""],
            "accelerator": ["h100_80gb", "A100-SXM-80GB", "H100"],
            "n_accel": [64, "", 8],
            "precision": ["amp_bf16", "", ""],
            "seq_len": [2048, "", ""],
            "act_ckpt": ["True", "", ""],
        }
    )
    assert result["supported"] == [True, True, False]
    assert result["predicted_tokens_per_second_per_accelerator"][0] == pytest.approx(1039, rel=0.35)  # llm-foundry
    assert np.isnan(result["predicted_accelerator_hours"][0])
    assert 184_320 / 2 < result["predicted_accelerator_hours"][1] < 184_320 * 2  # model card


def read(path: Path) -> dict[str, list[str]]:
    with path.open(newline="", encoding="utf-8") as handle:
        rows = list(csv.DictReader(handle))
    return {name: [row[name] for row in rows] for name in rows[0]}


def test_median_errors_and_coverage_on_all_closed_loop_measurements(shared_data: Path) -> None:
    table = read(shared_data / "hardware" / "serving_inferencex.csv")
    result = estimate_serving(table)
    sound = np.array([m == "agg" and not d for m, d in zip(table["mode"], table["doubt"])]) & np.array(
        result["supported"]
    )
    for quantity, worst in (("tpot", 0.15), ("ttft", 0.40)):
        measured = np.array([float(v or "nan") for v in table[f"{quantity}_ms"]])[sound] / 1e3
        predicted = np.array(result[f"predicted_{quantity}_seconds"])[sound]
        assert np.median(np.abs(predicted / measured - 1)) < worst
        lower, upper = (np.array(result[f"predicted_{quantity}_seconds_{end}"])[sound] for end in ("lower", "upper"))
        assert 0.75 < np.mean((lower <= measured) & (measured <= upper)) <= 0.97


def _serving(**changes: Any) -> dict[str, list[Any]]:
    row = {
        "system": "H100",
        "model": "Llama-3.1-70B",
        "precision": "fp8",
        "n_gpus": 8,
        "tp": 8,
        "isl": 1000,
        "osl": 500,
    }
    return {name: [value] for name, value in {**row, "concurrency": 16, **changes}.items()}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"system": "H100000"}, "nearest: H100"),
        ({"model": "Llama-3.1-71B"}, "Llama-3.1-70B"),
        ({"tp": 3}, "does not divide"),
        ({"tp": 16}, "more than the 8 accelerators"),
        ({"system": "A100", "precision": "fp8"}, "a format that A100-SXM-80GB multiplies in"),
        ({"precision": "fp3"}, "precision = fp3"),
        ({"n_gpus": 1, "tp": 1, "precision": "bf16", "model": "Llama-3.1-405B"}, "do not fit"),
        ({"isl": 1e9}, "the cache of one request do not fit"),
        ({"concurrency": ""}, "blank or not positive"),
        ({"isl": "many"}, "isl = many is not a number"),
        ({"osl": -5}, "blank or not positive"),
    ],
)
def test_what_cannot_run_is_unsupported_blank_and_explained(changes: dict[str, Any], words: str) -> None:
    good = estimate_serving(_serving())
    assert good["supported"] == [True]
    assert good["unsupported_reason"] == [""]
    for estimate in (estimate_serving, estimate_energy):
        found = estimate(_serving(**changes))
        assert found["supported"] == [False]
        assert words in found["unsupported_reason"][0]
        assert all(math.isnan(v[0]) for name, v in found.items() if name.startswith("predicted_"))


def test_training_that_cannot_run_is_unsupported_and_blank() -> None:
    row = {"accelerator": "H100", "model": "Llama-3.1-8B", "n_accel": 64, "precision": "bf16", "tokens": 1e12}
    good = {name: [value] for name, value in row.items()}
    assert estimate_training(good)["supported"] == [True]
    for name, value in (("accelerator", "x"), ("model", "x"), ("precision", "fp3"), ("tp", 3), ("n_accel", 1)):
        found = estimate_training({**good, name: [value]})
        assert found["supported"] == [False]
        assert math.isnan(found["predicted_accelerator_hours"][0])


def test_columns_of_other_benchmarks_are_understood() -> None:
    tables: list[dict[str, list[Any]]] = [
        {"benchmark": ["llama2-70b-99"], "accelerator": ["NVIDIA H100-SXM-80GB"], "n_accel": [8], "target_qps": [50]},
        {
            "model": ["DeepSeek-R1-0528"], "gpu": ["B200"], "parallel": ["DEP4"], "n_gpus": ["4"], "precision": ["fp4"],
            "isl": ["1000"], "osl": ["1000"], "max_output_tok_s_per_gpu": ["6463"],
        },
        {
            "model": ["llama2-70b"], "hardware": ["a100-80gb"], "tp": ["4"], "prompt_size": ["512"],
            "batch_size": ["4"], "output_tokens": ["128"],
        },
        {"gpu": ["A100 SXM"], "n_gpus": ["1"], "model": ["LLaMA-3-8B"], "quant": ["Q4_K_M"], "decode_tok_s": ["133"]},
    ]  # fmt: skip
    for table in tables:
        assert estimate_serving(table)["supported"] == [True]
    training = {"benchmark": ["gpt3"], "accelerator": ["TPU-v5p"], "n_accel": ["2048"], "global_batch": ["4096"]}
    assert estimate_training(training)["supported"] == [True]


def test_long_tables_repeat_what_short_ones_say() -> None:
    short = {n: v * 3 for n, v in _serving().items()} | {"concurrency": [1, 16, 256], "tp": [8, 8, 3]}
    long = estimate_serving({n: v * 500 for n, v in short.items()})
    once = estimate_serving(short)
    for name, values in once.items():
        assert np.array_equal(long[name], values * 500, equal_nan=not isinstance(values[0], (str, bool)))


def test_an_empty_table_has_no_answers() -> None:
    empty: dict[str, list[Any]] = {name: [] for name in _serving()}
    assert estimate_serving(empty)["supported"] == []
    assert estimate_energy(empty)["supported"] == []
    assert estimate_training({"accelerator": [], "model": []})["supported"] == []


def test_a_cell_that_is_no_number_gives_a_reason_and_no_number():
    table = {"system": ["H100-SXM"] * 2, "model": ["Llama-3.1-8B"] * 2, "isl": ["1024"] * 2, "osl": ["1024"] * 2}
    answer = estimate_serving({**table, "concurrency": ["8", "8"], "tp": ["1", "four"]})
    assert list(answer["supported"]) == [True, False]
    assert answer["unsupported_reason"][1] == "tp = four is not a number"
    assert np.isnan(answer["predicted_tpot_seconds"][1])
