"""Columns in thousands, millions and billions: read from the header, stated by the mapping, asked about otherwise."""

from __future__ import annotations

import numpy as np
import pytest

from planner.errors import InvalidInput, UnknownName
from planner.fitting import Runs, columns_of_variables, fit_law, observe
from planner.laws import Chinchilla, law

TRUTH = law("besiroglu-2024").form
N, D = (grid.ravel() for grid in np.meshgrid(np.geomspace(1e8, 8e9, 5), np.geomspace(2e9, 5e11, 5)))
LOSS = np.asarray(TRUTH.loss(parameter_count=N, token_count=D))


def table(**columns: np.ndarray) -> Runs:
    return Runs.from_columns({**columns, "loss": LOSS})


def read(runs: Runs) -> dict[str, str]:
    return {variable: str(source) for variable, source in columns_of_variables(runs).items() if variable != "loss"}


@pytest.mark.parametrize(
    ("header", "factor"),
    [
        ("N (B)", 1e9),
        ("N(M)", 1e6),
        ("N [1e6]", 1e6),
        ("N / 10^9", 1e9),
        ("N (×10⁹)", 1e9),
        ("# Parameters (B)", 1e9),
        ("total_params_M", 1e6),
        ("params_b", 1e9),
        ("num_params_b", 1e9),
        ("N_active (B)", 1e9),
        ("params_millions", 1e6),
        ("params in billions", 1e9),
        ("billion_params", 1e9),
        ("Parameters (million)", 1e6),
    ],
)
def test_a_header_that_names_its_unit_is_read(header: str, factor: float) -> None:
    seen = observe(table(**{header: N / factor, "D": D}), Chinchilla)
    assert seen.variables["parameter_count"] == pytest.approx(N)
    written = {1e9: "1e9", 1e6: "1e6"}[factor]
    assert seen.columns["parameter_count"] == f"{header}*{written}"
    assert seen.training_flops == pytest.approx(6 * N * D)


@pytest.mark.parametrize(
    ("header", "factor"),
    [("tokens_b", 1e9), ("tokens (B)", 1e9), ("D [1e9]", 1e9), ("tokens_trillions", 1e12), ("tokensB", 1e9)],
)
def test_so_is_one_of_tokens(header: str, factor: float) -> None:
    seen = observe(table(N=N, **{header: D / factor}), Chinchilla)
    assert seen.variables["token_count"] == pytest.approx(D)


def test_compute_in_petaflop_days_gives_tokens() -> None:
    seen = observe(table(N=N, **{"compute (PF-days)": 6 * N * D / 8.64e19}), Chinchilla)
    assert seen.variables["token_count"] == pytest.approx(D)


def test_values_must_bear_out_what_a_letter_means() -> None:
    """`params_b` of counts is the parameters of model b; two units for one name say nothing."""
    assert "parameter_count" not in read(table(params_b=N, D=D))
    assert "parameter_count" not in read(table(**{"N (B)": N / 1e9, "N (M)": N / 2e6, "D": D}))
    with pytest.raises(InvalidInput, match="such as params_b=parameter_count"):
        observe(table(params_b=N, D=D), Chinchilla)


def test_a_plain_name_comes_before_one_with_a_unit() -> None:
    assert read(table(N=N, **{"params (B)": N / 1e9, "D": D})) == {"parameter_count": "N", "token_count": "D"}


def test_the_unit_of_a_header_is_a_caution_and_a_record_of_the_law() -> None:
    fitted = fit_law(table(**{"N (B)": N / 1e9, "D": D}), bootstrap=0)
    assert "parameter_count is derived: N (B)*1e9, by its header" in {
        w.sentence for w in fitted.warnings if w.code == "DERIVED_COLUMN"
    }
    assert fitted.provenance.options["column of parameter_count"] == "N (B)*1e9"
    assert fitted.form.loss(parameter_count=1e9, token_count=2e10) == pytest.approx(
        TRUTH.loss(parameter_count=1e9, token_count=2e10), rel=1e-6
    )


@pytest.mark.parametrize("stated", ["size*1e9", "size * 1e9", "size*1000000000"])
def test_a_mapping_may_state_a_factor(stated: str) -> None:
    runs = table(size=N / 1e9, D=D)
    seen = observe(runs, Chinchilla, mapping={stated: "parameter_count"})
    assert seen.variables["parameter_count"] == pytest.approx(N)
    assert seen.columns["parameter_count"] == "size*1e9"
    assert not seen.sources["parameter_count"].by_header


def test_a_loss_in_bits_is_mapped_to_nats() -> None:
    runs = Runs.from_columns({"N": N, "D": D, "bits": LOSS / np.log(2)})
    factor = float(np.log(2))
    seen = observe(runs, Chinchilla, mapping={f"bits*{factor!r}": "loss"})
    assert seen.losses == pytest.approx(LOSS)
    assert seen.columns["loss"] == f"bits*{factor!r}", "with every digit, so that it can be read back"


def test_a_column_whose_name_has_a_star_is_a_column() -> None:
    assert (
        observe(table(**{"N*1e9": N, "D": D}), Chinchilla, mapping={"N*1e9": "N"}).columns["parameter_count"] == "N*1e9"
    )


