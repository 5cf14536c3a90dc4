"""What the client does, as generators that know no transport: they yield calls and are sent the answers.

`Client` and `AsyncClient` drive the same flows, one by blocking, one by awaiting, so nothing is written twice:
requests are built here, answers read here, pages followed, operations waited for, and what was stored on the
way to a refused fit is removed again.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any, TypeVar, cast

from google.longrunning import operations_pb2
from google.protobuf import empty_pb2
from google.protobuf.message import Message

from apportion import answers, fields, requests
from apportion.errors import ApportionError, DeadlineExceeded, InvalidArgument, Violation, read_status
from apportion.reading import read
from apportion.tables import Table
from apportion.v1 import experiment_pb2, hardware_pb2, hardware_service_pb2, law_pb2, laws_service_pb2, plan_pb2
from apportion.v1 import planning_service_pb2 as planning

READ_SECONDS = 5.0
PLAN_SECONDS = 60.0
TABLE_SECONDS = 60.0
FIT_SECONDS = 900.0
FRONT_SECONDS = 600.0
_WAIT_SECONDS = 10.0
_PAGE_SIZE = 200
_TRUTHS = ("supported",)

T = TypeVar("T")
A = TypeVar("A", bound=answers.Answer)


@dataclass(frozen=True)
class Call:
    """One unary call: its full method name, the request, the class of the answer, its deadline."""

    method: str
    request: Message
    answer: type[Message]
    timeout_seconds: float


Flow = Generator[Call, Any, T]
OnStage = Callable[[str], None]


def _call(service: str, request: Message, answer: type[Message], timeout_seconds: float) -> Call:
    """The method of a request is its name: `PlanTrainingRequest` asks `PlanTraining`."""
    method = request.DESCRIPTOR.name.removesuffix("Request")
    package = "google.longrunning" if service == "Operations" else "apportion.v1"
    return Call(f"/{package}.{service}/{method}", request, answer, timeout_seconds)


# ── runs and laws ────────────────────────────────────────────────────────────────────────────────────────────


def import_runs(
    runs: Any, *, name: str = "", validate_only: bool = False, timeout_seconds: float = TABLE_SECONDS
) -> Flow[answers.RunSet]:
    """Store a table of training runs (a mapping, records, a DataFrame, or a path), under `name` if given.

    Raises InvalidArgument when `runs` is not a table, AlreadyExists when the name is taken.
    """
    request = laws_service_pb2.ImportRunsRequest(
        run_set_id=name.removeprefix("runSets/"),
        table=Table.read(runs, "runs").to_proto(),
        validate_only=validate_only,
    )
    requests.stamp(request)
    return read(answers.RunSet, (yield _call("Laws", request, law_pb2.RunSet, timeout_seconds)))


def run_sets() -> Flow[tuple[answers.RunSet, ...]]:
    """The stored tables of runs, newest first."""
    pages = yield from _pages("Laws", laws_service_pb2.ListRunSetsRequest(), laws_service_pb2.ListRunSetsResponse)
    return tuple(read(answers.RunSet, item) for page in pages for item in page.run_sets)


def delete_run_set(name: str) -> Flow[None]:
    """Forget a stored table of runs; laws fitted on it stay. Raises NotFound."""
    request = laws_service_pb2.DeleteRunSetRequest(name=requests.resource("runSets", name))
    yield _call("Laws", request, empty_pb2.Empty, READ_SECONDS)


def fit(
    runs: Any,
    *,
    form: str,
    name: str = "",
    where: str = "",
    group: str = "",
    bootstrap: int | None = None,
    seed: int | None = None,
    mapping: Any = None,
    timeout_seconds: float = FIT_SECONDS,
    on_stage: OnStage | None = None,
) -> Flow[answers.Law]:
    """Fit a form to runs: a table of any kind, a stored `RunSet`, or the name of one (`runSets/…`).

    `form` may be `auto`. `where` filters rows (`in_fit_240 == 1 and C < 1e21`), `group` names the column whose
    groups the bootstrap draws whole, `bootstrap` is the number of draws (1000 when None), `mapping` says which
    column holds which variable. A table given here is stored for the fit, and removed if the fit is refused.

    Raises InvalidArgument, NotFound, NotIdentified, AlreadyExists, DeadlineExceeded after `timeout_seconds`.
    """
    if not form:
        raise InvalidArgument(violations=[Violation("form", "''", "the name of a form, or auto")])
    request = laws_service_pb2.FitLawRequest(
        form=form,
        law_id=name.removeprefix("laws/"),
        filter=where,
        group_column=group,
        column_variables=requests.column_variables(mapping or {}),
    )
    for field, number in (("bootstrap_draw_count", bootstrap), ("seed", seed)):
        if number is not None:
            setattr(request, field, requests.whole_number(number, field))
    requests.stamp(request)
    stored = isinstance(runs, answers.RunSet) or (isinstance(runs, str) and runs.startswith("runSets/"))
    if stored:
        request.run_set = runs.name if isinstance(runs, answers.RunSet) else runs
    else:
        request.run_set = (yield from import_runs(runs)).name
    try:
        operation = yield _call("Laws", request, operations_pb2.Operation, TABLE_SECONDS)
        law = yield from _result(operation, law_pb2.Law, laws_service_pb2.FitLawMetadata, timeout_seconds, on_stage)
    except GeneratorExit:
        raise
    except BaseException:
        if not stored:
            yield from _quietly(delete_run_set(request.run_set))
        raise
    return read(answers.Law, law)


def design_experiment(
    *, timeout_seconds: float = FIT_SECONDS, on_stage: OnStage | None = None, **wishes: Any
) -> Flow[answers.ExperimentDesign]:
    """Which pilot runs to buy for at most `budget_flops`; asked again with their results in `runs`, the next ones.

    Wishes: `target_flops` (decide the best size at this compute) or `target_points` (the loss there); `candidates`;
    `runs` (with a column `loss`); `form`, `law`, `seed`. Tables of any kind, in columns that name the form's variables.
    Raises InvalidArgument, NotFound, DeadlineExceeded after `timeout_seconds` (the work is then cancelled).
    """
    tables = {name: wishes.pop(name, None) for name in ("runs", "candidates", "target_points")}
    request = requests.build(fields.EXPERIMENT, wishes)
    for name, table in tables.items():
        if table is not None:
            getattr(request, name).CopyFrom(Table.read(table, name).to_proto())
    operation = yield _call("Laws", request, operations_pb2.Operation, TABLE_SECONDS)
    metadata = laws_service_pb2.DesignExperimentMetadata
    found = yield from _result(operation, experiment_pb2.ExperimentDesign, metadata, timeout_seconds, on_stage)
    return read(answers.ExperimentDesign, found)


def laws() -> Flow[tuple[answers.Law, ...]]:
    """All laws: published ones first, then fitted ones, newest first."""
    pages = yield from _pages("Laws", laws_service_pb2.ListLawsRequest(), laws_service_pb2.ListLawsResponse)
    return tuple(read(answers.Law, item) for page in pages for item in page.laws)


def law(name: str, *, draws: bool = False) -> Flow[answers.Law]:
    """One law, with its bootstrap draws if asked for. Raises NotFound with suggestions."""
    view = laws_service_pb2.LAW_VIEW_FULL if draws else laws_service_pb2.LAW_VIEW_BASIC
    request = laws_service_pb2.GetLawRequest(name=requests.resource("laws", name), view=view)
    return read(answers.Law, (yield _call("Laws", request, law_pb2.Law, READ_SECONDS)))


def delete_law(name: str) -> Flow[None]:
    """Forget a fitted law. Raises NotFound."""
    request = laws_service_pb2.DeleteLawRequest(name=requests.resource("laws", name))
    yield _call("Laws", request, empty_pb2.Empty, READ_SECONDS)


def predict(
    law: str | answers.Law,
    points: Any,
    *,
    mapping: Any = None,
    level: float | None = None,
    timeout_seconds: float = TABLE_SECONDS,
) -> Flow[Table]:
    """The points with `predicted_loss`, its interval, and how far each lies outside the law's runs.

    Raises InvalidArgument, NotFound.
    """
    request = laws_service_pb2.PredictRequest(
        law=law.name if isinstance(law, answers.Law) else requests.resource("laws", law),
        points=Table.read(points, "points").to_proto(),
        column_variables=requests.column_variables(mapping or {}),
        level=level,
    )
    answer = yield _call("Laws", request, laws_service_pb2.PredictResponse, timeout_seconds)
    return Table.from_proto(answer.table)


# ── hardware ─────────────────────────────────────────────────────────────────────────────────────────────────


def accelerators() -> Flow[tuple[answers.Accelerator, ...]]:
    """All accelerators with their offers, by name."""
    request = hardware_service_pb2.ListAcceleratorsRequest()
    pages = yield from _pages("Hardware", request, hardware_service_pb2.ListAcceleratorsResponse)
    return tuple(read(answers.Accelerator, item) for page in pages for item in page.accelerators)


def accelerator(name: str) -> Flow[answers.Accelerator]:
    """One accelerator, matched without regard to case. Raises NotFound with suggestions."""
    request = hardware_service_pb2.GetAcceleratorRequest(name=requests.resource("accelerators", name))
    answer = yield _call("Hardware", request, hardware_pb2.Accelerator, READ_SECONDS)
    return read(answers.Accelerator, answer)


def model_shapes() -> Flow[tuple[answers.ModelShape, ...]]:
    """All known model shapes, by name."""
    request = hardware_service_pb2.ListModelShapesRequest()
    pages = yield from _pages("Hardware", request, hardware_service_pb2.ListModelShapesResponse)
    return tuple(read(answers.ModelShape, item) for page in pages for item in page.model_shapes)


def model_shape(name: str) -> Flow[answers.ModelShape]:
    """One model shape, matched without regard to case. Raises NotFound with suggestions."""
    request = hardware_service_pb2.GetModelShapeRequest(name=requests.resource("modelShapes", name))
    return read(answers.ModelShape, (yield _call("Hardware", request, hardware_pb2.ModelShape, READ_SECONDS)))


def estimate_serving(points: Any, *, timeout_seconds: float = TABLE_SECONDS) -> Flow[Table]:
    """The points with predicted latency and throughput of serving, intervals, and `supported`."""
    request = hardware_service_pb2.EstimateServingRequest(points=Table.read(points, "points").to_proto())
    answer = yield _call("Hardware", request, hardware_service_pb2.EstimateServingResponse, timeout_seconds)
    return Table.from_proto(answer.table, _TRUTHS)


def estimate_energy(points: Any, *, timeout_seconds: float = TABLE_SECONDS) -> Flow[Table]:
    """The points with predicted power and energy a token, intervals, and `supported`."""
    request = hardware_service_pb2.EstimateEnergyRequest(points=Table.read(points, "points").to_proto())
    answer = yield _call("Hardware", request, hardware_service_pb2.EstimateEnergyResponse, timeout_seconds)
    return Table.from_proto(answer.table, _TRUTHS)


def estimate_training(points: Any, *, timeout_seconds: float = TABLE_SECONDS) -> Flow[Table]:
    """The points with predicted accelerator-hours and training speed, intervals, and `supported`."""
    request = hardware_service_pb2.EstimateTrainingRequest(points=Table.read(points, "points").to_proto())
    answer = yield _call("Hardware", request, hardware_service_pb2.EstimateTrainingResponse, timeout_seconds)
    return Table.from_proto(answer.table, _TRUTHS)


# ── plans ────────────────────────────────────────────────────────────────────────────────────────────────────


def plan_training(*, timeout_seconds: float = PLAN_SECONDS, **wishes: Any) -> Flow[answers.Plan]:
    """Which model to train within the limits, or most cheaply for a target loss.

    Wishes, by the names in `apportion.fields.TRAINING` or the contract's own: `law`, `training_flops`,
    `budget_usd`, `accelerator_hours`, `deadline_hours`, `max_loss`, `as_good_as`, `unique_tokens`, `experts`,
    `accelerator`, `precision`, `price_term`, `limit={metric: value}`, `minimize`, `alternatives`, `explain`, …
    That nothing meets the limits is an answer (`plan.outcome == "INFEASIBLE"`), not an error.
    Raises InvalidArgument, NotFound, DeadlineExceeded.
    """
    return (yield from _plan(fields.TRAINING, wishes, timeout_seconds))


def plan_deployment(*, timeout_seconds: float = PLAN_SECONDS, **wishes: Any) -> Flow[answers.Plan]:
    """How to serve a model.

    Wishes, by the names in `apportion.fields.DEPLOYMENT`: `model` or `parameter_count`,
    `requests_per_second`, `input_tokens`, `output_tokens`, `max_tpot_seconds`, `max_ttft_seconds`,
    `latency_percentile`, `accelerator`, `precision`, `price_term`, `limit`, `minimize`, `alternatives`, …
    Raises InvalidArgument, NotFound, DeadlineExceeded.
    """
    return (yield from _plan(fields.DEPLOYMENT, wishes, timeout_seconds))


def plan_lifecycle(*, timeout_seconds: float = PLAN_SECONDS, **wishes: Any) -> Flow[answers.Plan]:
    """Which model to train when serving it is part of the bill.

    Wishes, by the names in `apportion.fields.LIFECYCLE`: `law`, `inference_tokens`, `max_loss`, `as_good_as`,
    `lifetime_flops`, `training_flops`, `budget_usd`, the workload and the hardware as in the other plans;
    `serving_accelerator`, `serving_precision`, … where serving differs from training.
    Raises InvalidArgument, NotFound, DeadlineExceeded.
    """
    return (yield from _plan(fields.LIFECYCLE, wishes, timeout_seconds))


def front(
    *, timeout_seconds: float = FRONT_SECONDS, on_stage: OnStage | None = None, **wishes: Any
) -> Flow[answers.Front]:
    """The plans that nothing dominates in `objectives`, two to four metrics.

    Wishes: `objectives`, `points`, and those of `plan_lifecycle`.
    Raises InvalidArgument, NotFound, DeadlineExceeded after `timeout_seconds` (the work is then cancelled).
    """
    request = requests.build(fields.FRONT, wishes)
    operation = yield _call("Planning", request, operations_pb2.Operation, PLAN_SECONDS)
    found = yield from _result(operation, plan_pb2.Front, planning.ComputeFrontMetadata, timeout_seconds, on_stage)
    return read(answers.Front, found)


def get_plan(name: str) -> Flow[answers.Plan]:
    """One stored plan. Raises NotFound."""
    request = planning.GetPlanRequest(name=requests.resource("plans", name))
    return read(answers.Plan, (yield _call("Planning", request, plan_pb2.Plan, READ_SECONDS)))


def list_plans() -> Flow[tuple[answers.Plan, ...]]:
    """The stored plans, newest first."""
    pages = yield from _pages("Planning", planning.ListPlansRequest(), planning.ListPlansResponse)
    return tuple(read(answers.Plan, item) for page in pages for item in page.plans)


def delete_plan(name: str) -> Flow[None]:
    """Forget a stored plan. Raises NotFound."""
    request = planning.DeletePlanRequest(name=requests.resource("plans", name))
    yield _call("Planning", request, empty_pb2.Empty, READ_SECONDS)


def explain_plan(plan: str | answers.Plan) -> Flow[str]:
    """A stored plan in sentences. Raises NotFound."""
    name = plan.name if isinstance(plan, answers.Plan) else requests.resource("plans", plan)
    answer = yield _call("Planning", planning.ExplainPlanRequest(name=name), planning.ExplainPlanResponse, PLAN_SECONDS)
    return cast(str, answer.explanation)


# ── what they share ──────────────────────────────────────────────────────────────────────────────────────────


def _plan(kind: fields.Kind, wishes: dict[str, Any], timeout_seconds: float) -> Flow[answers.Plan]:
    request = requests.build(kind, wishes)
    return read(answers.Plan, (yield _call("Planning", request, plan_pb2.Plan, timeout_seconds)))


def _pages(service: str, request: Any, answer: type[Message]) -> Flow[list[Any]]:
    pages = []
    request.page_size = _PAGE_SIZE
    while True:
        page = yield _call(service, request, answer, READ_SECONDS)
        pages.append(page)
        if not page.next_page_token:
            return pages
        request.page_token = page.next_page_token


def _result(
    operation: operations_pb2.Operation,
    answer: type[Message],
    metadata: type[Message],
    timeout_seconds: float,
    on_stage: OnStage | None,
) -> Flow[Any]:
    """Wait for an operation; when the wait is given up, for whatever cause, cancel it."""
    end = time.monotonic() + timeout_seconds
    told = ""
    try:
        while not operation.done:
            left = end - time.monotonic()
            if left <= 0:
                raise DeadlineExceeded(
                    f"{operation.name}: not done within {timeout_seconds:g} s",
                    metadata={"operation": operation.name},
                )
            progress = metadata()
            if on_stage and operation.metadata.Unpack(progress) and progress.stage != told:  # type: ignore[attr-defined]
                told = progress.stage  # type: ignore[attr-defined]
                on_stage(told)
            wait = operations_pb2.WaitOperationRequest(name=operation.name)
            wait.timeout.FromMilliseconds(int(1000 * min(_WAIT_SECONDS, left)))
            deadline = min(_WAIT_SECONDS, left) + READ_SECONDS
            operation = yield _call("Operations", wait, operations_pb2.Operation, deadline)
    except GeneratorExit:
        raise
    except BaseException:
        cancel = operations_pb2.CancelOperationRequest(name=operation.name)
        yield from _quietly(_one(_call("Operations", cancel, empty_pb2.Empty, READ_SECONDS)))
        raise
    if operation.HasField("error"):
        raise read_status(operation.error)
    result = answer()
    operation.response.Unpack(result)
    return result


def _one(call: Call) -> Flow[Any]:
    return (yield call)


def _quietly(flow: Flow[Any]) -> Flow[None]:
    """Tidying up after a failure must not hide the failure."""
    try:
        yield from flow
    except ApportionError:
        return
