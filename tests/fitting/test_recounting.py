"""A table that counts parameters in its own way is read in the law's."""

from __future__ import annotations

import numpy as np
import pytest

from planner.errors import InvalidInput
from planner.fitting import Runs, Source, counted_as, observe
from planner.laws import Chinchilla
from planner.laws.counting import total_from_non_embedding

COUNTS = np.array([1e7, 1e9])


def test_a_column_that_says_how_it_counts_is_converted() -> None:
    assert counted_as("total", Source("N_nonemb"), COUNTS, {}) == pytest.approx(total_from_non_embedding(COUNTS))
    embeddings = {"vocabulary_size": np.array([32000.0, 50000.0]), "embedding_width": np.array([512.0, 2048.0])}
    more = counted_as("total", Source("N_nonemb"), COUNTS, embeddings) - COUNTS
    assert more == pytest.approx([32000 * 512, 50000 * 2048])
    pruned = {"density": np.array([0.5, 0.25])}
    assert counted_as("nonzero", Source("N_total"), COUNTS, pruned) == pytest.approx([5e6, 2.5e8])


@pytest.mark.parametrize("column", ["N", "params", "N_nonemb"])
def test_any_other_column_counts_as_the_law_does(column: str) -> None:
    assert counted_as("non_embedding", Source(column), COUNTS, {}) == pytest.approx(COUNTS)


def test_experts_that_are_not_known_are_asked_for_and_one_expert_is_dense() -> None:
    with pytest.raises(InvalidInput, match="expert_share"):
        counted_as("active", Source("N_total"), COUNTS, {"expert_count": np.array([8.0, 8.0])})
    assert counted_as("active", Source("N_total"), COUNTS, {"expert_count": np.ones(2)}) == pytest.approx(COUNTS)


def test_a_mapping_says_how_a_column_counts() -> None:
    mapping = {"params": "N_nonemb"}
    mapped = Source("params", meant="N_nonemb")
    assert counted_as("total", mapped, COUNTS, {}) == pytest.approx(total_from_non_embedding(COUNTS))
    runs = Runs.from_columns(
        {"params": [1e7, 1e8, 1e9] * 3, "D": [1e9] * 3 + [1e10] * 3 + [1e11] * 3, "loss": np.linspace(4.0, 2.0, 9)}
    )
    assert observe(runs, Chinchilla, mapping=mapping).counting == "non_embedding"
    assert observe(runs, Chinchilla).counting == "total"
