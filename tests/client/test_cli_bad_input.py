"""Bad input on the command line: exit code 2, nothing on standard output, one message that names what is wrong."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from apportion.demo import RUNS


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
    run: Callable[..., Any], arguments: list[str], words: list[str]
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
    run: Callable[..., Any], tmp_path: Path, content: str, words: list[str]
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
def test_a_bad_request_file_exits_2(
    run: Callable[..., Any], yaml: Callable[[str], Path], text: str, words: list[str]
) -> None:
    told = run("plan", "training", "-f", yaml(text))
    assert (told.code, told.out) == (2, "")
    for word in words:
        assert word in told.err
