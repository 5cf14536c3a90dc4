"""Tables of runs: reading, hashing, choosing rows, and refusing what cannot be fitted."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from planner.errors import InvalidInput, NotIdentified, UnknownName
from planner.fitting import Runs, chosen_rows, columns_of_variables, observe
from planner.laws import Chinchilla, DataConstrained, JointMoE, form_class

TABLE = """N,D,C,loss,tag,note
1e8,1e9,6e17,3.5,a,1
2e8,2e9,2.4e18,3.2,b,
4e8,4e9,9.6e18,3.0,a,3
8e8,8e9,3.84e19,2.8,c,4
"""


def table() -> Runs:
    return Runs.from_csv_text(TABLE)


def many(rows: int = 8, **changed: object) -> Runs:
    generator = np.random.default_rng(0)
    columns: dict[str, object] = {
        "N": 10 ** generator.uniform(8, 10, rows),
        "D": 10 ** generator.uniform(9, 11, rows),
        "loss": generator.uniform(2, 4, rows),
    }
    return Runs.from_columns({**columns, **changed})  # type: ignore[arg-type]


def test_the_same_table_has_the_same_hash_however_it_is_read(tmp_path: Path) -> None:
    frame = pd.read_csv(pd.io.common.StringIO(TABLE))
    path = tmp_path / "runs.csv"
    path.write_text(TABLE)
    hashes = {table().sha256, Runs.from_pandas(frame).sha256, Runs.read(path).sha256}
    assert len(hashes) == 1
    assert table().take(np.array([1, 0, 2, 3])).sha256 not in hashes


def test_parquet_is_read_where_pandas_can(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow", reason="Parquet needs pyarrow")
    path = tmp_path / "runs.parquet"
    pd.read_csv(pd.io.common.StringIO(TABLE)).to_parquet(path)
    assert Runs.read(path).sha256 == table().sha256


def test_groups_keep_the_order_of_first_appearance() -> None:
    groups = table().groups("tag")
    assert {k: g.row_count for k, g in groups.items()} == {"a": 2, "b": 1, "c": 1}
    assert list(groups) == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "an empty table"),
        ("N,D,loss\n", "a header without rows"),
        ("N,N,loss\n1,2,3\n", "column name 'N'"),
        ("N,D,loss\n1,2\n", "row 1: 2 cells"),
    ],
)
def test_malformed_csv_is_refused_with_the_place(text: str, what: str) -> None:
    with pytest.raises(InvalidInput, match=what):
        Runs.from_csv_text(text)


def test_columns_of_unequal_length_and_missing_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="D = 1 rows"):
        Runs.from_columns({"N": [1.0, 2.0], "D": [1.0]})
    with pytest.raises(InvalidInput, match="empty table"):
        Runs.from_columns({"N": []})
    with pytest.raises(InvalidInput, match=r"nowhere\.csv"):
        Runs.read(tmp_path / "nowhere.csv")


@pytest.mark.parametrize(
    ("expression", "rows"),
    [
        ("N == 1e8", [0]),
        ("C < 1e19 and tag == 'a'", [0, 2]),
        ("tag in ['b', 'c'] or note == 3", [1, 2, 3]),
        ("not (tag == 'a')", [1, 3]),
        ("tag not in ('a',)", [1, 3]),
        ("1e8 < N <= 4e8", [1, 2]),
        ("(N > 1e8) & ~(D > 2e9) | (loss < 2.9)", [1, 3]),
        ("D / N == 10 and -N + 3e8 > 0", [0, 1]),
        ("note", [0, 2, 3]),
        ("note != 4", [0, 2]),
        ("True", [0, 1, 2, 3]),
    ],
)
def test_rows_are_chosen_by_conditions(expression: str, rows: list[int]) -> None:
    assert np.flatnonzero(chosen_rows(table(), expression)).tolist() == rows


@pytest.mark.parametrize(
    "expression",
    [
        "__import__('os').system('true')",
        "N.real > 1",
        "[x for x in N]",
        "lambda: 1",
        "N",
        "N +",
        "tag",
        "tag > 1",
        "N == 'a'",
        "tag + 1 == 2",
        "tag in 'abc'",
        "N is 1",
        "N ** 2 > 1",
        "N in ['a']",
        "f'{N}' == 'a'",
        "1e8",
        "(" * 300 + "N" + ")" * 300 + ">1",
        " or ".join(["N > 1"] * 200),
        "N > 1" + " " * 3000,
    ],
)
def test_everything_outside_the_small_language_is_refused(expression: str) -> None:
    if expression == "N":  # a bare number column is a condition: not zero
        assert chosen_rows(table(), expression).all()
        return
    with pytest.raises(InvalidInput, match="where"):
        chosen_rows(table(), expression)


def test_an_unknown_column_gets_suggestions() -> None:
    with pytest.raises(UnknownName, match="loss"):
        chosen_rows(table(), "los < 3")


def test_usual_column_names_are_understood_and_overridden() -> None:
    found = {variable: str(source) for variable, source in columns_of_variables(table()).items()}
    assert found == {"parameter_count": "N", "token_count": "D", "training_flops": "C", "loss": "loss"}
    mapped = columns_of_variables(table(), {"note": "loss"})
    assert mapped["loss"].column == "note"
    with pytest.raises(UnknownName):
        columns_of_variables(table(), {"nothing": "loss"})


@pytest.mark.parametrize("name", ["loss_plotted", "paloma_loss", "Pile NLL"])
def test_the_only_column_named_like_a_loss_is_the_loss(name: str) -> None:
    columns = dict(many(8).columns)
    columns[name] = columns.pop("loss")
    assert columns_of_variables(Runs(columns))["loss"].column == name
    two = {**columns, "other_loss": columns[name]}
    assert "loss" not in columns_of_variables(Runs(two))
    assert columns_of_variables(Runs({**two, "loss": columns[name]}))["loss"].column == "loss"


def test_a_missing_loss_is_asked_for_by_a_mapping_that_can_be_typed() -> None:
    columns = dict(many(8).columns)
    columns["web_loss"] = columns["code_loss"] = columns.pop("loss")
    with pytest.raises(InvalidInput, match=r"loss = missing: .* mapping such as web_loss=loss"):
        observe(Runs(columns), Chinchilla)


def test_counts_in_billions_are_fitted() -> None:
    full = many(8)
    billions = {n: c.numbers / (1e9 if n in "ND" else 1.0) for n, c in full.columns.items() if not c.is_text}
    assert observe(Runs.from_columns(billions), Chinchilla).variables["parameter_count"].min() < 1.0


def test_active_parameters_are_preferred_to_totals() -> None:
    runs = many(20, N_total=np.arange(1.0, 21.0), num_experts=2.0 ** (np.arange(20) % 5))
    columns = dict(runs.columns)
    columns["N_active"] = columns.pop("N")
    seen = observe(Runs(columns), JointMoE)
    assert seen.columns["parameter_count"] == "N_active"
    assert seen.counting == "active"


def test_tokens_and_parameters_follow_from_compute() -> None:
    full = many(8)
    n, d = full.columns["N"].numbers, full.columns["D"].numbers
    loss = full.columns["loss"].numbers
    by_tokens = observe(Runs.from_columns({"C": 6 * n * d, "N": n, "loss": loss}), Chinchilla)
    by_size = observe(Runs.from_columns({"C": 6 * n * d, "D": d, "loss": loss}), Chinchilla)
    assert by_tokens.variables["token_count"] == pytest.approx(d)
    assert by_size.variables["parameter_count"] == pytest.approx(n)
    assert "training_flops" in by_tokens.columns["token_count"]
    assert observe(full, Chinchilla).training_flops == pytest.approx(6 * n * d)


def test_blank_rows_are_dropped_and_counted() -> None:
    seen = observe(many(9, loss=["", *np.linspace(2, 3, 8)]), Chinchilla)
    assert (len(seen.losses), seen.rows_dropped, seen.rows[0]) == (8, 1, 1)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"loss": [float("nan")] + [3.0] * 7}, r"loss = nan \(row 1\): a finite number between"),
        ({"loss": [3.0] * 7 + [-1.0]}, r"loss = -1 \(row 8\)"),
        ({"N": [0.0, 0.0] + [1e9] * 6}, r"N = 0 \(row 1, and 1 more\)"),
        ({"D": [1e200] + [1e9] * 7}, r"D = 1e\+200 .*between 1e-09 and 1e\+20 tokens"),
        ({"D": [float("inf")] + [1e9] * 7}, r"D = inf"),
        ({"loss": ["good"] * 8}, r"loss = 'good' \(row 1\): a number"),
        ({"loss": [""] * 8}, "no row without blank cells"),
    ],
)
def test_values_that_cannot_be_fitted_are_named(changed: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        observe(many(8, **changed), Chinchilla)


def test_text_is_no_matter_in_rows_that_are_left_out() -> None:
    runs = many(9, loss=[*np.linspace(2, 3, 8), "diverged"], keep=[1] * 8 + [0])
    assert len(observe(runs, Chinchilla, where="keep == 1").losses) == 8


@pytest.mark.parametrize("name", ["token_count", "D", "tokens", "TOKENS"])
def test_a_mapping_takes_a_variable_by_any_of_its_names(name: str) -> None:
    runs = many(8, D=[1.0] * 8, seen=list(np.geomspace(1e9, 1e11, 8)))
    assert observe(runs, Chinchilla, mapping={"seen": name}).columns["token_count"] == "seen"


def test_missing_columns_too_few_rows_and_no_rows_are_told() -> None:
    with pytest.raises(InvalidInput, match="unique_token_count = missing"):
        observe(many(8), DataConstrained)
    with pytest.raises(InvalidInput, match="1 usable row: at least 6 rows"):
        observe(many(1), Chinchilla)
    with pytest.raises(InvalidInput, match="where"):
        observe(many(8), Chinchilla, where="N < 0")
    with pytest.raises(UnknownName, match="token_count"):
        observe(many(8), Chinchilla, mapping={"D": "token_cnt"})


def test_runs_that_do_not_differ_identify_nothing() -> None:
    with pytest.raises(NotIdentified, match="parameter_count has one value"):
        observe(many(8, N=[1e9] * 8), Chinchilla)
    twice = {k: np.tile(c.numbers[:4], 2) for k, c in many(8).columns.items()}
    with pytest.raises(NotIdentified, match="4 distinct rows"):
        observe(Runs.from_columns(twice), Chinchilla)


@pytest.mark.parametrize(
    ("form", "given", "wanted", "values"),
    [
        ("sparse-at-fixed-data", {"sparsity": [0.0, 0.75]}, "density", [1.0, 0.25]),
        ("sparse-at-fixed-data", {"P": [1.0, 8.0]}, "density", [1.0, 0.125]),
        ("expert-sparsity-at-fixed-data", {"expansion": [1.0, 8.0]}, "active_expert_share", [1.0, 0.125]),
        ("overfitting", {"D": [4e9, 1e9], "U": [1e9, 2e9]}, "epoch_count", [4.0, 1.0]),
        ("data-constrained", {"D": [4e9, 1e9], "epochs": [4.0, 1.0]}, "unique_token_count", [1e9, 1e9]),
    ],
)
def test_some_variables_follow_from_others(
    form: str, given: dict[str, list[float]], wanted: str, values: list[float]
) -> None:
    cells = {k: np.tile(v, 10) * (1.0 + 1e-3 * np.arange(20) * (k == "D")) for k, v in given.items()}
    runs = many(20, **cells)
    seen = observe(runs, form_class(form))
    if "D" not in given:
        assert seen.variables[wanted] == pytest.approx(np.tile(values, 10))
    assert seen.variables[wanted][:1] == pytest.approx(values[:1])


def test_shares_of_domains_are_found_by_number() -> None:
    shares = np.random.default_rng(0).dirichlet(np.ones(3), 12)
    runs = Runs.from_columns(
        {**{f"proportion_domain_{k + 1}": shares[:, k] for k in range(3)}, "loss": np.linspace(2, 3, 12)}
    )
    seen = observe(runs, form_class("mixture-3"))
    assert seen.columns["domain_share_2"] == "proportion_domain_2"


def test_metrics_that_may_be_negative_are_taken_as_they_are() -> None:
    runs = many(20, policy_distance=np.linspace(0.5, 9, 20), loss=np.linspace(-1, 1, 20))
    assert observe(runs, form_class("reward-of-rl")).losses.min() == -1.0
    with pytest.raises(InvalidInput, match="loss = -1"):
        observe(runs, form_class("power-of-tokens"))
