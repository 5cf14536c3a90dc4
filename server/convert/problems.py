"""Planning requests as the planner's problems.

Well-known limits have fields of their own on the wire (`budget_usd`) and are plain limits on a metric in the planner
(`training_usd`); a violation is named after the field that the caller wrote.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from apportion.v1 import planning_service_pb2 as wire
from planner.allocation.choices import HardwareChoice, Workload
from planner.allocation.lawvariables import LawVariable
from planner.allocation.problem import (
    DeploymentProblem,
    FrontProblem,
    LifecycleProblem,
    TrainingProblem,
)
from planner.errors import InvalidInput, Violation
from planner.hardware import SHIPPED, Catalogue
from planner.laws import Law

DEFAULT_LAW = "besiroglu-2024"
Laws = Callable[[str], Law]
Catalogues = Callable[[str, str], Catalogue]  # by the names of a calibration and a price book
Problem = TypeVar("Problem")

_TRAINING_LIMITS = {
    "training_flops": "training_flops",
    "budget_usd": "training_usd",
    "accelerator_hours": "accelerator_hours",
    "deadline_hours": "training_hours",
    "max_loss": "loss",
}
_LIFECYCLE_LIMITS = {
    "max_loss": "loss",
    "lifetime_flops": "lifetime_flops",
    "training_flops": "training_flops",
    "budget_usd": "lifetime_usd",
    "deadline_hours": "training_hours",
}
_WORKLOAD_OPTIONS = (
    "max_tpot_seconds",
    "max_ttft_seconds",
    "latency_percentile",
    "prefix_hit_share",
    "draft_token_count",
    "acceptance_rate",
    "draft_step_share",
)
_MAX_CHOICES = 128
# A limit or an objective on one of these needs a machine to train on.
_NEEDS_HARDWARE = frozenset({"training_usd", "training_hours", "accelerator_hours", "training_energy_joules"})


def shipped(calibration: str, price_book: str) -> Catalogue:
    """No facts but the planner's own."""
    return SHIPPED


def to_training(request: wire.PlanTrainingRequest, laws: Laws, catalogues: Catalogues = shipped) -> TrainingProblem:
    """The problem of a PlanTraining request. Raises InvalidInput, UnknownName."""
    _bounded("expert_counts", request.expert_counts)
    limits, origin = _limits(request, _TRAINING_LIMITS)
    needs_hardware = bool(_NEEDS_HARDWARE & {*limits, request.minimize})
    given = request.HasField("hardware")
    return _build(
        origin,
        TrainingProblem,
        law=laws(request.law or DEFAULT_LAW),
        limits=limits,
        minimize=request.minimize,
        expert_counts=tuple(request.expert_counts),
        law_variables=_law_variables(request),
        hardware=_hardware(request.hardware, catalogues) if given or needs_hardware else None,
        **_optional(request, "as_good_as_parameter_count", "unique_token_count", "alternative_count"),
    )


def to_deployment(request: wire.PlanDeploymentRequest, catalogues: Catalogues = shipped) -> DeploymentProblem:
    """The problem of a PlanDeployment request. Raises InvalidInput."""
    if not request.HasField("workload"):
        raise InvalidInput(Violation("workload", "unset", "what is asked of the model"))
    limits, origin = _limits(request, {})
    return _build(
        origin,
        DeploymentProblem,
        workload=_workload(request.workload),
        model=request.model,
        hardware=_hardware(request.hardware, catalogues),
        limits=limits,
        minimize=request.minimize,
        **_optional(request, "parameter_count", "expert_count", "alternative_count"),
    )


def to_lifecycle(request: wire.PlanLifecycleRequest, laws: Laws, catalogues: Catalogues = shipped) -> LifecycleProblem:
    """The problem of a PlanLifecycle request. Raises InvalidInput, UnknownName."""
    _bounded("expert_counts", request.expert_counts)
    limits, origin = _limits(request, _LIFECYCLE_LIMITS)
    serving = request.serving_hardware if request.HasField("serving_hardware") else request.training_hardware
    return _build(
        origin,
        LifecycleProblem,
        law=laws(request.law or DEFAULT_LAW),
        inference_token_count=request.inference_token_count,
        limits=limits,
        minimize=request.minimize,
        expert_counts=tuple(request.expert_counts),
        law_variables=_law_variables(request),
        workload=_workload(request.workload) if request.HasField("workload") else None,
        training_hardware=_hardware(request.training_hardware, catalogues, "training_hardware"),
        serving_hardware=_hardware(serving, catalogues, "serving_hardware"),
        **_optional(request, "as_good_as_parameter_count", "unique_token_count", "alternative_count"),
    )


