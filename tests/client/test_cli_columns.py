"""Columns of tables on the command line: named, mapped, and in billions."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

SIZES = (7e7, 2e8, 6e8, 1.8e9, 5e9)
TOKENS = (1.4e9, 5.6e9, 2.2e10, 9e10)
FEW = ("--bootstrap", 0, "--output", "json")


def loss(parameters: float, tokens: float) -> float:
    """Besiroglu et al. 2024, arXiv 2404.10102."""
    return float(1.8172 + 482.01 / parameters**0.3478 + 2085.43 / tokens**0.3658)


@pytest.fixture
def billions(tmp_path: Path) -> Callable[..., Path]:
    """A table of runs whose parameters and tokens are in billions, under the headers given."""

    def write(size: str, tokens: str) -> Path:
        rows = [f"{n / 1e9},{d / 1e9},{loss(n, d)}" for n in SIZES for d in TOKENS]
        path = tmp_path / "billions.csv"
        path.write_text("\n".join([f"{size},{tokens},loss", *rows]), encoding="utf-8")
        return path

    return write


def test_a_law_of_a_mapped_column_in_billions_is_that_of_counts(
    run: Callable[..., Any], billions: Callable[..., Path], tmp_path: Path
) -> None:
    mapping = ("--map", "size*1e9=parameter_count")
    runs = billions("size", "tokens (B)")
    law = run("fit", runs, "--form", "chinchilla", *mapping, *FEW).document
    assert law["coefficients"]["alpha"] == pytest.approx(0.3478, rel=1e-3)
    assert law["coefficients"]["B"] == pytest.approx(2085.43, rel=0.02)
    assert law["provenance"]["option.column of parameter_count"] == "size*1e9"
    assert law["provenance"]["option.column of token_count"] == "tokens (B)*1e9"
    assert "token_count is derived: tokens (B)*1e9, by its header" in str(law["warnings"])

    points = tmp_path / "points.csv"
    points.write_text("size,tokens (B)\n7,140\n", encoding="utf-8")
    exact = pytest.approx(loss(7e9, 1.4e11), rel=1e-4)
    as_fitted = run("predict", law["name"], points, "--output", "json").document["rows"][0]
    assert as_fitted["predicted_loss"] == exact, "the columns of the fit are read as they were in the fit"
    published = run("predict", "besiroglu-2024", points, *mapping, "--output", "json").document["rows"][0]
    assert published["predicted_loss"] == exact
    assert published["size"] == 7, "the points come back as they were given"


def test_every_command_that_takes_a_mapping_takes_a_factor(
    run: Callable[..., Any], billions: Callable[..., Path]
) -> None:
    runs = billions("size", "D [1e9]")
    mapping = ("--map", "size*1e9=N")
    compared = run("compare", runs, "--forms", "chinchilla", *mapping, *FEW)
    assert compared.document["chosen_form"] == "chinchilla"
    plan = run("sensitivity", runs, "--training-flops", "1e21", *mapping, "--output", "json").document
    whole = next(row for row in plan["rows"] if row["treatment"] == "as given")
    assert whole["parameter_count"] > 1e8


@pytest.mark.parametrize(
    ("mapping", "words"),
    [
        ("size*many=parameter_count", ["column_variables", "size*many", "N*1e9"]),
        ("size*-1e9=parameter_count", ["column_variables", "size*-1e9"]),
        ("sise*1e9=parameter_count", ["sise", "size"]),
        ("size*1e9=parameters_count", ["parameters_count", "parameter_count"]),
    ],
)
def test_a_mapping_that_makes_no_sense_is_refused_alike(
    run: Callable[..., Any], billions: Callable[..., Path], mapping: str, words: list[str]
) -> None:
    runs = billions("size", "tokens_b")
    for command in (("fit", runs, "--form", "chinchilla"), ("compare", runs), ("predict", "besiroglu-2024", runs)):
        told = run(*command, "--map", mapping)
        assert told.code == 2
        for word in words:
            assert word in told.err
