"""What a plan says: decision values, metrics with intervals, the proof, what binds, what else was close.

Plain frozen records; names and units are those of the wire's `Plan` message, so that nothing is renamed on the way.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field

from planner.laws import Caution


class Outcome(enum.Enum):
    """What the optimiser can vouch for; the value is the sentence a person reads."""

    OPTIMAL = "feasible, and proven best to the stated gap"
    FEASIBLE = "feasible, but not proven best"
    INFEASIBLE = "no plan meets the limits"
    UNBOUNDED = "the limits leave the objective without a bound"
    TIME_LIMIT = "the time ran out first"
    FAILED = "the solver gave no usable answer"


class Kind(enum.Enum):
    """What is planned."""

    TRAINING = "which model to train"
    DEPLOYMENT = "how to serve a model"
    LIFECYCLE = "which model to train when serving it is part of the bill"


@dataclass(frozen=True)
class Estimate:
    """A number with the interval that holds with probability `level`."""

    value: float
    lower: float
    upper: float
    standard_error: float | None = None
    level: float = 0.8


@dataclass(frozen=True)
class Decision:
    """Decision values; `None` where one does not apply. `law_variables`: what else the law knows."""

    parameter_count: float | None = None
    active_parameter_count: float | None = None
    total_parameter_count: float | None = None
    token_count: float | None = None
    unique_token_count: float | None = None
    epoch_count: float | None = None
    expert_count: int | None = None
    training_flops: float | None = None
    model: str | None = None
    accelerator: str | None = None
    accelerator_count: int | None = None
    precision: str | None = None
    tensor_parallel: int | None = None
    pipeline_parallel: int | None = None
    expert_parallel: int | None = None
    data_parallel: int | None = None
    replica_count: int | None = None
    batch_size: int | None = None
    serving_accelerator: str | None = None
    serving_accelerator_count: int | None = None
    serving_precision: str | None = None
    serving_tensor_parallel: int | None = None
    law_variables: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Certificate:
    """The independent check: `relative_gap` = (objective − lower bound) / lower bound, in original units."""

    relative_gap: float
    feasible: bool
    method: str
    lower_bound: float
    objective_value: float
    max_violation: float = 0.0


@dataclass(frozen=True)
class BindingLimit:
    """A limit that stops the plan from being better; `elasticity` = d log objective / d log limit."""

    metric: str
    limit: float
    elasticity: float
    marginal_value: float


@dataclass(frozen=True)
class Alternative:
    """A runner-up: what to do instead, its metrics, and why it lost."""

    decision: Decision
    metrics: Mapping[str, float]
    relative_regret: float
    why_not: str


@dataclass(frozen=True)
class Conflict:
    """One of the limits that cannot hold together."""

    metric: str
    limit: float
    message: str


@dataclass(frozen=True)
class Relaxation:
    """How little a limit would have to give for a plan to exist, all others kept."""

    metric: str
    limit: float
    smallest_feasible_limit: float

    @property
    def factor(self) -> float:
        return self.smallest_feasible_limit / self.limit


@dataclass(frozen=True)
class SearchEffort:
    """What the search did."""

    cell_count: int
    solve_count: int
    planning_seconds: float


@dataclass(frozen=True)
class Plan:
    """The answer to one planning question."""

    kind: Kind
    outcome: Outcome
    objective: str
    decision: Decision = Decision()
    decision_intervals: Mapping[str, Estimate] = field(default_factory=dict)
    metrics: Mapping[str, Estimate] = field(default_factory=dict)
    certificate: Certificate | None = None
    binding: tuple[BindingLimit, ...] = ()
    elasticities: Mapping[str, float] = field(default_factory=dict)
    alternatives: tuple[Alternative, ...] = ()
    diagnosis: Mapping[str, float] = field(default_factory=dict)
    warnings: tuple[Caution, ...] = ()
    provenance: Mapping[str, str] = field(default_factory=dict)
    conflicts: tuple[Conflict, ...] = ()
    relaxation: tuple[Relaxation, ...] = ()
    search: SearchEffort = SearchEffort(0, 0, 0.0)


@dataclass(frozen=True)
class Front:
    """Plans that nothing dominates, over two to four minimised metrics."""

    objectives: tuple[str, ...]
    outcome: Outcome
    points: tuple[Plan, ...] = ()
    hypervolume_gap: float = 0.0
    warnings: tuple[Caution, ...] = ()
    provenance: Mapping[str, str] = field(default_factory=dict)
    conflicts: tuple[Conflict, ...] = ()
    relaxation: tuple[Relaxation, ...] = ()
    search: SearchEffort = SearchEffort(0, 0, 0.0)
