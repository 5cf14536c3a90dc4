"""A law may hold on average and fail for a part of the runs: errors group by group."""

from __future__ import annotations

import numpy as np
import pytest

from planner.fitting import Runs, compare_forms, fit_law, from_document, to_document
from planner.laws import law

TRUTH = law("besiroglu-2024")


def runs_of_corpora(off: float) -> Runs:
    """Six corpora of twenty runs with noise of 0.2 %; the losses of the last are higher by the share `off`."""
    generator = np.random.default_rng(0)
    n, d = 10 ** generator.uniform(7.5, 10, 120), 10 ** generator.uniform(9, 11.5, 120)
    corpus = np.repeat([f"corpus {k}" for k in range(6)], 20)
    shift = np.where(corpus == "corpus 5", off, 0.0) + 0.002 * generator.standard_normal(120)
    loss = np.asarray(TRUTH.loss(parameter_count=n, token_count=d)) * np.exp(shift)
    return Runs.from_columns({"N": n, "D": d, "loss": loss, "corpus": corpus.tolist()})


def test_the_group_that_the_law_misses_is_named() -> None:
    found = fit_law(runs_of_corpora(0.05), group="corpus", bootstrap=20)
    worst = found.diagnostics.groups[0]
    assert (worst.group, worst.rows) == ("corpus 5", 20)
    assert worst.mean_log_residual == pytest.approx(-0.05, abs=0.01)
    assert len(found.diagnostics.groups) == 6
    sentence = next(w.sentence for w in found.warnings if w.code == "GROUP_BIAS")
    assert "corpus 5" in sentence


def test_groups_alike_raise_no_warning() -> None:
    found = fit_law(runs_of_corpora(0.0), group="corpus", bootstrap=20)
    assert "GROUP_BIAS" not in {w.code for w in found.warnings}
    errors = [g.mean_absolute_log_residual for g in found.diagnostics.groups]
    assert errors == sorted(errors, reverse=True)


def test_errors_by_group_survive_as_a_document() -> None:
    found = fit_law(runs_of_corpora(0.05), group="corpus", bootstrap=5)
    again = from_document(to_document(found))
    assert again.diagnostics.groups == found.diagnostics.groups  # type: ignore[attr-defined]


def test_a_comparison_names_the_group_that_a_form_predicts_worst() -> None:
    found = compare_forms(runs_of_corpora(0.05), ["chinchilla"], group="corpus", bootstrap=0)
    pooled = next(score for score in found.ranking if score.form == "log-plane")
    assert set(pooled.group_errors) == {f"corpus {k}" for k in range(6)}
    chosen = found.chosen
    assert chosen.group_errors[chosen.worst_group] == max(chosen.group_errors.values())
    assert chosen.sharing != "pooled"


def test_without_groups_there_are_no_errors_by_group() -> None:
    runs = runs_of_corpora(0.0)
    assert fit_law(runs, bootstrap=0).diagnostics.groups == ()
    assert compare_forms(runs, ["chinchilla"], bootstrap=0).chosen.worst_group == ""
