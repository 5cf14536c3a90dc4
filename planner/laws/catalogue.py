"""Published laws, read from `published.toml`: coefficients with their evidence, never in code.

Where a joint covariance of the coefficients is known, a law gets draws: a normal sample of (logarithms of scales,
exponents) centred on the published values, from the seed in the table, hence the same on every machine.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np

from planner.errors import UnknownName
from planner.laws.compute import compute_model
from planner.laws.counting import convention
from planner.laws.form import Array, Form, coefficient
from planner.laws.forms import form_class
from planner.laws.law import DRIFT_PER_DECADE, LOSS, Law, Provenance, frozen_spans


@cache
def laws() -> tuple[Law, ...]:
    """All published laws, in the order of the table."""
    table = tomllib.loads(files("planner.laws").joinpath("published.toml").read_text("utf-8"))
    rows = table["laws"]
    whole = {name: {**table["defaults"], **rows.get(row.get("like", ""), {}), **row} for name, row in rows.items()}
    return tuple(_law(name, row) for name, row in whole.items())


def law(name: str) -> Law:
    """The published law called `name`, without regard to case. Raises UnknownName with suggestions."""
    known = {entry.name: entry for entry in laws()}
    if name.lower() not in known:
        raise UnknownName("law", name, known)
    return known[name.lower()]


def _law(name: str, row: Mapping[str, Any]) -> Law:
    form = form_class(row["form"])(**{k: _value(v) for k, v in row["coefficients"].items()})
    covariance = row.get("covariance")
    return Law(
        name=name,
        form=form,
        grade=row["grade"],
        residual_log_sd=float(row["relative_error"]),
        relative_error_source=row["relative_error_source"],
        provenance=Provenance("published", row["citation"]),
        counting=row["counting"],
        compute_model=compute_model(row["compute_model"]),
        training_range=frozen_spans(row.get("range", {})),
        corpus=row["corpus"],
        citation=row["citation"],
        notes=row.get("notes", ""),
        metric=row.get("metric", LOSS),
        known_bad=bool(row.get("known_bad", False)),
        draws=None if covariance is None else _draws(form, covariance),
        drift_per_decade=float(row.get("drift_per_decade", DRIFT_PER_DECADE)),
    )


def _value(entry: Any) -> float:
    """A coefficient: a number, [base, power] or [base, power, unit] for (base × unit)^power, or a product of such.

    That keeps the numbers of papers that write (x/x_c)^-α, or compute in units of their own, as they were printed.
    """
    if not isinstance(entry, list):
        return float(entry)
    if isinstance(entry[0], list):
        return math.prod(_value(factor) for factor in entry)
    base, power, *unit = entry
    return float((float(base) * (convention(unit[0]) if unit else 1.0)) ** float(power))


def _draws(form: Form, row: Mapping[str, Any]) -> Array:
    """(draws, coefficients): a normal sample in the coordinates of the table (logarithms of scales)."""
    names = list(row["coordinates"])
    factor = np.linalg.cholesky(np.asarray(row["matrix"], float))
    normal = np.random.default_rng(int(row["seed"])).standard_normal((int(row["draws"]), len(names)))
    normal -= normal.mean(axis=0)  # the sample is centred on the published coefficients exactly
    sample = np.tile(form.vector(), (len(normal), 1))
    for k, column in zip(names, (normal @ factor.T).T, strict=True):
        j = form.names().index(k)
        if coefficient(form.coefficients, k).logarithmic:
            sample[:, j] *= np.exp(column)
        else:
            sample[:, j] += column
    return sample
