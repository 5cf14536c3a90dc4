"""Cells of measurement files: numbers where numbers are meant, and nothing where a file says nothing.

JSON of benchmarks holds numbers, numbers in text (`--metadata tp=4`), null, NaN and "inf"; readers ask for a positive
number or for text under any of several names and get None if there is none.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

Row = dict[str, Any]


class Unusable(Exception):
    """An entry that is no measurement of the kind that is looked for; the text says why."""


def positive(record: Mapping[str, Any], *names: str) -> float | None:
    """The first positive finite number under one of the names."""
    for name in names:
        value = record.get(name)
        if isinstance(value, bool) or not isinstance(value, (int, float, str)):
            continue
        try:
            number = float(value)
        except ValueError:
            continue
        if number > 0 and math.isfinite(number):
            return number
    return None


def said(record: Mapping[str, Any], *names: str) -> str:
    """The first text under one of the names that is not blank."""
    for name in names:
        value = record.get(name)
        if isinstance(value, str) and value.strip():
            return value.strip()
    return ""


def truth(record: Mapping[str, Any], *names: str) -> bool:
    """Is one of the names true, as a truth value or as text?"""
    return any(str(record.get(name, "")).strip().lower() == "true" for name in names)


def inside(record: Mapping[str, Any], *path: str) -> Mapping[str, Any]:
    """The mapping at a path of keys; empty if there is none."""
    found: Any = record
    for name in path:
        found = found.get(name) if isinstance(found, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def milliseconds(seconds: float | None) -> float | None:
    """Seconds as milliseconds."""
    return None if seconds is None else 1e3 * seconds


def require_most_succeeded(succeeded: float | None, asked: float | None) -> None:
    """Latencies of the few requests that survived an overload measure something else. Raises Unusable."""
    if succeeded is not None and asked is not None and succeeded < 0.9 * asked:
        raise Unusable(f"only {succeeded:g} of {asked:g} requests succeeded")
