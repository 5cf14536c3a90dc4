"""Estimates on the command line: tables come back with predictions, intervals and reasons."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


@pytest.mark.parametrize(
    ("what", "header", "row", "predicted"),
    [
        (
            "serving",
            "model,system,n_gpus,tp,precision,isl,osl,concurrency",
            "meta-llama/Meta-Llama-3.1-70B,h100_sxm,8,8,fp8,1024,1024,16",
            "predicted_ttft_seconds predicted_tpot_seconds predicted_output_tokens_per_second",
        ),
        (
            "energy",
            "model,gpu,num_gpus,tp,max_num_seqs,avg_batch_size,avg_output_len,weight_precision",
            "Qwen/Qwen3-14B,H100,1,1,32,32,7000,bfloat16",
            "predicted_joules_per_token predicted_power_watts",
        ),
        (
            "training",
            "model,n_params,accelerator,n_accel,precision,seq_len,global_batch_seqs,tp,pp",
            "MPT-30b,30019254272,h100_80gb,64,amp_bf16,2048,1024,1,1",
            "predicted_tokens_per_second_per_accelerator",
        ),
    ],
)
def test_estimates_add_predictions_with_intervals(
    run: Callable[..., Any], tmp_path: Path, what: str, header: str, row: str, predicted: str
) -> None:
    points = tmp_path / "points.csv"
    points.write_text(f"{header}\n{row}\n")
    (answer,) = run("estimate", what, points, "-o", "json").document["rows"]
    assert isinstance(answer["supported"], bool)
    for name in predicted.split():
        assert answer[f"{name}_lower"] <= answer[name] <= answer[f"{name}_upper"]
    (line,) = csv.DictReader(io.StringIO(run("estimate", what, points, "--output", "csv").out))
    assert list(line)[: len(header.split(","))] == header.split(",")
    assert line["supported"] in ("true", "false")


def test_rows_that_cannot_run_are_said_with_the_reason_and_the_nearest_name(
    run: Callable[..., Any], tmp_path: Path
) -> None:
    points = tmp_path / "points.csv"
    points.write_text("model,system,tp,precision,isl,osl,concurrency\nLlama-3.1-70B,H1000,8,fp8,1024,1024,16\n")
    told = run("estimate", "serving", points)
    assert told.code == 0
    assert "row 1: accelerator = H1000: no such accelerator; nearest: H100-SXM" in " ".join(told.out.split())
