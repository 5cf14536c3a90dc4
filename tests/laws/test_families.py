"""What is known besides laws: the family table, exponents without coefficients, policies, capabilities of models."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from planner.errors import InvalidInput, UnknownName
from planner.fitting import Runs, fit_law
from planner.laws import FORMS, law
from planner.laws.capabilities import capabilities
from planner.laws.exponents import known_exponents
from planner.laws.families import families, family
from planner.laws.policies import samples_beat_a_larger_model, sampling_policy, weight_bits


def test_no_default_is_unverified_or_a_known_bad_fit() -> None:
    for entry in families():
        if entry.law:
            default = law(entry.law)
            assert not default.known_bad
            assert default.grade in ("A", "B")
            assert default.form.form_name == entry.form
        else:
            assert entry.grade in ("B", "C")


def test_every_form_belongs_to_a_family() -> None:
    named = {name for entry in families() for name in (entry.form, *entry.alternatives)}
    assert {form.form_name for form in FORMS} - named == {"expert-sparsity-at-fixed-data"}  # of tables that hold one D


def test_a_family_is_found_by_name() -> None:
    assert family("Mixture of experts").law == "ludziejewski-2025"
    with pytest.raises(UnknownName, match="vocabulary"):
        family("vocabularies")


def test_known_exponents_bracket_what_published_laws_have() -> None:
    by_source = {(e.source.split(",")[0], e.of.split(",")[0]): e for e in known_exponents()}
    refit = by_source["Besiroglu et al. 2024", "best parameters by compute"].values["refit of approach 3"]
    exponents = law("besiroglu-2024").form.compute_optimal_exponents()
    assert exponents is not None
    assert refit.lower <= exponents[0] <= refit.upper
    hestness = by_source["Hestness et al. 2017", "error by examples (form `power-of-tokens`)"]
    assert hestness.values["word language model"].lower == law("hestness-2017-word-lm").form.values()["s"]


def test_samples_stand_in_for_size_only_where_little_is_asked_and_not_for_the_hardest_questions() -> None:
    assert samples_beat_a_larger_model(2, 0.1)
    assert not samples_beat_a_larger_model(2, 10.0)
    assert not samples_beat_a_larger_model(5, 0.1)
    assert sampling_policy(1, 4).strategy != sampling_policy(1, 256).strategy
    with pytest.raises(InvalidInput, match="difficulty"):
        sampling_policy(6, 4)


def test_four_bits_serve_best() -> None:
    assert (weight_bits().best, weight_bits().least) == (4, 3)


def test_capabilities_of_scores_that_two_causes_made_are_these_two() -> None:
    generator = np.random.default_rng(0)
    causes = generator.standard_normal((40, 2)) * [3.0, 1.0]
    scores = causes @ generator.uniform(0.2, 1.0, (2, 7)) + 5.0
    found = capabilities(scores, 2)
    assert found.explained.sum() == pytest.approx(1.0, abs=1e-9)
    assert found.values @ found.loadings * found.spread + found.centre == pytest.approx(scores, abs=1e-9)
    assert found.of(scores) == pytest.approx(found.values, abs=1e-9)


def test_scores_that_are_missing_are_filled_in_from_the_others() -> None:
    generator = np.random.default_rng(1)
    scores = generator.standard_normal((60, 2)) @ generator.uniform(0.2, 1.0, (2, 8))
    holes = np.where(generator.uniform(size=scores.shape) < 0.1, np.nan, scores)
    found = capabilities(holes, 2)
    rebuilt = found.values @ found.loadings * found.spread + found.centre
    assert rebuilt == pytest.approx(scores, abs=1e-3)


def test_more_components_than_benchmarks_are_refused() -> None:
    with pytest.raises(InvalidInput, match="component_count"):
        capabilities(np.random.default_rng(0).uniform(size=(20, 2)), 3)


BENCHMARKS = ("mmlu", "arc_c", "hellaswag", "winograd", "truthfulqa", "gsm8k", "xwinograd", "humaneval")


def test_three_capabilities_are_nearly_all_that_scores_of_public_models_vary_in(shared_data: Path) -> None:
    """Ruan et al. 2024 state about 97 % of the variance."""
    runs = Runs.read(shared_data / "runs" / "observational_llms.csv")
    scores = np.column_stack([runs.columns[f"acc_{name}"].numbers for name in BENCHMARKS])
    assert capabilities(scores).explained.sum() == pytest.approx(0.97, abs=0.015)


@pytest.mark.parametrize("target", ["mmlu", "arc_c"])
def test_three_capabilities_tell_a_further_score_of_families_left_out(shared_data: Path, target: str) -> None:
    runs = Runs.read(shared_data / "runs" / "observational_llms.csv")
    scores = np.column_stack([runs.columns[f"acc_{name}"].numbers for name in BENCHMARKS if name != target])
    observed = runs.columns[f"acc_{target}"].numbers
    usable = np.isfinite(observed) & (np.isfinite(scores).sum(axis=1) >= 4)
    families_of_runs = runs.columns["family"].cells.astype(str)[usable]
    left_out = np.isin(families_of_runs, np.unique(families_of_runs)[::5])
    found = capabilities(scores[usable])
    table = {f"capability_{k + 1}": found.values[:, k] for k in range(3)} | {"loss": observed[usable]}
    fitted = fit_law(Runs.from_columns({k: v[~left_out] for k, v in table.items()}), "observational-3", bootstrap=0)
    fresh = {k: v[left_out] for k, v in table.items()}
    truth = fresh.pop("loss")
    error = np.abs(fitted.form.loss(**fresh) - truth)
    assert np.median(error) < 0.25 * np.median(np.abs(truth - np.median(truth)))
