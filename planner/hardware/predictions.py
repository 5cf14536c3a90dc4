"""Predicted columns: a value and the bounds of its 80 % interval for the rows that can be run, blanks for the rest."""

from __future__ import annotations

from typing import Any

import numpy as np

from planner.hardware.columns import Floats


def predicted(name: str, count: int, rows: Any, value: Floats, lower: Any, upper: Any) -> dict[str, list[Any]]:
    """`predicted_<name>` with `_lower` and `_upper`: value x factors at those rows, NaN elsewhere."""
    found: dict[str, list[Any]] = {}
    for suffix, part in (("", value), ("_lower", value * lower), ("_upper", value * upper)):
        found |= spread(f"predicted_{name}{suffix}", count, rows, part)
    return found


def spread(name: str, count: int, rows: Any, values: Any) -> dict[str, list[Any]]:
    """A column with those values at those rows; blanks elsewhere: NaN, or empty text where the values are text."""
    text = np.asarray(values).dtype == object
    column = np.full(count, "" if text else np.nan, dtype=object if text else np.float64)
    column[rows] = values
    return {name: column.tolist()}


def supported(count: int, rows: Any) -> dict[str, list[Any]]:
    """Which rows can be run."""
    flags = np.zeros(count, dtype=bool)
    flags[rows] = True
    return {"supported": flags.tolist()}
