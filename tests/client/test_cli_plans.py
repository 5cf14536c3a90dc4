"""Plans and fronts on the command line: from flags, files and standard input, for programs and for people."""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


def test_a_training_plan_as_json_has_the_contract_names(run: Callable[..., Any]) -> None:
    done = run("plan", "training", "--law", "besiroglu-2024", "--training-flops", "1e22", "--output", "json")
    assert done.code == 0
    assert done.err == ""
    plan = done.document
    assert plan["outcome"] == "OPTIMAL"
    assert plan["decision"]["training_flops"] == pytest.approx(1e22)
    assert set(plan["metrics"]["loss"]) >= {"value", "lower", "upper"}
    assert set(plan["certificate"]) >= {"relative_gap", "feasible", "method"}
    assert {"binding", "elasticities", "alternatives", "diagnosis", "warnings", "provenance"} <= plan.keys()


def test_a_plan_from_yaml_equals_the_plan_from_flags(run: Callable[..., Any], yaml: Callable[[str], Path]) -> None:
    request = yaml("law: muennighoff-2023\ntraining-flops: 1e22\nunique_token_count: 25e9\nalternatives: 1\n")
    from_file = run("plan", "training", "-f", request, "-o", "json").document
    flags = ("--law", "muennighoff-2023", "--training-flops", "1e22", "--unique-tokens", "25e9", "--alternatives", 1)
    from_flags = run("plan", "training", *flags, "-o", "json").document
    assert from_file["decision"] == from_flags["decision"]


def test_flags_override_the_file(run: Callable[..., Any], yaml: Callable[[str], Path]) -> None:
    request = yaml("training_flops: 1e20\n")
    plan = run("plan", "training", "-f", request, "--training-flops", "1e21", "-o", "json").document
    assert plan["decision"]["training_flops"] == pytest.approx(1e21)


def test_a_request_may_come_by_standard_input(run: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("{training_flops: 1.0e+21}"))
    assert run("plan", "training", "-f", "-", "-o", "json").code == 0


def test_a_deployment_plan_is_drawn_for_people(run: Callable[..., Any]) -> None:
    flags = ["--model", "Meta-Llama-3.1-8B", "--requests-per-second", 2, "--input-tokens", 512, "--output-tokens", 128]
    done = run("plan", "deployment", *flags, "--max-tpot-seconds", 0.05, "--accelerator", "H100-SXM", "--explain")
    assert done.code == 0
    for words in ("Deployment plan", "OPTIMAL", "H100-SXM", "usd_per_million_tokens", "certificate"):
        assert words in done.out


def test_a_lifecycle_plan_in_flops_alone(run: Callable[..., Any]) -> None:
    flags = ("--law", "besiroglu-2024", "--as-good-as", "30e9", "--inference-tokens", "5e12")
    plan = run("plan", "lifecycle", *flags, "-o", "json").document
    # Sardana et al.'s condition solved for these coefficients.
    assert plan["decision"]["parameter_count"] == pytest.approx(1.366e10, rel=5e-3)
    assert plan["decision"]["token_count"] == pytest.approx(1.728e12, rel=5e-3)


def test_plans_are_listed_shown_and_deleted(run: Callable[..., Any]) -> None:
    run("plan", "training", "--training-flops", "1e22", "--plan-id", "mine")
    assert "plans/mine" in run("plans", "list").out
    shown = run("plans", "show", "mine", "--explain", "-o", "json").document
    assert shown["explanation"]
    assert run("plans", "delete", "mine").code == 0
    assert run("plans", "show", "mine").code == 2


def test_a_front_is_written_as_page_table_and_picture(
    run: Callable[..., Any], tmp_path: Path, yaml: Callable[[str], Path]
) -> None:
    request = yaml(
        "objectives: [loss, lifetime_flops]\npoints: 6\n"
        "problem: {inference_token_count: 1e12, training_flops: 1e22, max_loss: 2.6}\n"
    )
    page, table, picture = tmp_path / "f.html", tmp_path / "f.csv", tmp_path / "f.png"
    done = run("front", "-f", request, "--html", page, "--csv", table, "--png", picture, "-o", "json")
    assert done.code == 0
    front = done.document
    assert front["hypervolume_gap"] >= 0
    assert len(list(csv.DictReader(table.open()))) == len(front["points"]) >= 2
    assert picture.read_bytes().startswith(b"\x89PNG")
    text = page.read_text()
    assert "plotly" in text
    assert "http-equiv" not in text
    assert '<script src="http' not in text


def test_a_picture_that_cannot_be_written_exits_2(run: Callable[..., Any]) -> None:
    wishes = ("--objectives", "loss,lifetime_flops", "--inference-tokens", "1e12", "--training-flops", "1e22")
    told = run("front", *wishes, "--max-loss", 2.6, "--points", 3, "--csv", "/nowhere/at/all.csv")
    assert told.code == 2
    assert "/nowhere/at/all.csv" in told.err


def test_an_infeasible_plan_exits_3_and_says_what_blocks_it(run: Callable[..., Any]) -> None:
    wishes = ("--max-loss", 2.0, "--training-flops", "1e20", "--law", "besiroglu-2024")
    told = run("plan", "training", *wishes, "-o", "json")
    assert told.code == 3
    assert told.document["outcome"] == "INFEASIBLE"
    assert told.document["conflicts"]
    assert told.document["relaxation"]
    drawn = run("plan", "training", *wishes)
    assert drawn.code == 3
    assert "cannot hold together" in drawn.out


def test_an_infeasible_front_exits_3(run: Callable[..., Any]) -> None:
    wishes = ("--objectives", "loss,lifetime_flops", "--inference-tokens", "1e12")
    told = run("front", *wishes, "--max-loss", 1.9, "--training-flops", "1e19", "-o", "json")
    assert told.code == 3
    assert told.document["points"] == []
