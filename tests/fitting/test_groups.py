"""Runs that share something err together: the bootstrap draws their groups whole."""

from __future__ import annotations

import json

import numpy as np
import pytest

from planner.errors import InvalidInput, UnknownName
from planner.fitting import FittedLaw, Runs, fit_law, from_document, to_document
from planner.fitting.bootstrap import resampled
from planner.fitting.clusters import Clusters
from planner.fitting.observations import numbered
from planner.laws import law


def runs_of_groups(groups: int, shared: float, seed: int = 0, each: int = 20) -> Runs:
    """Runs of a known law whose log losses share one error of size `shared` within each group."""
    generator = np.random.default_rng(seed)
    rows = groups * each
    n, d = 10 ** generator.uniform(7.5, 10, rows), 10 ** generator.uniform(9, 11.5, rows)
    member = np.repeat(np.arange(groups), each)
    error = shared * generator.standard_normal(groups)[member] + 0.001 * generator.standard_normal(rows)
    loss = law("besiroglu-2024").loss(parameter_count=n, token_count=d) * np.exp(error)
    names = [f"corpus {k}" for k in member]
    return Runs.from_columns({"N": n, "D": d, "loss": loss, "corpus": names, "recipe": member + 1.0})


def codes(found: FittedLaw) -> set[str]:
    return {w.code for w in found.warnings}


def test_whole_groups_are_drawn() -> None:
    groups = np.repeat(np.arange(6), [1, 2, 3, 4, 5, 6])
    weights = resampled(Clusters(groups, "groups"), 50, 0)
    for group in range(6):
        assert np.all(weights[:, groups == group] == weights[:, groups == group][:, :1])
    first_of_each = weights[:, np.searchsorted(groups, np.arange(6))]
    assert np.all(first_of_each.sum(axis=1) == 6)


def test_runs_are_drawn_within_groups_where_there_are_fewer_than_five() -> None:
    groups = np.array([0, 0, 0, 1, 1, 2, 2, 2, 2, 3])
    weights = resampled(Clusters(np.arange(10), "runs", strata=groups), 50, 0)
    for group, size in enumerate((3, 2, 4, 1)):
        assert np.all(weights[:, groups == group].sum(axis=1) == size)
    assert np.ptp(weights[:, 0]) > 0


def test_without_groups_all_runs_are_drawn_together() -> None:
    runs = Clusters(np.arange(10), "runs")
    weights = resampled(runs, 50, 3)
    assert np.all(weights.sum(axis=1) == 10)
    assert np.array_equal(weights, resampled(runs, 50, 3))


def test_labels_are_numbered_in_order_of_appearance() -> None:
    assert numbered(np.array(["b", "a", "b", "c"])).tolist() == [0, 1, 0, 2]


def test_errors_shared_within_groups_widen_the_intervals() -> None:
    runs = runs_of_groups(8, shared=0.02)
    alone, grouped = fit_law(runs, bootstrap=150), fit_law(runs, bootstrap=150, group="corpus")
    assert grouped.form == alone.form

    def spread(found: FittedLaw) -> float:  # of the law itself, amid the runs
        cloud = found.cloud()
        assert cloud is not None
        return float(np.std(cloud.loss(parameter_count=1e9, token_count=2e10)))

    assert spread(grouped) > 2.0 * spread(alone)
    assert grouped.diagnostics.group_count == 8
    assert alone.diagnostics.group_count is None
    assert grouped.provenance.options["group"] == "corpus"
    assert "FEW_GROUPS" not in codes(grouped)


def test_a_column_of_numbers_groups_like_one_of_text() -> None:
    runs = runs_of_groups(6, shared=0.01)
    by_text, by_number = (fit_law(runs, bootstrap=20, group=g) for g in ("corpus", "recipe"))
    assert np.array_equal(by_text.draws, by_number.draws)  # type: ignore[arg-type]


def test_intervals_cover_every_coefficient() -> None:
    found = fit_law(runs_of_groups(6, shared=0.01), bootstrap=20, group="corpus")
    assert set(found.intervals) == set(found.form.names())
    assert all(i.lower <= i.value <= i.upper and i.standard_error > 0 for i in found.intervals.values())


@pytest.mark.parametrize("groups", [1, 4])
def test_few_groups_are_said_to_be_few(groups: int) -> None:
    found = fit_law(runs_of_groups(groups, shared=0.01), bootstrap=20, group="corpus")
    assert "FEW_GROUPS" in codes(found)
    assert found.diagnostics.group_count == groups
    copy = from_document(json.loads(json.dumps(to_document(found), allow_nan=False)))
    assert isinstance(copy, FittedLaw)
    assert copy.diagnostics == found.diagnostics


def test_unknown_group_columns_get_suggestions_and_unusable_cells_are_named() -> None:
    runs = runs_of_groups(6, shared=0.01)
    with pytest.raises(UnknownName) as caught:
        fit_law(runs, bootstrap=5, group="korpus")
    assert caught.value.suggestions[0] == "corpus"
    columns = {k: c.cells for k, c in runs.columns.items()}
    failed = Runs.from_columns({**columns, "recipe": ["nan", *columns["recipe"][1:]]})
    with pytest.raises(InvalidInput, match=r"recipe = nan \(row 1\)"):
        fit_law(failed, bootstrap=5, group="recipe")
    blank = Runs.from_columns({**columns, "corpus": ["", *columns["corpus"][1:]]})
    assert fit_law(blank, bootstrap=5, group="corpus").provenance.rows_dropped == 1


def test_coefficients_by_group_are_no_want_of_groups() -> None:
    found = fit_law(runs_of_groups(6, shared=0.01), bootstrap=20, group="corpus", sharing="scales")
    assert found.provenance.options["resampled"] == "120 runs, within groups"
    assert "FEW_GROUPS" not in codes(found)
