"""The questions: what may be decided, within which limits, to minimise what.

Every quantity is checked against a physical range when a question is made, and all violations are named at
once; so a plan never starts from NaN, a negative price or 1e200 FLOP.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from planner.allocation.choices import HardwareChoice, Workload
from planner.allocation.lawvariables import LawVariable
from planner.allocation.metrics import LIFECYCLE_METRICS, PARAMETERS, SERVING_METRICS, TOKENS, TRAINING_METRICS
from planner.errors import InvalidInput, Range, Violation, require
from planner.laws import Law, OptimisationClass


@dataclass(frozen=True)
class TrainingProblem:
    """Which model to train within the limits, or most cheaply for a target loss.

    `limits` bounds metrics from above (see `TRAINING_METRICS`; of a metric that is better when larger, `loss` is the
    least to reach). `law_variables` settles what else the law knows, one value, several to choose from, or a range.
    `hardware=None` plans in FLOPs alone. A law of hyper-parameters is planned with at the best ones.
    Raises InvalidInput with every violation.
    """

    law: Law
    limits: Mapping[str, float]
    minimize: str = ""
    as_good_as_parameter_count: float | None = None
    unique_token_count: float | None = None
    expert_counts: tuple[int, ...] = ()
    law_variables: Mapping[str, LawVariable] = field(default_factory=dict)
    hardware: HardwareChoice | None = None
    alternative_count: int = 3

    def __post_init__(self) -> None:
        object.__setattr__(self, "law", self.law.tuned())
        require(*_limit_violations(self.limits, _metrics(self.law, TRAINING_METRICS)), *_law_violations(self))
        if self.hardware:
            require(*self.hardware.violations("hardware"))
        _require_limits(self)


@dataclass(frozen=True)
class DeploymentProblem:
    """How to serve a known model (`model`) or one that does not exist yet (`parameter_count`)."""

    workload: Workload
    model: str = ""
    parameter_count: float | None = None
    expert_count: int = 1
    hardware: HardwareChoice = field(default_factory=HardwareChoice)
    limits: Mapping[str, float] = field(default_factory=dict)
    minimize: str = ""
    alternative_count: int = 10

    def __post_init__(self) -> None:
        violations = [
            *self.workload.violations("workload"),
            *self.hardware.violations("hardware"),
            *_limit_violations(self.limits, SERVING_METRICS),
            *_choice("minimize", self.minimize, SERVING_METRICS),
            *_expert_violations((self.expert_count,)),
            *_alternatives(self.alternative_count),
        ]
        if bool(self.model) == (self.parameter_count is not None):
            violations.append(Violation("model", self.model or "none", "either a model or a parameter_count, not both"))
        if self.parameter_count is not None:
            violations += PARAMETERS.check("parameter_count", self.parameter_count)
        require(*violations)


@dataclass(frozen=True)
class LifecycleProblem:
    """Which model to train when serving `inference_token_count` tokens over its life is part of the bill.

    Without a `workload` the plan is in FLOPs alone (Sardana, Portes, Doubov & Frankle 2023). A law of hyper-parameters
    is planned with at the best ones.
    """

    law: Law
    inference_token_count: float
    limits: Mapping[str, float] = field(default_factory=dict)
    minimize: str = ""
    as_good_as_parameter_count: float | None = None
    unique_token_count: float | None = None
    expert_counts: tuple[int, ...] = ()
    law_variables: Mapping[str, LawVariable] = field(default_factory=dict)
    workload: Workload | None = None
    training_hardware: HardwareChoice = field(default_factory=HardwareChoice)
    serving_hardware: HardwareChoice = field(default_factory=HardwareChoice)
    alternative_count: int = 3

    def __post_init__(self) -> None:
        object.__setattr__(self, "law", self.law.tuned())
        violations = [
            *TOKENS.check("inference_token_count", self.inference_token_count),
            *_limit_violations(self.limits, _metrics(self.law, LIFECYCLE_METRICS)),
            *_law_violations(self),
            *self.training_hardware.violations("training_hardware"),
            *self.serving_hardware.violations("serving_hardware"),
        ]
        if self.workload:
            violations += self.workload.violations("workload")
        require(*violations)
        _require_limits(self)


@dataclass(frozen=True)
class FrontProblem:
    """Two to four metrics of a lifecycle problem to trade against each other, all minimised."""

    problem: LifecycleProblem
    objectives: tuple[str, ...]
    point_count: int = 40

    def __post_init__(self) -> None:
        violations = [v for o in self.objectives for v in _choice("objectives", o, LIFECYCLE_METRICS)]
        if not 2 <= len(self.objectives) <= 4 or len(set(self.objectives)) < len(self.objectives):
            violations.append(Violation("objectives", ", ".join(self.objectives), "two to four different metrics"))
        violations += Range(2, 500, "points").check("point_count", self.point_count)
        require(*violations)


def _metrics(law: Law, known: Mapping[str, Range]) -> Mapping[str, Range]:
    """The metrics and their ranges where `loss` is what the law predicts, a loss or not."""
    return known if law.form.observed == "loss" else {**known, "loss": Range(-1e300, 1e300, law.metric)}


def _limit_violations(limits: Mapping[str, float], known: Mapping[str, Range]) -> tuple[Violation, ...]:
    found: list[Violation] = []
    for name, value in limits.items():
        found += _choice("limits", name, known) or known[name].check(name, value)
    return tuple(found)


def _law_violations(problem: TrainingProblem | LifecycleProblem) -> tuple[Violation, ...]:
    known = TRAINING_METRICS if isinstance(problem, TrainingProblem) else LIFECYCLE_METRICS
    found = [
        *_choice("minimize", problem.minimize, known),
        *_expert_violations(problem.expert_counts),
        *(v for name, choice in problem.law_variables.items() for v in choice.violations(name)),
        *_alternatives(problem.alternative_count),
    ]
    if problem.unique_token_count is not None:
        found += TOKENS.check("unique_token_count", problem.unique_token_count)
    if problem.as_good_as_parameter_count is not None:
        found += PARAMETERS.check("as_good_as_parameter_count", problem.as_good_as_parameter_count)
        if "loss" in problem.limits:
            found.append(Violation("max_loss", f"{problem.limits['loss']:g}", "not with as_good_as_parameter_count"))
    return tuple(found)


def law_choices(problem: TrainingProblem | LifecycleProblem) -> dict[str, LawVariable]:
    """All that a problem says of its law's variables, those that have a field of their own included.

    Raises InvalidInput where such a field is no variable of the law.
    """
    law, choices, found = problem.law, dict(problem.law_variables), []
    if problem.unique_token_count is not None:
        allowed = f"unset: {law.name} does not model repeated data (use a data-constrained law: muennighoff-2023)"
        if "unique_token_count" not in law.form.variables:
            found.append(Violation("unique_token_count", f"{problem.unique_token_count:g}", allowed))
        choices["unique_token_count"] = LawVariable((problem.unique_token_count,))
    if "expert_count" in law.form.variables and problem.expert_counts:
        choices["expert_count"] = LawVariable(tuple(float(count) for count in problem.expert_counts))
    elif problem.expert_counts and problem.expert_counts != (1,):
        allowed = f"unset: {law.name} is not a law of mixtures of experts"
        found.append(Violation("expert_counts", str(list(problem.expert_counts)), allowed))
    require(*found)
    return choices


def _require_limits(problem: TrainingProblem | LifecycleProblem) -> None:
    splits = problem.law.form.optimisation_class is OptimisationClass.CONVEX
    if not (problem.limits or problem.law_variables or problem.as_good_as_parameter_count or splits):
        raise InvalidInput(Violation("limits", "none", "at least one budget, deadline or target loss"))


def _choice(field_name: str, value: str, known: Mapping[str, Range]) -> tuple[Violation, ...]:
    if not value or value in known:
        return ()
    return (Violation(field_name, value, "one of " + ", ".join(sorted(known))),)


def _expert_violations(counts: tuple[int, ...]) -> tuple[Violation, ...]:
    bad = [c for c in counts if not 1 <= c <= 1024]
    return tuple(Violation("expert_counts", str(c), "between 1 and 1024") for c in bad)


def _alternatives(count: int) -> tuple[Violation, ...]:
    return Range(0, 100, "alternatives").check("alternative_count", count)
