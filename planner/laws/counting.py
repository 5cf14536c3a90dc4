"""Conversions between ways of counting parameters, because laws disagree on what N is.

Kaplan counts without embeddings, Chinchilla with them, mixture-of-experts laws count what one token passes through.
For a family of transformers of constant aspect ratio, total = N + w N^(1/3) with N the non-embedding count (Pearce &
Song 2024, 2406.12907); the inverse is the real root of a depressed cubic, in closed form.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import NDArray

from planner.errors import UnknownName, Violation, require

Fact = float | NDArray[np.float64]
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


def active_from_total(total_count: Any, expert_count: Any, expert_share: Any, active_experts: Any = 1.0) -> Any:
    """Parameters a token passes through, if `expert_share` of all parameters sit in `expert_count` experts."""
    return total_count * (1.0 - expert_share * (1.0 - active_experts / expert_count))


def total_from_active(active_count: Any, expert_count: Any, expert_share: Any, active_experts: Any = 1.0) -> Any:
    """Inverse of `active_from_total`; `expert_share` is the share of all parameters, not of the active ones."""
    return active_count / (1.0 - expert_share * (1.0 - active_experts / expert_count))


def nonzero_from_total(total_count: Any, density: Any) -> Any:
    """Parameters left at `density` in (0, 1]."""
    return total_count * density


def non_embedding_from_shape(
    layer_count: Any, model_width: Any, attention_width: Any = None, feed_forward_width: Any = None
) -> Any:
    """Non-embedding parameters of a transformer: 2 layers × width (2 attention width + feed-forward width).

    12 layers × width² with the usual attention of the model's width and feed-forward of four times it.
    """
    attention = model_width if attention_width is None else attention_width
    feed_forward = 4.0 * model_width if feed_forward_width is None else feed_forward_width
    return 2.0 * layer_count * model_width * (2.0 * attention + feed_forward)


@dataclass(frozen=True)
class CountingFacts:
    """What a conversion has to know of a model, or of models (arrays), beyond a count; what is not known is None.

    Embeddings: vocabulary × width, twice where input and output are not tied; not known, they follow from a constant
    aspect ratio. `expert_share` is the share of all parameters that sit in experts. `density` is that of the weights.
    """

    vocabulary_size: Fact | None = None
    model_width: Fact | None = None
    tied_embeddings: bool = True
    expert_count: Fact | None = None
    expert_share: Fact | None = None
    active_experts: Fact = 1.0
    density: Fact | None = None


NOTHING_KNOWN = CountingFacts()
DENSE = CountingFacts(expert_count=1.0, expert_share=0.0, density=1.0)


def convert(parameter_count: Any, source: str, target: str, facts: CountingFacts = NOTHING_KNOWN) -> Any:
    """A parameter count in another convention, by way of the total.

    Raises UnknownName for a convention that is not in `COUNTINGS`, InvalidInput naming the facts of the model that the
    conversion would need and does not have (experts for `active`, density for `nonzero`; `DENSE` models have neither).
    """
    for field, name in (("source", source), ("target", target)):
        if name not in COUNTINGS:
            raise UnknownName(f"counting ({field})", name, COUNTINGS)
    if source == target:
        return parameter_count
    require(*(v for name in (source, target) for v in _missing(name, facts)))
    return _from_total(_to_total(parameter_count, source, facts), target, facts)


def _missing(counting: str, facts: CountingFacts) -> tuple[Violation, ...]:
    needed = {"active": ("expert_count", "expert_share"), "nonzero": ("density",)}.get(counting, ())
    allowed = f"a value, to convert parameters counted as {counting}"
    return tuple(Violation(name, "missing", allowed) for name in needed if getattr(facts, name) is None)


def _embedding_count(facts: CountingFacts) -> Fact | None:
    if facts.vocabulary_size is None or facts.model_width is None:
        return None
    return facts.vocabulary_size * facts.model_width * (1.0 if facts.tied_embeddings else 2.0)


def _to_total(count: Any, source: str, facts: CountingFacts) -> Any:
    if source == "non_embedding":
        embeddings = _embedding_count(facts)
        return total_from_non_embedding(count) if embeddings is None else count + embeddings
    if source == "active":
        return total_from_active(count, facts.expert_count, facts.expert_share, facts.active_experts)
    return count / facts.density if source == "nonzero" else count


def _from_total(count: Any, target: str, facts: CountingFacts) -> Any:
    if target == "non_embedding":
        embeddings = _embedding_count(facts)
        return non_embedding_from_total(count) if embeddings is None else count - embeddings
    if target == "active":
        return active_from_total(count, facts.expert_count, facts.expert_share, facts.active_experts)
    return nonzero_from_total(count, facts.density) if target == "nonzero" else count
