"""What comes back: frozen dataclasses of plain floats, texts, mappings and tuples, one for each message.

Their fields are those of the contract, under the same names (`apportion.reading` fills them, and a test keeps
the two equal), so `plan.metrics["loss"].value` and `plan.decision.parameter_count` are plain floats and what
does not apply is None. `to_dict()` gives the same as JSON-ready mappings, `to_frame()` as pandas.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from google.protobuf import json_format
from google.protobuf.message import Message

from apportion.tables import Cell, Table


class Answer:
    """Base of all answers: a frozen dataclass that remembers the message it was read from."""

    _message: Message

    def to_dict(self) -> dict[str, Any]:
        """The answer as JSON-ready mappings, field names as in the contract; fields with no value are left out."""
        return json_format.MessageToDict(
            self._message, preserving_proto_field_name=True, always_print_fields_with_no_presence=True
        )

    def to_proto(self) -> Message:
        """A copy of the message behind the answer."""
        copy = type(self._message)()
        copy.CopyFrom(self._message)
        return copy


@dataclass(frozen=True)
class Estimate(Answer):
    """A number with its interval, meant to hold with probability `level`."""

    value: float
    lower: float
    upper: float
    standard_error: float | None
    level: float


@dataclass(frozen=True)
class PlanWarning(Answer):
    """Something to know before trusting a number: a stable `code` and a sentence."""

    code: str
    message: str


@dataclass(frozen=True)
class ValueRange(Answer):
    """A closed range of a quantity."""

    lower: float
    upper: float


@dataclass(frozen=True)
class PriceOffer(Answer):
    """One offer of accelerator time, with its source and the date it was read."""

    offer: str
    term: str
    region: str
    price_usd_per_hour: float
    source: str
    read_date: str


@dataclass(frozen=True)
class Accelerator(Answer):
    """One kind of accelerator; a figure that its sheet lacks is None."""

    name: str
    vendor: str
    peak_flops_per_second: Mapping[str, float]
    memory_bytes: float
    memory_bytes_per_second: float
    scaleup_bytes_per_second: float | None
    scaleup_domain_count: int
    tdp_watts: float | None
    source: str
    doubt: str
    offers: tuple[PriceOffer, ...]


@dataclass(frozen=True)
class ModelShape(Answer):
    """The shape of a known model."""

    name: str
    total_parameter_count: float
    active_parameter_count: float
    layer_count: int
    hidden_size: int
    expert_count: int
    experts_per_token_count: int
    kv_bytes_per_token: float
    attention: str


@dataclass(frozen=True)
class LawDraws(Answer):
    """Joint draws of a law's coefficients, draw after draw."""

    coefficient_names: tuple[str, ...]
    values: tuple[float, ...]


@dataclass(frozen=True)
class ComputeOptimalExponent(Answer):
    """Exponent a of N* ∝ C^a; `token_count` is that of D*."""

    value: float
    lower: float
    upper: float
    standard_error: float | None
    level: float
    token_count: Estimate | None


@dataclass(frozen=True)
class Law(Answer):
    """A scaling law: a form with coefficients, published or fitted."""

    name: str
    form: str
    formula: str
    grade: str
    coefficients: Mapping[str, float]
    intervals: Mapping[str, Estimate]
    objective_value: float | None
    objective: str
    compute_optimal_exponent: ComputeOptimalExponent | None
    diagnostics: Mapping[str, float]
    ranges: Mapping[str, ValueRange]
    parameter_convention: str
    compute_model: str
    corpus: str
    citation: str
    notes: str
    residual_log_sd: float
    warnings: tuple[PlanWarning, ...]
    provenance: Mapping[str, str]
    draws: LawDraws | None
    create_time: datetime | None


@dataclass(frozen=True)
class ExperimentDesign(Answer):
    """Pilot runs worth buying for a decision, and the regret they are expected to leave."""

    runs: Table
    run_count: int
    cost_flops: float
    before_loss: float
    after_loss: float
    bound_loss: float | None
    before_flops: float | None
    after_flops: float | None
    decision: Mapping[str, Estimate]
    form: str

    def to_dict(self) -> dict[str, Any]:
        """The answer as JSON-ready mappings; `runs` as `{"rows": [{column: cell}, …]}`."""
        return {**super().to_dict(), "runs": self.runs.to_dict()}


@dataclass(frozen=True)
class RunSet(Answer):
    """A stored table of training runs, without its rows."""

    name: str
    row_count: int
    column_names: tuple[str, ...]
    content_sha256: str
    create_time: datetime | None


@dataclass(frozen=True)
class FormScore(Answer):
    """How well one form, or a baseline, predicts runs it was not fitted to."""

    form: str
    baseline: bool
    sharing: str
    huber_delta: float | None
    coefficient_count: int
    extrapolation_error: Estimate | None
    split_errors: tuple[float, ...]
    holdout_error: Estimate | None
    holdout_r_squared: float | None
    tied: bool


@dataclass(frozen=True)
class ComparisonSplit(Answer):
    """One split: what was fitted, what was predicted."""

    name: str
    fitted_row_count: int
    held_row_count: int


