"""Tables: from whatever holds one to the wire and back."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apportion import InvalidArgument, Table

COLUMNS = {"N": [1e9, 2e9], "note": ["a", None], "D": [None, 3.5]}
CELLS = {"N": (1e9, 2e9), "note": ("a", None), "D": (None, 3.5)}


def test_mappings_records_and_frames_give_the_same_table() -> None:
    records = [dict(zip(COLUMNS, row)) for row in zip(*COLUMNS.values())]
    for source in (COLUMNS, records, pd.DataFrame(COLUMNS), Table(CELLS)):
        assert Table.read(source).columns == CELLS


def test_csv_and_parquet_files_give_the_same_table(tmp_path: Path) -> None:
    frame = pd.DataFrame(COLUMNS)
    frame.to_csv(tmp_path / "runs.csv", index=False)
    frame.to_parquet(tmp_path / "runs.parquet")
    assert Table.read(tmp_path / "runs.csv").columns == CELLS
    assert Table.read(str(tmp_path / "runs.parquet")).columns == CELLS


def test_a_byte_order_mark_and_spaces_are_not_part_of_a_cell(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("\ufeffN, loss\n 1e9 , 2.5\n\n")
    assert Table.read(tmp_path / "t.csv").columns == {"N": (1e9,), "loss": (2.5,)}


@pytest.mark.parametrize("mark", [";", "\t"])
def test_cells_may_be_separated_by_semicolons_or_tabs(tmp_path: Path, mark: str) -> None:
    (tmp_path / "t.csv").write_text(f"N{mark}loss\r\n1e9{mark}2.5\r\n")
    assert Table.read(tmp_path / "t.csv").columns == {"N": (1e9,), "loss": (2.5,)}


@pytest.mark.parametrize("cell", ["1_000", "0x10", "1,5", "1e", "one"])
def test_what_is_not_written_as_a_number_makes_a_column_text(cell: str, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(f'N\n1\n"{cell}"\n')
    assert Table.read(tmp_path / "t.csv")["N"] == ("1", cell)


def test_whole_numbers_come_back_without_a_point_and_blanks_as_null() -> None:
    table = Table.read({"gpus": [8, 16], "rate": [None, 0.25]})
    assert table.to_csv() == "gpus,rate\n8,\n16,0.25\n"
    assert table.to_dict() == {"rows": [{"gpus": 8, "rate": None}, {"gpus": 16, "rate": 0.25}]}


def test_numbers_that_are_not_finite_never_reach_json() -> None:
    table = Table.read({"x": [float("nan"), float("inf"), 1.0]})
    text = json.dumps(table.to_dict(), allow_nan=False)
    assert [row["x"] for row in json.loads(text)["rows"]] == [None, None, 1]


def test_truth_values_of_an_answer_are_true_and_false() -> None:
    wire = Table.read({"supported": ["true", "false"], "answer": ["true", "false"]}).to_proto()
    table = Table.from_proto(wire, ["supported"])
    assert table["supported"] == (True, False)
    assert table["answer"] == ("true", "false")
    assert table.to_csv() == "supported,answer\ntrue,true\nfalse,false\n"


@settings(max_examples=60, deadline=None)
@given(
    st.dictionaries(
        st.text(min_size=1, max_size=5),
        st.lists(st.none() | st.floats(allow_nan=False), min_size=3, max_size=3)
        | st.lists(st.none() | st.text(min_size=1, max_size=5), min_size=3, max_size=3),
        min_size=1,
        max_size=4,
    )
)
def test_the_wire_keeps_every_cell(columns: dict[str, list[float | str | None]]) -> None:
    table = Table.read(columns)
    assert Table.from_proto(table.to_proto()) == table


@pytest.mark.parametrize(
    ("source", "allowed"),
    [
        ({}, "at least one row"),
        ({"N": []}, "at least one row"),
        ({"N": [1], "D": [1, 2]}, "equal length"),
        ({"N": 5}, "a list of cells"),
        ([1, 2], "a mapping from column to cell"),
        (7, "a mapping of lists"),
        ("/nowhere/at/all.csv", "a file that can be read"),
        ("/nowhere/at/all.parquet", "a Parquet file that can be read"),
    ],
)
def test_what_is_no_table_is_refused_with_what_would_be(source: object, allowed: str) -> None:
    with pytest.raises(InvalidArgument) as refusal:
        Table.read(source, "runs")
    assert refusal.value.field.startswith("runs")
    assert allowed in refusal.value.allowed


@pytest.mark.parametrize(
    ("content", "allowed"),
    [
        (b"", "a header and at least one row"),
        (b"N,D,loss\n", "at least one row"),
        (b"N,N\n1,2\n", "one distinct name"),
        (b"N,D\n1\n", "2 cells a line"),
        (b'N\n"1\n', "well-formed CSV"),
        (b"\xff\xfe\x00N\n", "UTF-8"),
    ],
)
def test_a_broken_csv_file_is_refused_naming_the_file(content: bytes, allowed: str, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_bytes(content)
    with pytest.raises(InvalidArgument) as refusal:
        Table.read(tmp_path / "t.csv", "runs")
    assert refusal.value.field == "runs"
    assert "t.csv" in refusal.value.value
    assert allowed in refusal.value.allowed
