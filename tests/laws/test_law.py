"""The catalogue of published laws, predictions with intervals, and documents."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from planner.errors import InvalidInput, UnknownName
from planner.laws import FORMS, Law, OptimisationClass, compute_model, form_class, law, laws
from planner.laws.document import from_document, to_document
from planner.laws.law import frozen_spans
from planner.laws.variables import variable

NAMES = {
    "hoffmann-2022",
    "hoffmann-2022-rounded",
    "besiroglu-2024",
    "muennighoff-2023-base",
    "kaplan-2020",
    "muennighoff-2023",
    "ludziejewski-2025",
}


def inside(entry: Law) -> dict[str, float]:
    """A point in the middle of the runs."""
    point = {"parameter_count": 1e9, "token_count": 2e10, "unique_token_count": 1e10, "expert_count": 8.0}
    for name in entry.form.variables:
        span, usual = entry.training_range.get(name), variable(name).usual
        low, high = usual if span is None else (max(span.lower, 1e-3), span.upper)
        if name not in point or (span is not None and not span.lower <= point[name] <= span.upper):
            point[name] = 0.5 * (low + high) if low < 0 else math.sqrt(low * high)
    return {k: point[k] for k in entry.form.variables}


def test_the_catalogue_has_the_laws_everybody_quotes() -> None:
    assert {entry.name for entry in laws()} >= NAMES
    assert {type(entry.form) for entry in laws()} <= set(FORMS)


def test_names_are_matched_without_case_and_misspellings_get_suggestions() -> None:
    assert law("Besiroglu-2024").name == "besiroglu-2024"
    with pytest.raises(UnknownName) as caught:
        law("besirolgu")
    assert caught.value.suggestions[0] == "besiroglu-2024"
    assert form_class("Joint-MoE").form_name == "joint-moe"
    with pytest.raises(UnknownName, match="chinchilla"):
        form_class("chinchila")


@pytest.mark.parametrize("entry", laws(), ids=lambda e: e.name)
def test_every_law_says_what_it_rests_on_and_predicts_an_interval(entry: Law) -> None:
    assert entry.grade in {"A", "B", "C", "unverified"}
    assert entry.citation
    assert entry.provenance.kind == "published"
    assert entry.residual_log_sd > 0
    assert entry.form.optimisation_class in OptimisationClass
    assert all(c.lower <= v <= c.upper for c, v in zip(entry.form.coefficients, entry.form.vector(), strict=True))
    found = entry.predict(inside(entry))
    assert found.lower < found.loss < found.upper
    assert found.extrapolation_ratio == 1.0
    assert ("NO_DRAWS" in {w.code for w in found.warnings}) == (entry.draws is None)


def test_only_the_fits_that_stopped_early_are_known_to_be_bad() -> None:
    assert {entry.name for entry in laws() if entry.known_bad} == {"hoffmann-2022", "hoffmann-2022-rounded"}
    codes = {w.code for w in law("hoffmann-2022").predict(inside(law("hoffmann-2022"))).warnings}
    assert "KNOWN_BAD_FIT" in codes


def test_draws_of_the_besiroglu_law_have_the_published_errors_and_correlations() -> None:
    entry = law("besiroglu-2024")
    assert entry.draws is not None
    names = entry.form.names()
    spread = dict(zip(names, entry.draws.std(axis=0), strict=True))
    assert spread["E"] == pytest.approx(0.0257, rel=0.15)
    assert spread["alpha"] == pytest.approx(0.0154, rel=0.15)
    assert spread["beta"] == pytest.approx(0.0206, rel=0.15)
    logs = {k: np.log(entry.draws[:, names.index(k)]) for k in ("E", "A", "B")}
    alpha, beta = (entry.draws[:, names.index(k)] for k in ("alpha", "beta"))
    assert np.corrcoef(logs["A"], alpha)[0, 1] == pytest.approx(0.9993, abs=2e-4)
    assert np.corrcoef(logs["B"], beta)[0, 1] == pytest.approx(0.9998, abs=2e-4)
    share = beta / (alpha + beta)
    assert share.std() == pytest.approx(0.020, rel=0.15)


def test_an_interval_widens_with_the_distance_from_the_runs() -> None:
    entry = law("besiroglu-2024")
    flops = np.array([1e21, 1e24, 1e27])
    n, d = entry.form.compute_optimal(flops)  # type: ignore[attr-defined]
    found = entry.predict({"parameter_count": n, "token_count": d})
    widths = np.log(found.upper / found.lower)
    assert np.all(np.diff(widths) > 0)
    assert found.extrapolation_ratio[0] == 1.0
    assert found.extrapolation_ratio[2] == pytest.approx(1e27 / 1.3e22)
    assert "FAR_EXTRAPOLATION" in {w.code for w in found.warnings}


def test_a_higher_level_gives_a_wider_interval() -> None:
    entry = law("kaplan-2020")
    narrow, wide = (entry.predict(inside(entry), level=level) for level in (0.5, 0.95))
    assert wide.lower < narrow.lower < narrow.upper < wide.upper


def test_distance_is_the_factor_outside_in_the_worst_variable() -> None:
    entry = law("kaplan-2020")
    assert entry.extrapolation_ratio({"parameter_count": 3e9, "token_count": 1e10}) == pytest.approx(2.0)
    assert entry.extrapolation_ratio({"parameter_count": 1e9, "token_count": 2.2e6}) == pytest.approx(10.0)


def test_every_wrong_variable_is_named_at_once() -> None:
    with pytest.raises(InvalidInput) as caught:
        law("muennighoff-2023").predict({"parameter_count": -1.0, "token_count": math.nan}, level=2.0)
    assert {v.field for v in caught.value.violations} == {
        "level",
        "parameter_count",
        "token_count",
        "unique_token_count",
    }


@pytest.mark.parametrize("entry", laws(), ids=lambda e: e.name)
def test_a_law_survives_being_written_and_read(entry: Law) -> None:
    copy = from_document(json.loads(json.dumps(to_document(entry))))
    assert copy.form == entry.form
    assert copy.provenance == entry.provenance
    assert copy.training_range == entry.training_range
    assert copy.predict(inside(entry)) == entry.predict(inside(entry))


def test_compute_models_with_a_shape_survive_as_json() -> None:
    model = compute_model("with-unembedding", vocabulary_size=1000.0, model_width=64.0, layer_count=2.0, causal=False)
    changed = Law(**{**vars(law("kaplan-2020")), "compute_model": model})
    copy = from_document(json.loads(json.dumps(to_document(changed))))
    assert copy.compute_model == model
    assert to_document(law("kaplan-2020"))["compute_model"] == {"name": "simple"}


def test_spans_are_immutable() -> None:
    spans = frozen_spans({"parameter_count": (1.0, 2.0)})
    with pytest.raises(TypeError):
        spans["parameter_count"] = spans["parameter_count"]  # type: ignore[index]