def _law_variables(request: Any) -> dict[str, LawVariable]:
    _bounded("law_variables", request.law_variables)
    for name, said in request.law_variables.items():
        _bounded(f"law_variables.{name}", said.values)
    return {
        name: LawVariable(tuple(said.values), **_optional(said, "lower", "upper"))
        for name, said in request.law_variables.items()
    }


def to_front_problem(request: wire.ComputeFrontRequest, laws: Laws, catalogues: Catalogues = shipped) -> FrontProblem:
    """The problem of a ComputeFront request. Raises InvalidInput, UnknownName."""
    try:
        problem = to_lifecycle(request.problem, laws, catalogues)
    except InvalidInput as error:
        raise _renamed(error, "problem.{}".format) from error
    optional = _optional(request, "point_count")
    return FrontProblem(problem=problem, objectives=tuple(request.objectives), **optional)


def _limits(request: Any, well_known: Mapping[str, str]) -> tuple[dict[str, float], dict[str, str]]:
    """Limits by metric, and for each metric the request's field it came from."""
    _bounded("limits", request.limits)
    limits = dict(request.limits)
    origin = {metric: f"limits[{metric}]" for metric in limits}
    for field, metric in well_known.items():
        if not request.HasField(field):
            continue
        if metric in limits:
            raise InvalidInput(Violation(field, f"{getattr(request, field):g}", f"not with limits[{metric}]"))
        limits[metric] = getattr(request, field)
        origin[metric] = field
    return limits, origin


def _bounded(field: str, items: Sequence[Any] | Mapping[Any, Any]) -> None:
    """Lists to choose from multiply into the search: more than any catalogue holds is a mistake or an attack."""
    if len(items) > _MAX_CHOICES:
        raise InvalidInput(Violation(field, f"{len(items)} entries", f"at most {_MAX_CHOICES}"))


def _hardware(choice: wire.HardwareChoice, catalogues: Catalogues, field: str = "hardware") -> HardwareChoice:
    for name in ("accelerators", "precisions", "price_usd_per_hour"):
        _bounded(f"{field}.{name}", getattr(choice, name))
    given: dict[str, Any] = _optional(choice, "max_accelerator_count")
    given |= {name: getattr(choice, name) for name in ("price_term", "grid_zone") if getattr(choice, name)}
    return HardwareChoice(
        accelerators=tuple(choice.accelerators),
        precisions=tuple(choice.precisions),
        price_usd_per_hour=dict(choice.price_usd_per_hour),
        catalogue=catalogues(choice.calibration, choice.price_book),
        **given,
    )


def _workload(workload: wire.Workload) -> Workload:
    return Workload(
        requests_per_second=workload.requests_per_second,
        input_token_count=workload.input_token_count,
        output_token_count=workload.output_token_count,
        **_optional(workload, *_WORKLOAD_OPTIONS),
    )


def _optional(message: Any, *names: str) -> dict[str, Any]:
    """The optional fields that are set."""
    return {name: getattr(message, name) for name in names if message.HasField(name)}


def _build(origin: Mapping[str, str], kind: Callable[..., Problem], **arguments: Any) -> Problem:
    with named_after(origin):
        return kind(**arguments)


@contextlib.contextmanager
def named_after(origin: Mapping[str, str]) -> Iterator[None]:
    """Name violations after the request's fields: `origin` maps the planner's name to the caller's."""
    try:
        yield
    except InvalidInput as error:
        raise _renamed(error, lambda field: origin.get(field, field)) from error


def _renamed(error: InvalidInput, rename: Callable[[str], str]) -> InvalidInput:
    violations = [Violation(rename(v.field), v.value, v.allowed) for v in error.violations]
    return type(error)(*violations, hint=error.hint)
