"""Which law for which family of models: the decision table, as data.

Read from `families.toml`. A family names the form to fit to one's own runs and, where one is safe, the published law to
begin with; unverified laws are never a default.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from planner.errors import UnknownName
from planner.laws.catalogue import law
from planner.laws.forms import form_class


@dataclass(frozen=True)
class Family:
    """A family of models: its default form and law ("" where none is safe), other forms, and what a plan can decide."""

    name: str
    form: str
    law: str
    alternatives: tuple[str, ...]
    grade: str
    plan: str


@cache
def families() -> tuple[Family, ...]:
    """All families, in the order of the table. Raises UnknownName where the table names a form or law there is not."""
    table = tomllib.loads(files("planner.laws").joinpath("families.toml").read_text("utf-8"))
    found = tuple(Family(**{**row, "alternatives": tuple(row["alternatives"])}) for row in table["family"])
    for entry in found:
        for name in (entry.form, *entry.alternatives):
            form_class(name)
        if entry.law:
            law(entry.law)
    return found


def family(name: str) -> Family:
    """The family called `name`, without regard to case. Raises UnknownName with suggestions."""
    known = {entry.name.lower(): entry for entry in families()}
    if name.lower() not in known:
        raise UnknownName("family", name, known)
    return known[name.lower()]
