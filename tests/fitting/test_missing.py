"""What is said of tables that cannot be used as they are: a mapping, a condition or a form that would do."""

from __future__ import annotations

import numpy as np
import pytest

from planner.errors import InvalidInput, UnknownName
from planner.fitting import Runs, chosen_rows, columns_of_variables, observe
from planner.laws import Chinchilla

N, D = (grid.ravel() for grid in np.meshgrid(np.geomspace(1e8, 8e9, 5), np.geomspace(2e9, 5e11, 5)))
LOSS = 1.8 + 482.0 / N**0.348 + 2085.0 / D**0.366


def table(**columns: np.ndarray) -> Runs:
    return Runs.from_columns({**columns, "loss": LOSS})


@pytest.mark.parametrize("header", ["N_B", "N_T"])
def test_one_letter_after_another_is_not_guessed_but_asked_about(header: str) -> None:
    factor, written = (1e9, "1e9") if header == "N_B" else (1e12, "1e12")
    runs = table(**{header: N / factor, "D": D})
    assert "parameter_count" not in columns_of_variables(runs)
    with pytest.raises(InvalidInput) as refused:
        observe(runs, Chinchilla)
    assert f"{header}*{written}=parameter_count" in str(refused.value)


@pytest.mark.parametrize(
    ("column", "guess"),
    [("web_loss", "web_loss"), ("top1_error", "top1_error"), ("acc1", "1-acc1"), ("bleu", "COLUMN")],
)
def test_a_missing_loss_is_asked_for_by_what_is_likely_to_hold_it(column: str, guess: str) -> None:
    runs = Runs.from_columns({"N": N, "D": D, column: LOSS / 10.0, "other_loss" if "loss" in column else "x": LOSS})
    with pytest.raises(InvalidInput, match=f"such as {guess}=loss"):
        observe(runs, Chinchilla)


def test_columns_are_listed_once_and_not_at_any_length() -> None:
    runs = Runs.from_columns({**{f"column{k}": N for k in range(40)}, "model": ["70M"] * len(N)})
    with pytest.raises(InvalidInput) as refused:
        observe(runs, Chinchilla)
    fields = [violation.field for violation in refused.value.violations]
    assert fields == ["parameter_count", "token_count", "loss"]
    assert str(refused.value).count("among: ") == 1
    assert "and 25 more" in str(refused.value)
    assert "such as model=parameter_count" in str(refused.value)


def test_rows_that_cannot_be_used_are_told_with_the_condition_that_leaves_them_out() -> None:
    for name, bad, condition in (("D", 0.0, "D > 0"), ("tokens (B)", 0.0, ""), ("D", np.inf, "D < 1e+20")):
        seen = np.where(np.arange(len(D)) < 2, bad, D / (1e9 if "B" in name else 1.0))
        with pytest.raises(InvalidInput) as refused:
            observe(table(N=N, **{name: seen}), Chinchilla)
        assert f"where '{condition}' leaves such rows out" in str(refused.value) or not condition
    zero = np.where(np.arange(len(D)) < 2, 0.0, D)
    assert len(observe(table(N=N, D=zero), Chinchilla, where="D > 0").losses) == len(D) - 2


@pytest.mark.parametrize("expression", ["`N (B)` > 1 and `in` == 0", "1 < `N (B)`", "not (`N (B)` <= 1)"])
def test_a_column_whose_name_is_no_word_is_quoted_in_conditions(expression: str) -> None:
    runs = Runs.from_columns({"N (B)": [0.5, 2.0, 3.0], "in": [0, 0, 0]})
    assert chosen_rows(runs, expression).tolist() == [False, True, True]


@pytest.mark.parametrize("expression", ["`N (M)` > 1", "`N (B) > 1", "`` > 1"])
def test_a_quoted_name_must_be_a_column(expression: str) -> None:
    with pytest.raises((InvalidInput, UnknownName)):
        chosen_rows(Runs.from_columns({"N (B)": [0.5, 2.0]}), expression)


def test_negative_losses_bring_the_forms_that_take_them() -> None:
    columns = {"N": N, "vocab_size": np.full(len(N), 32e3), "num_characters": D, "loss": LOSS - 9.0}
    with pytest.raises(InvalidInput, match=r"values may be negative: .*vocabulary-size"):
        observe(Runs.from_columns(columns), Chinchilla)
