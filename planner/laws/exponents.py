"""Exponents that are known without the coefficients of a law: priors, and checks of one's own fits.

Read from `exponents.toml`. A law needs all its coefficients; much of what theory and other labs say is one number, the
slope. It cannot predict, but it says when a fitted slope is unusual.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from planner.laws.law import Span


@dataclass(frozen=True)
class KnownExponents:
    """What one source says of one exponent, case by case."""

    source: str
    of: str
    values: Mapping[str, Span]
    grade: str


@cache
def known_exponents() -> tuple[KnownExponents, ...]:
    """All of them, in the order of the table."""
    table = tomllib.loads(files("planner.laws").joinpath("exponents.toml").read_text("utf-8"))
    return tuple(
        KnownExponents(row["source"], row["of"], {k: _span(v) for k, v in row["values"].items()}, row["grade"])
        for row in table["exponent"]
    )


def _span(value: float | list[float]) -> Span:
    lower, upper = value if isinstance(value, list) else (value, value)
    return Span(float(lower), float(upper))