def test_how_a_scaled_column_counts_is_known_by_its_name_or_by_what_it_is_mapped_to() -> None:
    assert observe(table(**{"N_active (B)": N / 1e9, "D": D}), Chinchilla).counting == "active"
    both = table(**{"total_params_b": 8 * N / 1e9, "Active Params (B)": N / 1e9, "D": D})
    assert observe(both, Chinchilla).counting == "active"
    assert observe(both, Chinchilla).variables["parameter_count"] == pytest.approx(N)
    assert read(both)["total_parameter_count"] == "total_params_b*1e9"
    mapped = observe(table(size=N / 1e9, D=D), Chinchilla, mapping={"size*1e9": "N_nonemb"})
    assert mapped.counting == "non_embedding"


@pytest.mark.parametrize("number", ["billion", "0", "-1e9", "nan", "inf", "1e9x", ""])
def test_a_factor_is_a_positive_number(number: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        observe(table(size=N, D=D), Chinchilla, mapping={f"size*{number}": "parameter_count"})
    (violation,) = refused.value.violations
    assert (violation.field, violation.value) == ("mapping", f"size*{number}")
    assert "N*1e9" in violation.allowed


def test_the_column_of_a_factor_must_be_there_and_so_must_the_variable() -> None:
    with pytest.raises(UnknownName, match="nearest: size"):
        observe(table(size=N, D=D), Chinchilla, mapping={"sise*1e9": "parameter_count"})
    with pytest.raises(UnknownName, match="parameter_count"):
        columns_of_variables(table(size=N, D=D), {"size": "parameters_count"})


@pytest.mark.parametrize(("name", "divisor", "unit"), [("N", 1e9, "billions"), ("N", 1e6, "millions")])
def test_plain_names_with_small_values_are_asked_about(name: str, divisor: float, unit: str) -> None:
    fitted = fit_law(table(N=N / divisor, D=D), bootstrap=0)
    sentences = [w.sentence for w in fitted.warnings if w.code == "SUSPECT_UNITS"]
    assert any(f"is it in {unit}? then map N*{divisor:.0e}=parameter_count".replace("e+0", "e") in s for s in sentences)


def test_more_tokens_than_any_run_has_seen_are_asked_about() -> None:
    runs = Runs.from_columns({"tokens": np.geomspace(1e12, 5e14, 9), "loss": np.geomspace(3.0, 2.0, 9)})
    fitted = fit_law(runs, "power-of-tokens", bootstrap=0)
    assert any("no published run" in w.sentence for w in fitted.warnings if w.code == "SUSPECT_UNITS")


@pytest.mark.parametrize(
    ("cell", "number"),
    [
        ("70M", 7e7),
        ("1.3B", 1.3e9),
        ("1.3 billion", 1.3e9),
        ("7b", 7e9),
        ("1,300,000", 1.3e6),
        ("2e9", 2e9),
        ("5k", 5e3),
    ],
)
def test_a_cell_may_say_its_unit(cell: str, number: float) -> None:
    runs = table(params=np.array([cell, *(f"{n:.6g}" for n in N[1:])]), D=D)
    assert observe(runs, Chinchilla).variables["parameter_count"][0] == pytest.approx(number)


@pytest.mark.parametrize("cell", ["big", "7 bananas", "B", "1,3", "1.3.0", "--5", "7e9 of them"])
def test_a_cell_that_says_no_number_is_named(cell: str) -> None:
    with pytest.raises(InvalidInput, match=r"\(row 1\): a number in every chosen row"):
        observe(table(params=np.array([cell, *(f"{n:.6g}" for n in N[1:])]), D=D), Chinchilla)


@pytest.mark.parametrize(("stated", "scale"), [("1-acc", 1.0), ("1 - acc", 1.0), ("1-percent*0.01", 100.0)])
def test_an_accuracy_is_mapped_to_an_error(stated: str, scale: float) -> None:
    name = "percent" if scale > 1 else "acc"
    errors = LOSS / 10.0
    runs = Runs.from_columns({"N": N, "D": D, name: scale * (1.0 - errors)})
    seen = observe(runs, Chinchilla, mapping={stated: "loss"})
    assert seen.losses == pytest.approx(errors)
    assert seen.columns["loss"] == stated.replace(" ", "")


@pytest.mark.parametrize(
    ("size", "tokens", "compute"),
    [
        ("Model Size", "Training Tokens", "Training FLOP"),
        ("num_parameters", "tokens seen", "Train FLOPs"),
        ("model-size", "total_tokens", "compute"),
    ],
)
def test_names_are_understood_however_their_words_are_joined(size: str, tokens: str, compute: str) -> None:
    found = read(table(**{size: N, tokens: D, compute: 6 * N * D}))
    assert found == {"parameter_count": size, "token_count": tokens, "training_flops": compute}


def test_a_size_in_words_is_no_count() -> None:
    runs = Runs.from_columns(
        {"model_size": ["small", "large"] * 12, "D": D[:24], "C": (6 * N * D)[:24], "loss": LOSS[:24]}
    )
    assert observe(runs, Chinchilla).variables["parameter_count"] == pytest.approx(N[:24])
