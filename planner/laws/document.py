"""Laws as plain documents (dictionaries of numbers, strings and lists) for storing and sending, and back.

`to_document` and `from_document` are inverse to each other: coefficients, draws, ranges and provenance survive
bit for bit, since JSON writes floats with all their digits.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

import numpy as np

from planner.laws.compute import ComputeModel, compute_model
from planner.laws.form import Array
from planner.laws.forms import form_class
from planner.laws.law import Law, Provenance, frozen_spans


def to_document(law: Law) -> dict[str, Any]:
    """A JSON-ready document of the law."""
    return {
        "name": law.name,
        "form": law.form.form_name,
        "coefficients": {k: float(v) for k, v in law.form.values().items()},
        "grade": law.grade,
        "known_bad": law.known_bad,
        "counting": law.counting,
        "compute_model": _model_document(law.compute_model),
        "metric": law.metric,
        "corpus": law.corpus,
        "citation": law.citation,
        "notes": law.notes,
        "training_range": {k: [s.lower, s.upper] for k, s in law.training_range.items()},
        "residual_log_sd": law.residual_log_sd,
        "relative_error_source": law.relative_error_source,
        "drift_per_decade": law.drift_per_decade,
        "draws": None if law.draws is None else law.draws.tolist(),
        "residuals": None if law.residuals is None else law.residuals.tolist(),
        "provenance": provenance_document(law.provenance),
    }


def from_document(document: Mapping[str, Any]) -> Law:
    """The law of a document."""
    return Law(**law_fields(document))


def law_fields(document: Mapping[str, Any]) -> dict[str, Any]:
    """The fields of `Law`, by name (for subclasses, which add their own)."""
    return {
        "name": document["name"],
        "form": form_class(document["form"])(**document["coefficients"]),
        "grade": document["grade"],
        "known_bad": document["known_bad"],
        "counting": document["counting"],
        "compute_model": _model(document["compute_model"]),
        "metric": document["metric"],
        "corpus": document["corpus"],
        "citation": document["citation"],
        "notes": document["notes"],
        "training_range": frozen_spans(document["training_range"]),
        "residual_log_sd": document["residual_log_sd"],
        "relative_error_source": document["relative_error_source"],
        "drift_per_decade": document["drift_per_decade"],
        "draws": _array(document["draws"]),
        "residuals": _array(document["residuals"]),
        "provenance": Provenance(**document["provenance"]),
    }


def provenance_document(provenance: Provenance) -> dict[str, Any]:
    """A JSON-ready document of a provenance."""
    values = {f.name: getattr(provenance, f.name) for f in fields(provenance)}
    return {k: dict(v) if isinstance(v, Mapping) else v for k, v in values.items()}


def _array(values: Any) -> Array | None:
    return None if values is None else np.asarray(values, float)


def _model_document(model: ComputeModel) -> dict[str, Any]:
    return {"name": model.name, **{f.name: getattr(model, f.name) for f in fields(model)}}


def _model(document: Mapping[str, Any]) -> ComputeModel:
    return compute_model(document["name"], **{k: v for k, v in document.items() if k != "name"})
