"""Conversions between ways of counting parameters, because laws disagree on what N is.

Kaplan counts without embeddings, Chinchilla with them, mixture-of-experts laws count what one token passes through.
For a family of transformers of constant aspect ratio, total = N + w N^(1/3) with N the non-embedding count (Pearce &
Song 2024, 2406.12907); the inverse is the real root of a depressed cubic, in closed form.
"""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np

from planner.errors import InvalidInput, UnknownName, Violation

COUNTINGS = ("total", "non_embedding", "active", "nonzero")


@cache
def convention(name: str) -> float:
    """The value of a constant of `conventions.toml`."""
    table = tomllib.loads(files("planner.laws").joinpath("conventions.toml").read_text("utf-8"))
    return float(table[name]["value"])


def total_from_non_embedding(non_embedding_count: Any) -> Any:
    """Total parameters of a transformer with `non_embedding_count` non-embedding ones."""
    return non_embedding_count + convention("total_from_non_embedding") * non_embedding_count ** (1.0 / 3.0)


def non_embedding_from_total(total_count: Any) -> Any:
    """Inverse of `total_from_non_embedding`: x³ with x³ + w x = total, by the hyperbolic form of Cardano's root."""
    third = convention("total_from_non_embedding") / 3.0
    angle = np.arcsinh(np.asarray(total_count, float) / (2.0 * third**1.5)) / 3.0
    return (2.0 * np.sqrt(third) * np.sinh(angle)) ** 3


def active_from_total(total_count: Any, expert_count: float, expert_share: float, active_experts: float = 1.0) -> Any:
    """Parameters a token passes through, if `expert_share` of all parameters sit in `expert_count` experts."""
    return total_count * (1.0 - expert_share * (1.0 - active_experts / expert_count))


def total_from_active(active_count: Any, expert_count: float, expert_share: float, active_experts: float = 1.0) -> Any:
    """Inverse of `active_from_total`; `expert_share` is the share of all parameters, not of the active ones."""
    return active_count / (1.0 - expert_share * (1.0 - active_experts / expert_count))


def nonzero_from_total(total_count: Any, density: float) -> Any:
    """Parameters left at `density` in (0, 1]."""
    return total_count * density


def convert(parameter_count: Any, source: str, target: str) -> Any:
    """A parameter count in another convention, for dense transformers.

    Dense models have active = total and nonzero = total. Raises UnknownName for a convention that is not in
    `COUNTINGS`, InvalidInput where the two conventions differ by facts (experts, density) this does not have.
    """
    for field, name in (("source", source), ("target", target)):
        if name not in COUNTINGS:
            raise UnknownName(f"counting ({field})", name, COUNTINGS)
    if source == target:
        return parameter_count
    pair = (source, target)
    if pair == ("non_embedding", "total"):
        return total_from_non_embedding(parameter_count)
    if pair == ("total", "non_embedding"):
        return non_embedding_from_total(parameter_count)
    allowed = "between total and non_embedding; experts and sparsity need their own conversion"
    raise InvalidInput(Violation("counting", f"{source} to {target}", allowed))
