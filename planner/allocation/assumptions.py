"""What a plan assumes where the question does not say: a table with sources, `assumptions.toml`."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from typing import Any


@cache
def _table() -> dict[str, dict[str, dict[str, Any]]]:
    return tomllib.loads(files("planner.allocation").joinpath("assumptions.toml").read_text("utf-8"))


def assumed(section: str, name: str) -> Any:
    """The value assumed for `name` in `section` (`training` or `serving`)."""
    return _table()[section][name]["value"]
