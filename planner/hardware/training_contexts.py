"""The sequence length at which a published model was pre-trained, where a table of runs leaves it blank.

Attention over pairs makes up a tenth to a third of the work of small models at 8192 tokens, and is slower than
products, so that two runs of equal 6 N D differ by that much. Known models have their published length; others the
length that was usual when they were trained (`training_contexts.toml`).
"""

from __future__ import annotations

import re
from functools import cache

from planner.hardware.tables import key, table


@cache
def trained_context_tokens(model: str, date: str = "") -> float:
    """Tokens per training sequence of that model, else those usual at that date (`2024-07` or longer); NaN if neither
    says anything."""
    facts = table("training_contexts")
    wanted = key(model.rsplit("/", 1)[-1])
    matching = [name for name in facts["by_model"] if re.match(rf"{re.escape(key(name))}(?![a-z])", wanted)]
    if matching:
        return float(facts["by_model"][max(matching, key=len)]["tokens"])
    usual = [float(row["tokens"]) for row in facts["usual"] if date >= row["since"]]
    return usual[-1] if usual else float("nan")
