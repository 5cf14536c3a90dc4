"""Fitted laws as plain documents for storing and sending, and back (see `planner.laws.document`)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from planner.fitting.diagnostics import Diagnostics, ExtrapolationTest, GroupResidual, Influence, RegionRefit
from planner.fitting.estimates import ApproachExponents, ComputeOptimalExponent, Estimate
from planner.fitting.fitted import FittedLaw
from planner.fitting.minimum import SearchEvidence
from planner.laws import document as law_document
from planner.laws.caution import Caution
from planner.laws.law import Law


def to_document(law: Law) -> dict[str, Any]:
    """A JSON-ready document of a published or a fitted law."""
    document = law_document.to_document(law)
    if isinstance(law, FittedLaw):
        exponent = law.compute_optimal_exponent
        document["fit"] = {
            "intervals": {k: _estimate_document(v) for k, v in law.intervals.items()},
            "objective_value": law.objective_value,
            "objective": law.objective,
            "compute_optimal_exponent": None
            if exponent is None
            else {k: _estimate_document(getattr(exponent, k)) for k in ("parameters", "tokens")},
            "search": asdict(law.search),
            "diagnostics": asdict(law.diagnostics),
            "warnings": [asdict(w) for w in law.warnings],
            "approaches": None if law.approaches is None else _approaches_document(law.approaches),
            "excluded_forms": dict(law.excluded_forms),
        }
    return document


def from_document(document: Mapping[str, Any]) -> Law:
    """The law of a document: a `FittedLaw` if the document has the record of a fit."""
    if "fit" not in document:
        return law_document.from_document(document)
    fit = document["fit"]
    exponent = fit["compute_optimal_exponent"]
    return FittedLaw(
        **law_document.law_fields(document),
        intervals={k: _estimate(v) for k, v in fit["intervals"].items()},
        objective_value=fit["objective_value"],
        objective=fit["objective"],
        compute_optimal_exponent=None
        if exponent is None
        else ComputeOptimalExponent(_estimate(exponent["parameters"]), _estimate(exponent["tokens"])),
        search=SearchEvidence(**fit["search"]),
        diagnostics=_diagnostics(fit["diagnostics"]),
        warnings=tuple(Caution(**w) for w in fit["warnings"]),
        approaches=None if fit["approaches"] is None else _approaches(fit["approaches"]),
        excluded_forms=fit["excluded_forms"],
    )


def _approaches_document(found: ApproachExponents) -> dict[str, Any]:
    return {
        "exponents": {k: _estimate_document(v) for k, v in found.exponents.items()},
        "disagreement": found.disagreement,
        "pooled": _estimate_document(found.pooled),
    }


def _approaches(document: Mapping[str, Any]) -> ApproachExponents:
    exponents = {k: _estimate(v) for k, v in document["exponents"].items()}
    return ApproachExponents(exponents, document["disagreement"], _estimate(document["pooled"]))


def _estimate_document(estimate: Estimate) -> dict[str, float | None]:
    """NaN (no draws) becomes null, which every JSON reader takes."""
    return {k: None if math.isnan(v) else v for k, v in asdict(estimate).items()}


def _estimate(document: Mapping[str, Any]) -> Estimate:
    return Estimate(**{k: math.nan if v is None else v for k, v in document.items()})


def _diagnostics(document: Mapping[str, Any]) -> Diagnostics:
    influence, test = document["influence"], document["extrapolation"]
    return Diagnostics(
        **{
            **document,
            "influence": None if influence is None else Influence(**influence),
            "groups": tuple(GroupResidual(**g) for g in document["groups"]),
            "regions": tuple(RegionRefit(**r) for r in document["regions"]),
            "extrapolation": None if test is None else ExtrapolationTest(**test),
        }
    )
