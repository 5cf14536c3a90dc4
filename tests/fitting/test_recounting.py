"""A table that counts parameters in its own way is read in the law's."""

from __future__ import annotations

import numpy as np
import pytest

from planner.errors import InvalidInput
from planner.fitting import counted_as
from planner.laws.counting import total_from_non_embedding

COUNTS = np.array([1e7, 1e9])


def test_a_column_that_says_how_it_counts_is_converted() -> None:
    assert counted_as("total", "N_nonemb", COUNTS, {}) == pytest.approx(total_from_non_embedding(COUNTS))
    embeddings = {"vocabulary_size": np.array([32000.0, 50000.0]), "embedding_width": np.array([512.0, 2048.0])}
    assert counted_as("total", "N_nonemb", COUNTS, embeddings) - COUNTS == pytest.approx([32000 * 512, 50000 * 2048])
    assert counted_as("nonzero", "N_total", COUNTS, {"density": np.array([0.5, 0.25])}) == pytest.approx([5e6, 2.5e8])


@pytest.mark.parametrize("column", ["N", "params", "N_nonemb"])
def test_any_other_column_counts_as_the_law_does(column: str) -> None:
    assert counted_as("non_embedding", column, COUNTS, {}) == pytest.approx(COUNTS)


def test_experts_that_are_not_known_are_asked_for_and_one_expert_is_dense() -> None:
    with pytest.raises(InvalidInput, match="expert_share"):
        counted_as("active", "N_total", COUNTS, {"expert_count": np.array([8.0, 8.0])})
    assert counted_as("active", "N_total", COUNTS, {"expert_count": np.ones(2)}) == pytest.approx(COUNTS)
