"""Laws: planner's records as messages and back.

A fitted law has to survive the store and travel to a worker without loss, so its draws go along (`LawDraws`) and its
residuals too (`NumberCells`, not on the wire). Published laws are never read back: a worker has them by name.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from apportion.v1 import estimate_pb2, law_pb2, table_pb2
from planner.laws import ComputeModel, Law, Provenance, compute_model, form_class
from planner.laws.form import Array, Coef
from planner.laws.law import DRIFT_PER_DECADE, LOSS, frozen_spans
from server import names

if TYPE_CHECKING:  # the service itself does without the fitting code
    from planner.fitting.estimates import Estimate

LEVEL = 0.8
_GRADES = {
    "A": law_pb2.Law.A,
    "B": law_pb2.Law.B,
    "C": law_pb2.Law.C,
    "unverified": law_pb2.Law.UNVERIFIED,
    "fitted": law_pb2.Law.FITTED,
}
_GRADE_NAMES = {value: name for name, value in _GRADES.items()}


def to_law(law: Law) -> law_pb2.Law:
    """A law with everything but its draws."""
    message = law_pb2.Law(
        name=names.full(names.LAWS, law.name),
        form=law.form.form_name,
        formula=_formula(law),
        grade=_GRADES.get(law.grade, law_pb2.Law.UNVERIFIED),
        coefficients={name: float(value) for name, value in law.form.values().items()},
        ranges={v: estimate_pb2.ValueRange(lower=s.lower, upper=s.upper) for v, s in law.training_range.items()},
        parameter_convention=law.counting,
        compute_model=_compute_model_text(law.compute_model),
        corpus=law.corpus,
        citation=law.citation,
        notes=law.notes,
        residual_log_sd=law.residual_log_sd,
        metric=law.metric,
        drift_per_decade=law.drift_per_decade,
    )
    _set_intervals(message, law)
    if _has_exponent(law):
        set_exponent(message.compute_optimal_exponent, law)
    if law.known_bad:
        message.warnings.add(code="KNOWN_BAD_FIT", message=law.notes)
    if law.provenance.kind == "fitted":
        message.provenance.update(_provenance(law.provenance))
        _set_fit(message, law)
    return message


def to_draws(law: Law) -> law_pb2.LawDraws:
    """The joint draws of a law, draw after draw; empty if there are none."""
    message = law_pb2.LawDraws(coefficient_names=law.form.names())
    if law.draws is not None:
        message.values.extend(np.asarray(law.draws, float).ravel().tolist())
    return message


def to_residuals(law: Law) -> table_pb2.NumberCells:
    """The fitted log residuals of a law."""
    return table_pb2.NumberCells(values=[] if law.residuals is None else law.residuals.tolist())


def from_law(message: law_pb2.Law, draws: law_pb2.LawDraws, residuals: table_pb2.NumberCells) -> Law:
    """The law that a message, its draws and its residuals describe."""
    kind = form_class(message.form)
    cloud = np.array(draws.values, float).reshape(-1, len(draws.coefficient_names)) if draws.values else None
    return Law(
        name=names.identity(names.LAWS, message.name),
        form=kind(**dict(message.coefficients)),
        grade=_GRADE_NAMES.get(message.grade, "unverified"),
        residual_log_sd=message.residual_log_sd,
        relative_error_source="residuals of the fitted runs",
        provenance=_read_provenance(message.provenance),
        counting=message.parameter_convention,
        compute_model=_read_compute_model(message.compute_model),
        training_range=frozen_spans({v: (r.lower, r.upper) for v, r in message.ranges.items()}),
        corpus=message.corpus,
        citation=message.citation,
        notes=message.notes,
        draws=cloud,
        residuals=np.array(residuals.values, float) if residuals.values else None,
        metric=message.metric or LOSS,
        drift_per_decade=message.drift_per_decade or DRIFT_PER_DECADE,
    )


def _formula(law: Law) -> str:
    text = (type(law.form).loss.__doc__ or "").strip().splitlines()
    return f"L = {text[0].rstrip('.')}" if text else ""


def _set_intervals(message: law_pb2.Law, law: Law) -> None:
    if law.draws is None:
        return
    for column, name in enumerate(law.form.names()):
        value = float(law.form.values()[name])
        message.intervals[name].CopyFrom(_estimate(value, law.draws[:, column]))


def _has_exponent(law: Law) -> bool:
    return hasattr(law.form, "parameter_exponent") and hasattr(law.form, "token_exponent")


def set_exponent(exponent: law_pb2.ComputeOptimalExponent, law: Law) -> None:
    """Fill in how the best counts of a law grow with compute."""
    form, cloud = law.form, law.cloud()
    estimates = []
    for method in ("parameter_exponent", "token_exponent"):
        sample: Coef | None = None if cloud is None else getattr(cloud, method)()
        estimates.append(_estimate(float(getattr(form, method)()), None if sample is None else np.ravel(sample)))
    parameters, tokens = estimates
    exponent.value, exponent.lower, exponent.upper = parameters.value, parameters.lower, parameters.upper
    exponent.level = parameters.level
    if parameters.HasField("standard_error"):
        exponent.standard_error = parameters.standard_error
    exponent.token_count.CopyFrom(tokens)


def interval(estimate: Estimate) -> estimate_pb2.Estimate:
    """An estimate of the planner; one without draws is the value itself, at level 0."""
    if math.isnan(estimate.lower):
        return estimate_pb2.Estimate(value=estimate.value, lower=estimate.value, upper=estimate.value)
    message = estimate_pb2.Estimate(value=estimate.value, lower=estimate.lower, upper=estimate.upper, level=LEVEL)
    if math.isfinite(estimate.standard_error):
        message.standard_error = estimate.standard_error
    return message


def _estimate(value: float, sample: Array | None) -> estimate_pb2.Estimate:
    """A value with the interval of its draws; without draws the interval is the value itself, at level 0."""
    if sample is None:
        return estimate_pb2.Estimate(value=value, lower=value, upper=value)
    tail = 0.5 * (1.0 - LEVEL)
    lower, upper = np.quantile(sample, [tail, 1.0 - tail])
    estimate = estimate_pb2.Estimate(value=value, lower=float(lower), upper=float(upper), level=LEVEL)
    if len(sample) > 1:
        estimate.standard_error = float(np.std(sample, ddof=1))
    return estimate


def _set_fit(message: law_pb2.Law, law: Any) -> None:
    """What a fresh fit knows beyond the law: its objective, its diagnostics, its warnings."""
    if not hasattr(law, "objective_value"):
        return
    message.objective_value = law.objective_value
    message.objective = law.objective
    message.excluded_forms.update(law.excluded_forms)
    for caution in law.warnings:
        message.warnings.add(code=caution.code, message=caution.sentence)
    for part in ("diagnostics", "search"):
        message.diagnostics.update(_numbers(asdict(getattr(law, part))))
    if law.approaches is not None:
        message.diagnostics["approach_disagreement"] = law.approaches.disagreement
        for name, estimate in {**law.approaches.exponents, "pooled": law.approaches.pooled}.items():
            message.approach_exponents[name].CopyFrom(interval(estimate))


def _numbers(record: Mapping[str, Any], prefix: str = "") -> dict[str, float]:
    """The finite numbers of a nested record, by dotted path."""
    found: dict[str, float] = {}
    for name, value in record.items():
        path = f"{prefix}{name}"
        if isinstance(value, Mapping):
            found |= _numbers(value, f"{path}.")
        elif isinstance(value, (list, tuple)):
            for item in value:
                if isinstance(item, Mapping):
                    label = next((str(v) for v in item.values() if isinstance(v, str)), "")
                    found |= _numbers(item, f"{path}.{label}." if label else f"{path}.")
        elif isinstance(value, (int, float)) and math.isfinite(value):
            found[path] = float(value)
    return found


def _provenance(provenance: Provenance) -> dict[str, str]:
    flat = {
        "kind": provenance.kind,
        "source": provenance.source,
        "data_sha256": provenance.data_sha256,
        "rows_used": str(provenance.rows_used),
        "rows_dropped": str(provenance.rows_dropped),
    }
    if provenance.seed is not None:
        flat["seed"] = str(provenance.seed)
    flat |= {f"option.{name}": value for name, value in provenance.options.items()}
    return flat | {f"version.{name}": value for name, value in provenance.versions.items()}


def _read_provenance(flat: Mapping[str, str]) -> Provenance:
    def under(prefix: str) -> dict[str, str]:
        return {k.removeprefix(prefix): v for k, v in flat.items() if k.startswith(prefix)}

    return Provenance(
        kind=flat.get("kind", "fitted"),
        source=flat.get("source", ""),
        data_sha256=flat.get("data_sha256", ""),
        rows_used=int(flat.get("rows_used", "0")),
        rows_dropped=int(flat.get("rows_dropped", "0")),
        seed=int(flat["seed"]) if "seed" in flat else None,
        options=under("option."),
        versions=under("version."),
    )


def _compute_model_text(model: ComputeModel) -> str:
    """The model's name, and its shape if it has one: `aspect-attention context_length=2048 …`."""
    shape = " ".join(f"{f.name}={getattr(model, f.name)}" for f in fields(model))
    return f"{model.name} {shape}".strip()


def _read_compute_model(text: str) -> ComputeModel:
    name, *shape = text.split()
    values = {key: value for key, _, value in (item.partition("=") for item in shape)}
    return compute_model(name, **{key: _read_value(value) for key, value in values.items()})


def _read_value(text: str) -> float | bool:
    return text == "True" if text in ("True", "False") else float(text)
