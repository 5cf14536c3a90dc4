"""Plans: the decision, its metrics with intervals, the certificate, and why nothing is better."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from apportion.answers.answer import Answer, Estimate, PlanWarning
from apportion.tables import Cell, Table


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
    law_variables: Mapping[str, float]

    def values(self) -> dict[str, float | int | str]:
        """The values that apply, by name, in the contract's order, then what else the law knows."""
        named = ((field.name, getattr(self, field.name)) for field in fields(self) if field.name != "law_variables")
        return {**{name: value for name, value in named if value is not None}, **self.law_variables}


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
