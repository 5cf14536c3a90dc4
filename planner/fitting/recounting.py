"""Parameters as a law counts them, from a table whose column counts them otherwise.

A column such as `N_nonemb`, `N_total` or `N_active` says how it counts, and so does a law. Where the two differ the
count is converted, with what other columns of the table know of the models (vocabulary and width, experts, density); a
conversion that lacks a fact is refused rather than guessed. A column called `N` is taken to count as the law does,
unless it is mapped to one of the names above.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from planner.fitting.sources import Source
from planner.laws.counting import CountingFacts, convert

Array = NDArray[np.float64]


def counted_as(
    law_counting: str,
    source: Source,
    counts: Array,
    known: Mapping[str, Array],
) -> Array:
    """`counts` (rows,) read from `source`, in the convention of a law.

    `known` holds other variables of the same rows by name. Raises InvalidInput naming the facts that are missing.
    """
    counted = source.counting or law_counting
    return np.asarray(convert(counts, counted, law_counting, _facts(known)), float)


def _facts(known: Mapping[str, Array]) -> CountingFacts:
    """What the columns know. Models of one expert have no others to leave out; of more, their share is not known."""
    dense = "expert_count" in known and bool(np.all(known["expert_count"] == 1.0))
    return CountingFacts(
        vocabulary_size=known.get("vocabulary_size"),
        model_width=known.get("embedding_width"),
        expert_count=1.0 if dense else None,
        expert_share=0.0 if dense else None,
        density=known.get("density"),
    )
