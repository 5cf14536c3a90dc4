"""The package's own tables (TOML), read once.

Every constant of the cost side lives in these files with its unit and source; the modules hold formulas only.
"""

from __future__ import annotations

import re
import tomllib
from functools import cache
from importlib.resources import files
from typing import Any


@cache
def table(name: str) -> dict[str, Any]:
    """The parsed `planner/hardware/<name>.toml`; callers must not change it."""
    return tomllib.loads((files("planner.hardware") / f"{name}.toml").read_text(encoding="utf-8"))


def calibration(section: str) -> dict[str, Any]:
    """One section of the fitted constants (`calibration.toml`, written by benchmarks/calibrate_hardware.py)."""
    found: dict[str, Any] = table("calibration")[section]
    return found


def key(name: str) -> str:
    """A name without case, spaces and punctuation: `H100-SXM`, `h100_sxm` and `H100 SXM` are one."""
    return re.sub(r"[^a-z0-9.]", "", name.lower())


@cache
def spellings(name: str, entry: str) -> dict[str, str]:
    """Keys of the names and aliases of the entries of a table, to their names; the first to claim one has it."""
    found: dict[str, str] = {}
    for row in table(name)[entry]:
        for spelling in (row["name"], *row["aliases"]):
            found.setdefault(key(spelling), row["name"])
    return found
