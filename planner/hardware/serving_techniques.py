"""Prefix caching and speculative decoding, from what a deployment states of them.

Prefix caching: a share of each prompt is in the cache already; only the rest is computed, against all of it.
Speculative decoding (Leviathan et al. 2023, 2211.17192): d drafted tokens are checked in one step, each accepted with
probability a, so that a step yields (1 - a^(d+1)) / (1 - a) tokens and costs one step of d + 1 tokens a sequence plus d
drafts. A drafting head of one layer costs 1/layers of a step unless the table says otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from planner.hardware.cells import ServingCell
from planner.hardware.columns import Columns, numbers
from planner.hardware.serving import ServingConstants, decode_seconds, prefill_seconds
from planner.hardware.shapes import ModelShape

PREFIX_HIT_SHARE, DRAFT_TOKENS, ACCEPTANCE_RATE = "prefix_hit_share", "draft_tokens", "acceptance_rate"
DRAFT_STEP_SHARE = "draft_step_share"


@dataclass(frozen=True)
class Techniques:
    """Row by row, or for all: share of prompt tokens found in the cache, tokens drafted a step (0: none), probability
    that one is accepted, time of a draft over that of a step (NaN: a head of one layer)."""

    prefix_hit_share: Any
    draft_tokens: Any
    acceptance_rate: Any
    draft_step_share: Any

    def at(self, rows: Any) -> Techniques:
        """Those of some rows."""
        return Techniques(**{name: values[rows] for name, values in vars(self).items()})


def read_techniques(columns: Columns) -> tuple[Techniques, dict[str, Any]]:
    """What the table states (nothing: neither technique), and where it cannot be: reason to mask of rows."""
    found = Techniques(
        numbers(columns, PREFIX_HIT_SHARE, 0.0),
        numbers(columns, DRAFT_TOKENS, 0.0),
        numbers(columns, ACCEPTANCE_RATE),
        numbers(columns, DRAFT_STEP_SHARE),
    )
    drafts, rate, cost = found.draft_tokens, found.acceptance_rate, found.draft_step_share
    impossible = {
        f"{PREFIX_HIT_SHARE} is at least 0 and below 1": ~(
            (found.prefix_hit_share >= 0) & (found.prefix_hit_share < 1)
        ),
        f"{DRAFT_TOKENS} is a whole number of at least 0": (drafts < 0) | (drafts % 1 > 0),
        f"{ACCEPTANCE_RATE} is needed beside {DRAFT_TOKENS}": (drafts > 0) & np.isnan(rate),
        f"{ACCEPTANCE_RATE} is between 0 and 1": (rate < 0) | (rate > 1),
        f"{DRAFT_STEP_SHARE} is not negative": cost < 0,
    }
    return found, {reason: mask for reason, mask in impossible.items() if mask.any()}


def tokens_per_step(draft_tokens: Any, acceptance_rate: Any) -> Any:
    """Expected tokens that a step yields: (1 - a^(d+1)) / (1 - a), or d + 1 for a = 1 (Leviathan et al., eq. 1)."""
    rate = np.minimum(acceptance_rate, 1.0 - 1e-9)
    return (1.0 - rate ** (draft_tokens + 1.0)) / (1.0 - rate)


def prompt_seconds(
    shape: ModelShape, cell: ServingCell, input_tokens: Any, prompts: Any, how: Techniques, c: ServingConstants
) -> Any:
    """Seconds for the part of prompts that is not cached."""
    return prefill_seconds(shape, cell, input_tokens, prompts, c, cached_share=how.prefix_hit_share)


def token_seconds(
    shape: ModelShape, cell: ServingCell, batch: Any, context_tokens: Any, how: Techniques, c: ServingConstants
) -> Any:
    """Seconds a token takes: of a decode step, or of a drafted and checked one over the tokens that it yields."""
    step = decode_seconds(shape, cell, batch, context_tokens, constants=c)
    if not np.any(how.draft_tokens):
        return step
    share = np.where(np.isnan(how.draft_step_share), 1.0 / shape.layers, how.draft_step_share)
    checked = decode_seconds(shape, cell, batch, context_tokens, constants=c, tokens_each=1.0 + how.draft_tokens)
    drafted = checked + how.draft_tokens * share * step
    yielded = tokens_per_step(how.draft_tokens, np.nan_to_num(how.acceptance_rate))
    return np.where(how.draft_tokens > 0, drafted / yielded, step)
