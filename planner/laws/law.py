"""A law: a form with coefficients, and everything that says how far to trust it.

Published laws carry an evidence grade, fitted ones their joint bootstrap draws. Either way a prediction is an
interval: the spread over the draws (never over marginal errors, since the coefficients of scaling laws correlate at
0.999), the scatter of single runs and, for each decade outside the range of the runs, a drift are added in quadrature
on each side, in log loss (of a metric that may be negative, in its own unit). So the drift grows with the root of the
distance, like the error of steps that nobody saw. That of a fitted law is learned from runs it was not fitted to.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from statistics import NormalDist
from types import MappingProxyType
from typing import Any

import numpy as np

from planner.errors import Violation, require
from planner.laws.by_group import GROUP
from planner.laws.caution import Caution
from planner.laws.compute import SIMPLE, ComputeModel
from planner.laws.form import Array, Form
from planner.laws.variables import allowed, is_allowed

FAR = 10.0  # an extrapolation beyond this factor is called far
DRIFT_LEVEL = 0.8
LOSS = "loss (nats/token)"
DRIFT_PER_DECADE = 0.02  # where nothing is known: the least that held-out runs of well-tuned dense sweeps show


@dataclass(frozen=True)
class Span:
    """Smallest and largest value of a variable among the runs a law was fitted to."""

    lower: float
    upper: float

    def distance(self, value: Any) -> Array:
        """Factor by which `value` lies outside; 1 inside. Where zero is a value, 1 and how many widths it lies outside.

        The shares of a mixture have no ratio to speak of once one of them can be zero.
        """
        x = np.asarray(value, float)
        if self.lower > 0 and np.all(x > 0):
            return np.asarray(np.maximum(1.0, np.maximum(x / self.upper, self.lower / x)))
        beyond = np.maximum(0.0, np.maximum(x - self.upper, self.lower - x))
        return np.asarray(1.0 + beyond / max(self.upper - self.lower, 1e-300))


@dataclass(frozen=True)
class Provenance:
    """Where the coefficients come from: a paper, or a fit that can be repeated."""

    kind: str  # "published" or "fitted"
    source: str = ""
    data_sha256: str = ""
    rows_used: int = 0
    rows_dropped: int = 0
    seed: int | None = None
    options: Mapping[str, str] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Prediction:
    """Loss with an interval; floats for a point, arrays (points,) for points."""

    loss: Any
    lower: Any
    upper: Any
    level: float
    extrapolation_ratio: Any
    warnings: tuple[Caution, ...] = ()


@dataclass(frozen=True, kw_only=True, eq=False)
class Law:
    """A form with coefficients.

    `draws` (draws, coefficients) is a joint sample of the coefficients or None; `residual_log_sd` the scatter of
    single runs about the law, in log loss; `residuals` the fitted log residuals where they are known (they give the
    scatter's quantiles without assuming a shape). `training_range` has one span per variable the runs covered,
    `training_flops` among them. `drift_per_decade` is the error (in log loss, not exceeded by 80 % of runs) that each
    decade outside that range adds. `grade`: A coefficients in several sources or reproduced, B one source or a narrow
    range, C form only, unverified. `metric` says what the form's value is and its unit, where that is no loss in nats
    per token; of a metric that may be negative, log losses here are plain differences. A `known_bad` law is there to be
    compared with, not to be planned with.
    """

    name: str
    form: Form
    grade: str
    residual_log_sd: float
    provenance: Provenance
    counting: str = "total"
    compute_model: ComputeModel = SIMPLE
    training_range: Mapping[str, Span] = field(default_factory=lambda: MappingProxyType({}))
    corpus: str = ""
    citation: str = ""
    notes: str = ""
    known_bad: bool = False
    relative_error_source: str = ""
    metric: str = LOSS
    draws: Array | None = None
    residuals: Array | None = None
    drift_per_decade: float = DRIFT_PER_DECADE

    @property
    def group_column(self) -> str:
        """The column of the runs that names their group; "" where the law knows none."""
        return self.provenance.options.get("group", "")

    @property
    def groups(self) -> tuple[str, ...]:
        """The names of the groups of a law by group, in the order of their numbers from 1; else empty."""
        if GROUP not in self.form.variables:
            return ()
        names = self.provenance.options
        return tuple(names[f"group {k}"] for k in range(1, len(names) + 1) if f"group {k}" in names)

    def cloud(self) -> Form | None:
        """The form with all draws at once (coefficients of shape (draws, 1)), or None."""
        return None if self.draws is None else type(self.form).from_vector(self.draws)

    def tuned(self) -> Law:
        """The law with its hyper-parameters at their best, of the other variables alone; this law if it has none."""
        form = self.form.tuned()
        if form is self.form:
            return self
        kept = [self.form.names().index(name) for name in form.names()]
        spans = {k: v for k, v in self.training_range.items() if k not in self.form.hyper_parameters}
        draws = None if self.draws is None else self.draws[:, kept]
        return replace(self, form=form, draws=draws, training_range=MappingProxyType(spans))

    def loss(self, **variables: Any) -> Any:
        """The loss at the coefficients' point values: the formula itself."""
        return self.form.loss(**variables)

    def extrapolation_ratio(self, variables: Mapping[str, Any]) -> Any:
        """1 within the range of the runs, else the factor outside it in the worst variable (compute included)."""
        known = dict(variables)
        if "training_flops" not in known and {"parameter_count", "token_count"} <= known.keys():
            known["training_flops"] = self.compute_model.training_flops(
                np.asarray(known["parameter_count"], float), np.asarray(known["token_count"], float)
            )
        shape = np.broadcast(*(np.asarray(known[v]) for v in self.form.variables)).shape
        ratio = np.broadcast_to(outside(self.training_range, known), shape)
        return float(ratio) if ratio.ndim == 0 else ratio

    def predict(self, variables: Mapping[str, Any], level: float = 0.8) -> Prediction:
        """Loss and its interval at `variables` (numbers, or arrays that broadcast together).

        A law by group takes the names of the groups as `group`, or their numbers from 1. Raises InvalidInput naming
        every variable that is missing or outside its physical range.
        """
        values = self._checked(variables, level)
        with np.errstate(over="ignore"):  # what is too large for a number is as good as infinite
            loss = np.asarray(self.form.loss(**values), float)
        ratio = np.asarray(self.extrapolation_ratio({**variables, **values}), float)
        scatter = np.hypot(self._scatter(level), self._drift(level) * np.sqrt(np.log10(ratio)))
        below, above = self._spread(values, loss, level)
        down, up = np.hypot(below, scatter), np.hypot(above, scatter)
        signed = self.form.signed()
        lower = loss - down if signed else loss * np.exp(-down)
        upper = loss + up if signed else loss * np.exp(up)
        best, low, high, distance = (
            float(x) if loss.ndim == 0 else np.broadcast_to(x, loss.shape) for x in (loss, lower, upper, ratio)
        )
        return Prediction(best, low, high, level, distance, self._cautions(float(np.max(ratio, initial=1.0))))

    def _checked(self, variables: Mapping[str, Any], level: float) -> dict[str, Array]:
        violations: list[Violation] = []
        values: dict[str, Array] = {}
        if not 0.0 < level < 1.0:
            violations.append(Violation("level", f"{level:g}", "a number between 0 and 1"))
        for name in self.form.variables:
            if name not in variables:
                violations.append(Violation(name, "missing", f"required by the form {self.form.form_name}"))
                continue
            if name == GROUP:
                violations += self._unknown_groups(variables[name])
                values[name] = self._numbers(variables[name])
                continue
            x = np.asarray(variables[name], float)
            wrong = ~is_allowed(name, x)
            if wrong.any():
                violations += allowed(name).check(name, float(x[wrong].flat[0]))
            values[name] = x
        require(*violations)
        return values

    def _numbers(self, groups: Any) -> Array:
        """The numbers of groups from their names (0 for unknown ones), or as they are given."""
        given = np.asarray(groups)
        if given.dtype.kind not in "UO":
            return np.asarray(given, float)
        known = {name: float(k) for k, name in enumerate(self.groups, start=1)}
        return np.array([known.get(str(name), 0.0) for name in given.reshape(-1)]).reshape(given.shape)

    def _unknown_groups(self, groups: Any) -> list[Violation]:
        numbers = np.atleast_1d(self._numbers(groups))
        wrong = ~np.isin(numbers, np.arange(1, len(self.groups) + 1))
        if not wrong.any():
            return []
        found = str(np.atleast_1d(np.asarray(groups))[wrong][0])
        return [Violation(self.group_column or GROUP, found, f"one of: {', '.join(self.groups)}")]

    def _scatter(self, level: float) -> float:
        """Half-width of the scatter of single runs, in log loss."""
        if self.residuals is not None and len(self.residuals):
            spare = max(len(self.residuals) - len(self.form.coefficients), 1)
            inflation = float(np.sqrt(len(self.residuals) / spare))
            return inflation * float(np.quantile(np.abs(self.residuals), level))
        return self.residual_log_sd * NormalDist().inv_cdf(0.5 * (1.0 + level))

    def _drift(self, level: float) -> float:
        """Half-width that the first decade outside the range adds, in log loss."""
        normal = NormalDist()
        return self.drift_per_decade * normal.inv_cdf(0.5 * (1.0 + level)) / normal.inv_cdf(0.5 * (1.0 + DRIFT_LEVEL))

    def _spread(self, values: Mapping[str, Array], loss: Array, level: float) -> tuple[Any, Any]:
        """Log distance (distance, if signed) from the loss down to, and up to, the quantiles over the draws."""
        cloud = self.cloud()
        if cloud is None:
            return 0.0, 0.0
        flat = {k: np.broadcast_to(v, loss.shape).reshape(-1) for k, v in values.items()}
        scaled = np.asarray if self.form.signed() else np.log
        with np.errstate(over="ignore"):  # a draw of an exponent near zero may pass through infinity on its way
            logs = scaled(cloud.loss(**flat))
        tail = 0.5 * (1.0 - level)
        low, high = (q.reshape(loss.shape) for q in np.quantile(logs, (tail, 1.0 - tail), axis=0))
        centre = scaled(loss)
        return np.maximum(centre - low, 0.0), np.maximum(high - centre, 0.0)

    def _cautions(self, ratio: float) -> tuple[Caution, ...]:
        found = []
        if ratio > 1.0 + 1e-9:
            how = "far outside" if ratio > FAR else "outside"
            sentence = f"up to a factor of {ratio:.3g} {how} the range of the runs behind {self.name}"
            found.append(Caution("FAR_EXTRAPOLATION" if ratio > FAR else "EXTRAPOLATION", sentence))
        if self.draws is None:
            source = self.relative_error_source or "assumed"
            sd = self.residual_log_sd
            size = f"{sd:.2g}" if self.form.signed() else f"{100 * sd:.2g} %"
            sentence = (
                f"no joint draws of the coefficients of {self.name} are known: the interval rests on a scatter of "
                f"{size} about the law ({source})"
            )
            found.append(Caution("NO_DRAWS", sentence))
        if self.known_bad:
            found.append(Caution("KNOWN_BAD_FIT", f"{self.name} is a known bad fit: {self.notes}"))
        return tuple(found)


def outside(spans: Mapping[str, Span], variables: Mapping[str, Any]) -> Array:
    """Factor by which `variables` lie outside `spans` in the worst variable that both know; 1 inside."""
    ratio = np.ones(())
    for name, span in spans.items():
        if name in variables:
            ratio = np.maximum(ratio, span.distance(variables[name]))
    return np.asarray(ratio)


def frozen_spans(spans: Mapping[str, tuple[float, float]]) -> Mapping[str, Span]:
    """An immutable training range from (lower, upper) pairs."""
    return MappingProxyType({k: Span(float(a), float(b)) for k, (a, b) in spans.items()})