@dataclass(frozen=True)
class FormComparison(Answer):
    """Forms by how well they extrapolate, the best first, and whether the best can be trusted."""

    ranking: tuple[FormScore, ...]
    chosen_form: str
    trustworthy: bool
    statement: str
    splits: tuple[ComparisonSplit, ...]
    excluded_forms: Mapping[str, str]
    error_kind: str
    row_count: int
    holdout_row_count: int


@dataclass(frozen=True)
class Decision(Answer):
    """What to do; a value that does not apply is None."""

    parameter_count: float | None
    active_parameter_count: float | None
    total_parameter_count: float | None
    token_count: float | None
    unique_token_count: float | None
    epoch_count: float | None
    expert_count: int | None
    training_flops: float | None
    model: str | None
    accelerator: str | None
    accelerator_count: int | None
    precision: str | None
    tensor_parallel: int | None
    pipeline_parallel: int | None
    expert_parallel: int | None
    data_parallel: int | None
    replica_count: int | None
    batch_size: int | None
    serving_accelerator: str | None
    serving_accelerator_count: int | None
    serving_precision: str | None
    serving_tensor_parallel: int | None

    def values(self) -> dict[str, float | int | str]:
        """The values that apply, by name, in the contract's order."""
        named = ((field.name, getattr(self, field.name)) for field in fields(self))
        return {name: value for name, value in named if value is not None}


@dataclass(frozen=True)
class Certificate(Answer):
    """An independent proof of a plan: the objective lies at most `relative_gap` above `lower_bound`."""

    relative_gap: float
    feasible: bool
    method: str
    lower_bound: float
    objective_value: float
    max_violation: float


@dataclass(frozen=True)
class BindingLimit(Answer):
    """A limit that stops the plan from being better, and what giving way would bring."""

    metric: str
    limit: float
    elasticity: float
    marginal_value: float


@dataclass(frozen=True)
class Alternative(Answer):
    """A runner-up, how much worse it is, and why it lost."""

    decision: Decision
    metrics: Mapping[str, float]
    relative_regret: float
    why_not: str


@dataclass(frozen=True)
class Conflict(Answer):
    """One of the limits that cannot hold together."""

    metric: str
    limit: float
    message: str


@dataclass(frozen=True)
class Relaxation(Answer):
    """How little a limit would have to give for a plan to exist, all others kept."""

    metric: str
    limit: float
    smallest_feasible_limit: float
    factor: float


@dataclass(frozen=True)
class SearchEffort(Answer):
    """What the search did."""

    cell_count: int
    solve_count: int
    planning_seconds: float


@dataclass(frozen=True)
class Plan(Answer):
    """What to do, what it costs, how sure we are, and why nothing is better."""

    name: str
    kind: str
    outcome: str
    objective: str
    decision: Decision
    decision_intervals: Mapping[str, Estimate]
    metrics: Mapping[str, Estimate]
    certificate: Certificate | None
    binding: tuple[BindingLimit, ...]
    elasticities: Mapping[str, float]
    alternatives: tuple[Alternative, ...]
    diagnosis: Mapping[str, float]
    warnings: tuple[PlanWarning, ...]
    provenance: Mapping[str, str]
    conflicts: tuple[Conflict, ...]
    relaxation: tuple[Relaxation, ...]
    search: SearchEffort | None
    explanation: str
    create_time: datetime | None

    @property
    def feasible(self) -> bool:
        """Is there something to do?"""
        return self.outcome in ("OPTIMAL", "FEASIBLE")

    def row(self) -> dict[str, Cell]:
        """Decision values and metrics in one flat row; an interval as `metric_lower`, `metric_upper`."""
        cells: dict[str, Cell] = {**self.decision.values()}
        for name, estimate in self.metrics.items():
            cells[name] = estimate.value
            cells[f"{name}_lower"], cells[f"{name}_upper"] = estimate.lower, estimate.upper
        return cells

    def to_frame(self) -> Any:
        """The plan and its runners-up as a pandas DataFrame, one row each."""
        others = [{**other.decision.values(), **other.metrics} for other in self.alternatives]
        return Table.read([self.row(), *others]).to_frame()


@dataclass(frozen=True)
class Front(Answer):
    """The plans that nothing dominates."""

    objectives: tuple[str, ...]
    points: tuple[Plan, ...]
    hypervolume_gap: float
    warnings: tuple[PlanWarning, ...]
    search: SearchEffort | None
    provenance: Mapping[str, str]
    outcome: str
    conflicts: tuple[Conflict, ...]
    relaxation: tuple[Relaxation, ...]

    def to_table(self) -> Table:
        """The points as a table: decision values and metrics, one row a point."""
        return Table.read([point.row() for point in self.points], "front")

    def to_frame(self) -> Any:
        """The points as a pandas DataFrame, one row a point."""
        return self.to_table().to_frame()

    def to_html(self) -> str:
        """A page with the picture of the front, complete in itself (needs the extra `charts`)."""
        from apportion.front_page import front_page

        return front_page(self)
