"""Laws on the command line: fitted, compared, asked for predictions; the runs behind them."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from apportion.demo import RUNS


def test_laws_are_listed_and_shown(run: Callable[..., Any]) -> None:
    names = [law["name"] for law in run("laws", "list", "--output", "json").document["laws"]]
    assert "laws/besiroglu-2024" in names
    law = run("laws", "show", "besiroglu-2024", "-o", "json").document
    assert law["form"] == "chinchilla"
    assert law["coefficients"]["alpha"] == pytest.approx(0.3478)
    assert law["grade"] == "A"
    assert "besiroglu-2024" in run("laws", "list").out
    assert "alpha" in run("laws", "show", "laws/besiroglu-2024").out


def test_a_fit_prints_the_law_and_predicts(run: Callable[..., Any], tmp_path: Path) -> None:
    fitted = run("fit", RUNS, "--form", "chinchilla", "--where", "epochs <= 4", "--bootstrap", 50, "-o", "json")
    assert fitted.code == 0
    law = fitted.document
    assert {"coefficients", "intervals", "objective_value", "compute_optimal_exponent", "diagnostics"} <= law.keys()
    points = tmp_path / "points.csv"
    points.write_text("note,params,tokens\nb,1e9,2e10\na,2e9,4e10\n")
    mapping = ("--map", "params=parameter_count", "--map", "tokens=token_count")
    as_csv = run("predict", law["name"], points, *mapping, "--output", "csv")
    rows = list(csv.DictReader(io.StringIO(as_csv.out)))
    assert [row["note"] for row in rows] == ["b", "a"]
    assert list(rows[0])[:3] == ["note", "params", "tokens"]
    assert float(rows[0]["predicted_loss_lower"]) < float(rows[0]["predicted_loss"])
    as_json = run("predict", law["name"], points, *mapping, "-o", "json").document
    assert [row["params"] for row in as_json["rows"]] == [1e9, 2e9]
    assert as_json["rows"][0]["predicted_loss"] == pytest.approx(float(rows[0]["predicted_loss"]))
    assert "predicted_loss" in run("predict", law["name"], points, *mapping).out
    assert run("laws", "delete", law["name"], "-o", "json").document == {"deleted": law["name"]}


def test_a_coefficient_is_held_by_a_flag(run: Callable[..., Any]) -> None:
    fit = ("fit", RUNS, "--form", "chinchilla", "--where", "epochs <= 4", "--bootstrap", "5")
    assert run(*fit, "--fix", "E=1.8", "--output", "json").document["coefficients"]["E"] == 1.8
    assert run(*fit, "--fix", "E=much").code == 2


def test_a_prediction_shows_its_terms(run: Callable[..., Any], tmp_path: Path) -> None:
    points = tmp_path / "points.csv"
    points.write_text("N,D,loss\n1e9,2e10,2.61\n", encoding="utf-8")
    row = run("predict", "besiroglu-2024", str(points), "--terms", "--output", "json").document["rows"][0]
    assert row["model_term"] + row["data_term"] + row["floor_term"] == pytest.approx(row["predicted_loss"])
    assert row["learning_deficiency"] == pytest.approx(2.61 - row["predicted_loss"])


def test_forms_are_compared(run: Callable[..., Any]) -> None:
    arguments = (RUNS, "--forms", "chinchilla,data-constrained", "--where", "epochs <= 4", "--holdout", "N > 3e9")
    found = run("compare", *arguments, "--bootstrap", "50", "--output", "json").document
    assert found["chosen_form"] in ("chinchilla", "data-constrained")
    assert found["statement"]
    assert {"nearest-run", "log-plane", "constant"} <= {score["form"] for score in found["ranking"]}
    shown = run("compare", *arguments, "--bootstrap", "50").out
    assert "data-constrained" in shown
    assert "runs fitted" in shown
    assert run("compare", RUNS, "--forms", "chinchila").code == 2


def test_targets_and_approaches_are_compared(run: Callable[..., Any]) -> None:
    few = ("--where", "epochs <= 4", "--bootstrap", "20")
    several = run("compare", RUNS, "--targets", "loss", "--forms", "chinchilla", *few, "-o", "json").document
    assert several["chosen_form"] == several["targets"]["loss"]["chosen_form"] == "chinchilla"
    assert "loss" in run("compare", RUNS, "--targets", "loss", "--forms", "chinchilla", *few).out
    ways = run("compare", RUNS, "--approaches", *few, "--output", "json").document
    assert [way["name"] for way in ways["approaches"]] == ["envelope", "isoflop", "parametric"]
    assert ways["pooled"]["lower"] <= ways["pooled"]["upper"]
    assert "disagreement" in run("compare", RUNS, "--approaches", *few).out
    assert run("compare", RUNS, "--approaches", "--forms", "kaplan").code == 2


def test_runs_are_imported_listed_and_deleted(run: Callable[..., Any]) -> None:
    before = run("runs", "list", "-o", "json").document
    stored = run("runs", "import", RUNS, "--name", "by-hand", "-o", "json").document
    assert stored["row_count"] == 294
    assert "runSets/by-hand" in run("runs", "list").out
    assert run("runs", "delete", "by-hand").code == 0
    assert run("runs", "import", RUNS, "--validate-only").code == 0
    assert run("runs", "list", "-o", "json").document == before


def test_a_law_whose_form_was_chosen_says_which_forms_were_left_out(run: Callable[..., Any], tmp_path: Path) -> None:
    runs = tmp_path / "runs.csv"
    rows = [(n, d) for n in (1e8, 3e8, 1e9, 3e9) for d in (2e9, 6e9, 2e10, 6e10)]
    lines = [f"{n},{d},{1.8172 + 482.01 / n**0.3478 + 2085.43 / d**0.3658:.3f}" for n, d in rows]
    runs.write_text("\n".join(["N,D,loss", *lines]), encoding="utf-8")
    fit = ("fit", runs, "--form", "auto", "--bootstrap", 10)
    law = run(*fit, "--output", "json").document
    assert law["excluded_forms"]
    assert law["form"] not in law["excluded_forms"]
    shown = " ".join(run("laws", "show", law["name"]).out.split())
    for form, why in law["excluded_forms"].items():
        assert form in shown
        assert why in shown
