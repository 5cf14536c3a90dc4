"""The variables of laws: canonical names, units, physical ranges and the names of columns, read from `variables.toml`.

Numbered variables (`domain_share_3`) share the entry of their stem. A name that has no entry is any positive number.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

from planner.errors import Range

ANY = Range(5e-324, 1e300, "")  # variables without a range of their own: positive


@dataclass(frozen=True)
class Variable:
    """What is known of one variable."""

    name: str
    range: Range
    usual: tuple[float, float]
    steps: str  # "", "whole" or "powers of two"
    aliases: tuple[str, ...]


@cache
def variables() -> Mapping[str, Variable]:
    """All variables by name, in the order of the table."""
    table = tomllib.loads(files("planner.laws").joinpath("variables.toml").read_text("utf-8"))
    return {
        name: Variable(
            name,
            Range(float(row["lower"]), float(row["upper"]), row["unit"]),
            (float(row["usual"][0]), float(row["usual"][1])),
            row.get("steps", ""),
            tuple(row["aliases"]),
        )
        for name, row in table.items()
    }


def variable(name: str) -> Variable:
    """The entry of `name` (of its stem if it is numbered); any positive number where there is none."""
    known = variables()
    stem = re.sub(r"_\d+$", "", name)
    return known.get(name) or known.get(stem) or Variable(name, ANY, (1.0, 100.0), "", (name,))


def canonical(name: str) -> str:
    """The variable that `name` means: a variable's own name, or one of the names its columns go by (N, params, …)."""
    known = variables()
    if name in known:
        return name
    exact = (v for v, entry in known.items() if name in entry.aliases)
    folded = (v for v, entry in known.items() if name.lower() in {a.lower() for a in entry.aliases if len(a) > 1})
    return next(exact, None) or next(folded, None) or name


def allowed(name: str) -> Range:
    """The range of the variable called `name`."""
    return variable(name).range


def is_allowed(name: str, values: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Elementwise: finite and within the range."""
    limits = allowed(name)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.isfinite(values) & (values >= limits.lower) & (values <= limits.upper))
