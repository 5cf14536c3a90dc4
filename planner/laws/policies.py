"""Findings that are tables and no formulas: how to spend compute on a question, and how many bits to keep.

Snell et al. 2024 (2408.03314): the best way to use samples depends on how hard a question is for the model, by
quintiles of its success at one sample. A small model with compute per question stands in for one 14 times as large only
where little is asked of it over its life (R = tokens answered over tokens trained on, small) and the question is not
among the hardest. Dettmers & Zettlemoyer 2022 (2212.09720): at a given number of bits in all, weights of four bits are
best.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from planner.errors import Range, require

FEW_SAMPLES = 16.0  # from here on a budget is large
DIFFICULTY = Range(1.0, 5.0, "quintile, 1 the easiest")
SAMPLES = Range(1.0, 1e12, "samples")
RATIO = Range(0.0, 1e12, "tokens answered per token trained on")


@dataclass(frozen=True)
class Policy:
    """How to spend a budget of samples on questions of one difficulty."""

    strategy: str
    instead_of_larger_model: bool  # whether it may stand in for a larger model at all
    grade: str
    source: str


@dataclass(frozen=True)
class WeightBits:
    """Bits per weight that serve best at a given number of bits in all, the least that serve at all, block sizes."""

    best: int
    least: int
    block_size: list[int]
    grade: str
    source: str


def sampling_policy(difficulty: int, samples: float) -> Policy:
    """What is best for questions of this quintile of difficulty and this budget. Raises InvalidInput outside 1 to 5."""
    require(*DIFFICULTY.check("difficulty", difficulty), *SAMPLES.check("samples", samples))
    found = _table()["test_time"]
    row = next(r for r in found["policy"] if r["difficulty"][0] <= difficulty <= r["difficulty"][1])
    strategy = row["few_samples"] if samples < FEW_SAMPLES else row["many_samples"]
    return Policy(strategy, row["instead_of_larger_model"], row["grade"], found["source"])


def samples_beat_a_larger_model(difficulty: int, answered_per_trained_token: float) -> bool:
    """Whether compute per question is worth more than a larger model: little is asked, and nothing of the hardest.

    Raises InvalidInput for a difficulty outside 1 to 5 or a negative ratio.
    """
    require(*RATIO.check("answered_per_trained_token", answered_per_trained_token))
    return answered_per_trained_token < 1.0 and sampling_policy(difficulty, 1.0).instead_of_larger_model


def weight_bits() -> WeightBits:
    """What is known of how many bits a weight should keep when it is served."""
    return WeightBits(**_table()["weight_bits"])


@cache
def _table() -> dict[str, Any]:
    return tomllib.loads(files("planner.laws").joinpath("policies.toml").read_text("utf-8"))
