"""From the texts of measurement files to one table of columns, with what could not be used and why.

What a file does not know (an accelerator, a layout) or calls otherwise than the catalogue is said by whoever calls, and
holds for every row.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from planner.errors import InvalidInput, Violation
from planner.hardware.measurements import comma_separated, guidellm, inferencex, vllm
from planner.hardware.measurements.cells import Row, Unusable

MOST_ROWS = 20_000
STATED = ("system", "model", "precision", "framework", "tp", "pp", "ep", "n_gpus")
_FORMATS = "results of vllm bench serve, InferenceX or GuideLLM as JSON, or CSV"


@dataclass(frozen=True)
class Measurements:
    """`columns` of equal length as `recalibrate` takes them; `origins`: file and place of each row; `refused`: entries
    that are no rows, by file and place, with the reason."""

    columns: Mapping[str, list[Any]]
    origins: tuple[str, ...]
    refused: Mapping[str, str]


def read_measurements(files: Mapping[str, str], stated: Mapping[str, Any] | None = None) -> Measurements:
    """Read measurement files of any of the formats.

    Args:
        files: the text of each file by its name, which is used in reasons only.
        stated: what holds for all rows whatever the files say: any of `STATED`.

    Raises:
        InvalidInput: a file is of no known format, or there is nothing in any of them, or far too much.
    """
    rows: list[Row] = []
    origins: list[str] = []
    refused: dict[str, str] = {}
    for name, text in files.items():
        for origin, entry in _entries(text.removeprefix("\ufeff"), name):
            if isinstance(entry, str):
                refused[origin] = entry
                continue
            rows.append(entry | {n: v for n, v in (stated or {}).items() if v not in (None, "")})
            origins.append(origin)
            if len(rows) > MOST_ROWS:
                raise InvalidInput(Violation("measurements", f"more than {MOST_ROWS} rows", "a sample of them"))
    if not rows:
        reasons = "; ".join(sorted(set(refused.values()))[:5]) or "no files"
        raise InvalidInput(Violation("measurements", reasons, "at least one measured configuration"))
    names = dict.fromkeys(name for row in rows for name in row)
    return Measurements({n: [row.get(n) for row in rows] for n in names}, tuple(origins), refused)


def _entries(text: str, name: str) -> Iterator[tuple[str, Row | str]]:
    """(place, row) or (place, why there is none)."""
    if text.lstrip()[:1] not in ("{", "["):
        yield from ((f"{name}:{i + 2}", row) for i, row in enumerate(comma_separated.rows(text, name)))
        return
    records = list(_records(text, name))
    for i, record in enumerate(records):
        place = f"{name}[{i}]" if len(records) > 1 else name
        if guidellm.is_report(record):
            for j, benchmark in enumerate(record["benchmarks"]):
                yield f"{place}.benchmarks[{j}]", _tried(guidellm.row, benchmark, record)
        elif inferencex.is_result(record):
            yield place, _tried(inferencex.row, record)
        elif vllm.is_result(record):
            yield place, _tried(vllm.row, record)
        else:
            keys = ", ".join(list(record)[:6]) or "nothing"
            raise InvalidInput(Violation("measurements", f"{place} has {keys}", _FORMATS))


def _records(text: str, name: str) -> Iterator[dict[str, Any]]:
    """The objects of a JSON document, of a list of them, or of one a line (how results are appended)."""
    decoder, at = json.JSONDecoder(), 0
    while at < len(text):
        try:
            found, at = decoder.raw_decode(text, at)
        except (json.JSONDecodeError, RecursionError) as error:
            raise InvalidInput(Violation("measurements", f"{name}: not JSON ({error})", _FORMATS)) from None
        for record in found if isinstance(found, list) else [found]:
            if not isinstance(record, dict):
                raise InvalidInput(Violation("measurements", f"{name}: {type(record).__name__}", _FORMATS))
            yield record
        while at < len(text) and text[at] in " \t\r\n,":
            at += 1


def _tried(read: Any, record: Any, *context: Any) -> Row | str:
    if not isinstance(record, dict):
        return "not an object"
    try:
        found: Row = read(record, *context)
    except Unusable as error:
        return str(error)
    return found
