"""The command line: exit codes, JSON on standard output and nothing else there, one clear message elsewhere."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from apportion.cli.main import main
from apportion.demo import RUNS


class Ran(NamedTuple):
    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        return json.loads(self.out)


Run = Callable[..., Ran]


@pytest.fixture
def run(endpoint: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    monkeypatch.setenv("APPORTION_ENDPOINT", endpoint)
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments: object) -> Ran:
        monkeypatch.setattr(sys, "argv", ["apportion", *map(str, arguments)])
        with pytest.raises(SystemExit) as left:
            main()
        out, err = capsys.readouterr()
        return Ran(int(left.value.code or 0), out, err)

    return run


@pytest.fixture
def yaml(tmp_path: Path) -> Callable[[str], Path]:
    def write(text: str) -> Path:
        path = tmp_path / "request.yaml"
        path.write_text(text)
        return path

    return write


# ── done ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_laws_are_listed_and_shown(run: Run) -> None:
    names = [law["name"] for law in run("laws", "list", "--output", "json").document["laws"]]
    assert "laws/besiroglu-2024" in names
    law = run("laws", "show", "besiroglu-2024", "-o", "json").document
    assert law["form"] == "chinchilla"
    assert law["coefficients"]["alpha"] == pytest.approx(0.3478)
    assert law["grade"] == "A"
    assert "besiroglu-2024" in run("laws", "list").out
    assert "alpha" in run("laws", "show", "laws/besiroglu-2024").out


def test_forms_are_compared(run: Run) -> None:
    arguments = (RUNS, "--forms", "chinchilla,data-constrained", "--where", "epochs <= 4", "--holdout", "N > 3e9")
    found = run("compare", *arguments, "--bootstrap", "50", "--output", "json").document
    assert found["chosen_form"] in ("chinchilla", "data-constrained")
    assert found["statement"]
    assert {"nearest-run", "log-plane", "constant"} <= {score["form"] for score in found["ranking"]}
    shown = run("compare", *arguments, "--bootstrap", "50").out
    assert "data-constrained" in shown
    assert "runs fitted" in shown
    assert run("compare", RUNS, "--forms", "chinchila").code == 2


def test_a_prediction_shows_its_terms(run: Run, tmp_path: Path) -> None:
    points = tmp_path / "points.csv"
    points.write_text("N,D,loss\n1e9,2e10,2.61\n", encoding="utf-8")
    row = run("predict", "besiroglu-2024", str(points), "--terms", "--output", "json").document["rows"][0]
    assert row["model_term"] + row["data_term"] + row["floor_term"] == pytest.approx(row["predicted_loss"])
    assert row["learning_deficiency"] == pytest.approx(2.61 - row["predicted_loss"])


def test_a_coefficient_is_held_by_a_flag(run: Run) -> None:
    fit = ("fit", RUNS, "--form", "chinchilla", "--where", "epochs <= 4", "--bootstrap", "5")
    assert run(*fit, "--fix", "E=1.8", "--output", "json").document["coefficients"]["E"] == 1.8
    assert run(*fit, "--fix", "E=much").code == 2


def test_targets_and_approaches_are_compared(run: Run) -> None:
    few = ("--where", "epochs <= 4", "--bootstrap", "20")
    several = run("compare", RUNS, "--targets", "loss", "--forms", "chinchilla", *few, "-o", "json").document
    assert several["chosen_form"] == several["targets"]["loss"]["chosen_form"] == "chinchilla"
    assert "loss" in run("compare", RUNS, "--targets", "loss", "--forms", "chinchilla", *few).out
    ways = run("compare", RUNS, "--approaches", *few, "--output", "json").document
    assert [way["name"] for way in ways["approaches"]] == ["envelope", "isoflop", "parametric"]
    assert ways["pooled"]["lower"] <= ways["pooled"]["upper"]
    assert "disagreement" in run("compare", RUNS, "--approaches", *few).out
    assert run("compare", RUNS, "--approaches", "--forms", "kaplan").code == 2


def test_a_training_plan_as_json_has_the_contract_names(run: Run) -> None:
    done = run("plan", "training", "--law", "besiroglu-2024", "--training-flops", "1e22", "--output", "json")
    assert done.code == 0
    assert done.err == ""
    plan = done.document
    assert plan["outcome"] == "OPTIMAL"
    assert plan["decision"]["training_flops"] == pytest.approx(1e22)
    assert set(plan["metrics"]["loss"]) >= {"value", "lower", "upper"}
    assert set(plan["certificate"]) >= {"relative_gap", "feasible", "method"}
    assert {"binding", "elasticities", "alternatives", "diagnosis", "warnings", "provenance"} <= plan.keys()


def test_a_plan_from_yaml_equals_the_plan_from_flags(run: Run, yaml: Callable[[str], Path]) -> None:
    request = yaml("law: muennighoff-2023\ntraining-flops: 1e22\nunique_token_count: 25e9\nalternatives: 1\n")
    from_file = run("plan", "training", "-f", request, "-o", "json").document
    flags = ("--law", "muennighoff-2023", "--training-flops", "1e22", "--unique-tokens", "25e9", "--alternatives", 1)
    from_flags = run("plan", "training", *flags, "-o", "json").document
    assert from_file["decision"] == from_flags["decision"]


def test_flags_override_the_file(run: Run, yaml: Callable[[str], Path]) -> None:
    request = yaml("training_flops: 1e20\n")
    plan = run("plan", "training", "-f", request, "--training-flops", "1e21", "-o", "json").document
    assert plan["decision"]["training_flops"] == pytest.approx(1e21)


def test_a_request_may_come_by_standard_input(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("{training_flops: 1.0e+21}"))
    assert run("plan", "training", "-f", "-", "-o", "json").code == 0


def test_a_deployment_plan_is_drawn_for_people(run: Run) -> None:
    flags = ["--model", "Meta-Llama-3.1-8B", "--requests-per-second", 2, "--input-tokens", 512, "--output-tokens", 128]
    done = run("plan", "deployment", *flags, "--max-tpot-seconds", 0.05, "--accelerator", "H100-SXM", "--explain")
    assert done.code == 0
    for words in ("Deployment plan", "OPTIMAL", "H100-SXM", "usd_per_million_tokens", "certificate"):
        assert words in done.out


def test_a_lifecycle_plan_in_flops_alone(run: Run) -> None:
    flags = ("--law", "besiroglu-2024", "--as-good-as", "30e9", "--inference-tokens", "5e12")
    plan = run("plan", "lifecycle", *flags, "-o", "json").document
    # Sardana et al.'s condition solved for these coefficients.
    assert plan["decision"]["parameter_count"] == pytest.approx(1.366e10, rel=5e-3)
    assert plan["decision"]["token_count"] == pytest.approx(1.728e12, rel=5e-3)


def test_a_fit_prints_the_law_and_predicts(run: Run, tmp_path: Path) -> None:
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


def test_runs_are_imported_listed_and_deleted(run: Run) -> None:
    before = run("runs", "list", "-o", "json").document
    stored = run("runs", "import", RUNS, "--name", "by-hand", "-o", "json").document
    assert stored["row_count"] == 294
    assert "runSets/by-hand" in run("runs", "list").out
    assert run("runs", "delete", "by-hand").code == 0
    assert run("runs", "import", RUNS, "--validate-only").code == 0
    assert run("runs", "list", "-o", "json").document == before


def test_plans_are_listed_shown_and_deleted(run: Run) -> None:
    run("plan", "training", "--training-flops", "1e22", "--plan-id", "mine")
    assert "plans/mine" in run("plans", "list").out
    shown = run("plans", "show", "mine", "--explain", "-o", "json").document
    assert shown["explanation"]
    assert run("plans", "delete", "mine").code == 0
    assert run("plans", "show", "mine").code == 2


def test_a_front_is_written_as_page_table_and_picture(run: Run, tmp_path: Path, yaml: Callable[[str], Path]) -> None:
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
    run: Run, tmp_path: Path, what: str, header: str, row: str, predicted: str
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


def test_rows_that_cannot_run_are_said_with_the_reason_and_the_nearest_name(run: Run, tmp_path: Path) -> None:
    points = tmp_path / "points.csv"
    points.write_text("model,system,tp,precision,isl,osl,concurrency\nLlama-3.1-70B,H1000,8,fp8,1024,1024,16\n")
    told = run("estimate", "serving", points)
    assert told.code == 0
    assert "row 1: accelerator = H1000: no such accelerator; nearest: H100-SXM" in " ".join(told.out.split())


# ── infeasible, unavailable ──────────────────────────────────────────────────────────────────────────────────


def test_an_infeasible_plan_exits_3_and_says_what_blocks_it(run: Run) -> None:
    wishes = ("--max-loss", 2.0, "--training-flops", "1e20", "--law", "besiroglu-2024")
    told = run("plan", "training", *wishes, "-o", "json")
    assert told.code == 3
    assert told.document["outcome"] == "INFEASIBLE"
    assert told.document["conflicts"]
    assert told.document["relaxation"]
    drawn = run("plan", "training", *wishes)
    assert drawn.code == 3
    assert "cannot hold together" in drawn.out


def test_an_infeasible_front_exits_3(run: Run) -> None:
    wishes = ("--objectives", "loss,lifetime_flops", "--inference-tokens", "1e12")
    told = run("front", *wishes, "--max-loss", 1.9, "--training-flops", "1e19", "-o", "json")
    assert told.code == 3
    assert told.document["points"] == []


def test_nobody_there_exits_4(run: Run) -> None:
    told = run("laws", "list", "--endpoint", "127.0.0.1:1", "-o", "json")
    assert (told.code, told.out) == (4, "")
    assert "127.0.0.1:1" in told.err


def test_out_of_time_exits_4(run: Run) -> None:
    told = run("plan", "training", "--training-flops", "1e22", "--timeout-seconds", "0.001")
    assert told.code == 4


# ── bad input ────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["plan", "training", "--training-flops", "nan"], ["training_flops", "nan", "finite"]),
        (["plan", "training", "--training-flops", "1e200"], ["training_flops", "1e+200", "between"]),
        (["plan", "training", "--training-flops", "lots"], ["training_flops", "lots", "a number"]),
        (["plan", "training"], ["at least one"]),
        (["plan", "training", "--training-flops", "1e22", "--law", "hofman-2022"], ["law", "hoffmann-2022"]),
        (
            ["plan", "training", "--budget-usd", "1e6", "--price-usd-per-hour", "H100-SXM=-2"],
            ["price_usd_per_hour[H100-SXM]", "-2"],
        ),
        (["plan", "training", "--budget-usd", "1e6", "--accelerator", "H300"], ["H300"]),
        (["plan", "training", "--training-flops", "1e22", "--limit", "beauty=3"], ["beauty"]),
        (["plan", "deployment", "--model", "Llama-3.1-70B"], ["workload"]),
        (["laws", "show", "nothing-like-it"], ["nothing-like-it"]),
        (["plans", "show", "nothing-like-it"], ["nothing-like-it"]),
        (["predict", "besiroglu-2024", "/nowhere.csv"], ["points", "/nowhere.csv"]),
        (["plan", "training", "-f", "/nowhere.yaml"], ["file", "/nowhere.yaml"]),
        (["front", "--objectives", "loss", "--inference-tokens", "1e12", "--training-flops", "1e22"], ["objectives"]),
        (["laws", "list", "--endpoint", "nowhere"], ["endpoint", "nowhere", "host:port"]),
        (["plan", "training", "--trainingflops", "1"], ["--trainingflops"]),
        (["no-such-command"], ["no-such-command"]),
        (["laws", "list", "--output", "xml"], ["xml", "json"]),
        (["fit", str(RUNS)], ["--form"]),
        (["fit", str(RUNS), "--form", "no-such-form"], ["form", "no-such-form"]),
        (["fit", str(RUNS), "--form", "chinchilla", "--where", "epochs <"], ["filter"]),
        (["fit", str(RUNS), "--form", "chinchilla", "--bootstrap", "-1"], ["bootstrap"]),
        (["fit", str(RUNS), "--form", "chinchilla", "--map", "N"], ["map", "name=value"]),
    ],
    ids=lambda value: " ".join(value)[:60],
)
def test_bad_input_exits_2_and_names_field_value_and_what_is_allowed(
    run: Run, arguments: list[str], words: list[str]
) -> None:
    before = run("runs", "list", "-o", "json").document
    told = run(*arguments)
    assert (told.code, told.out) == (2, "")
    for word in words:
        assert word in told.err
    assert "Traceback" not in told.err
    assert run("runs", "list", "-o", "json").document == before


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", ["runs", "empty"]),
        ("N,D,loss\n", ["runs", "at least one row"]),
        ("N,D,loss\n1e9,2e10,2.5\n", ["1"]),
        ("N,D,loss\n1e9,2e10,2.5\nbig,4e10,2.4\n2e9,1e10,2.6\n", ["N", "big"]),
        ("N,D,loss\n1e9,2e10,2.5\n2e9,4e10\n", ["line 3"]),
        ("N,D,loss\n1e9,2e10,nan\n2e9,4e10,2.4\n", ["loss"]),
        ("N,D,loss\n1e9,2e10,-3\n2e9,4e10,2.4\n", ["loss"]),
        ("N,D\n1e9,2e10\n2e9,4e10\n", ["loss"]),
        ("\x00\x01\x02", ["runs"]),
    ],
)
def test_a_hostile_table_of_runs_exits_2_and_leaves_nothing_stored(
    run: Run, tmp_path: Path, content: str, words: list[str]
) -> None:
    path = tmp_path / "runs.csv"
    path.write_text(content)
    before = run("runs", "list", "-o", "json").document
    told = run("fit", path, "--form", "chinchilla", "-o", "json")
    assert (told.code, told.out) == (2, "")
    for word in words:
        assert word in told.err
    assert run("runs", "list", "-o", "json").document == before


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("training_flop: 1e22\n", ["training_flop", "did you mean training_flops?"]),
        ("hardware: {acelerators: [H100-SXM]}\n", ["hardware.acelerators", "accelerator"]),
        ("timeout_seconds: 3\n", ["timeout_seconds"]),
        ("training_flops: 1e22\nexplain: maybe\n", ["explain", "true or false"]),
        ("[1, 2]\n", ["a mapping"]),
        ("a: [\n", ["YAML"]),
        ("", ["a mapping"]),
        ("training_flops: 1e22\nplan_id: 'Not A Name'\n", ["plan_id"]),
    ],
)
def test_a_bad_request_file_exits_2(run: Run, yaml: Callable[[str], Path], text: str, words: list[str]) -> None:
    told = run("plan", "training", "-f", yaml(text))
    assert (told.code, told.out) == (2, "")
    for word in words:
        assert word in told.err


def test_a_picture_that_cannot_be_written_exits_2(run: Run) -> None:
    wishes = ("--objectives", "loss,lifetime_flops", "--inference-tokens", "1e12", "--training-flops", "1e22")
    told = run("front", *wishes, "--max-loss", 2.6, "--points", 3, "--csv", "/nowhere/at/all.csv")
    assert told.code == 2
    assert "/nowhere/at/all.csv" in told.err


# ── the whole process ────────────────────────────────────────────────────────────────────────────────────────


def test_without_an_endpoint_a_server_is_started_for_the_call_and_keeps_its_store(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "APPORTION_ENDPOINT"}
    command = [sys.executable, "-m", "apportion", "--store", str(tmp_path / "kept.db"), "plan", "training"]
    done = subprocess.run(
        [*command, "--training-flops", "1e22", "--plan-id", "kept", "-o", "json"],
        capture_output=True,
        text=True,
        env=environment,
        cwd=tmp_path,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["name"] == "plans/kept"
    command = [sys.executable, "-m", "apportion", "plans", "show", "kept", "--store", str(tmp_path / "kept.db")]
    again = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=tmp_path, check=False)
    assert again.returncode == 0
    assert "plans/kept" in again.stdout


def test_the_version_is_told() -> None:
    done = subprocess.run([sys.executable, "-m", "apportion", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "0.1.0"
