"""What workers can do: functions from serialised requests to serialised answers, without state between calls.

A fitted law travels with the job; its parsed form is kept by content, so that a planner that keys compiled problems on
the law object finds them again.
"""

from __future__ import annotations

import contextvars
import logging
import secrets
from collections.abc import Callable, Mapping
from functools import lru_cache, partial
from typing import Any

from google.rpc import status_pb2

from apportion.v1 import laws_service_pb2, planning_service_pb2, table_pb2
from planner import allocation, fitting
from planner.errors import InvalidInput, PlanningError, Violation
from planner.fitting import automatic, selection
from planner.fitting.fit import held_coefficients
from planner.hardware import Catalogue
from planner.laws import Law, form_class, law
from server import names
from server.convert import comparisons, errors, experiments, plans, problems
from server.convert import laws as law_messages
from server.convert.runs import to_runs
from server.execution.attachments import unpack_law
from server.execution.calibration_job import calibrate, check_calibrate
from server.execution.own_hardware import unpack_hardware
from server.execution.sensitivity_job import analyze_sensitivity

Parts = tuple[bytes, ...]
_log = logging.getLogger("server.jobs")
_DEFAULT_DRAWS = 1000
_APPROACH_DRAWS = 300
_FIT_FIELDS = {
    "runs": "run_set",
    "where": "filter",
    "mapping": "column_variables",
    "bootstrap": "bootstrap_draw_count",
    "fixed": "fixed_coefficients",
}
_attachments: contextvars.ContextVar[Mapping[str, bytes]] = contextvars.ContextVar("attachments")


def run(name: str, request: bytes, attachments: Mapping[str, bytes]) -> tuple[Parts, bytes]:
    """(parts of the answer, b"") or ((), serialised status)."""
    _attachments.set(attachments)
    try:
        return JOBS[name](request), b""
    except PlanningError as error:
        status = errors.to_status(error)
    except Exception as error:
        identity = secrets.token_hex(4)
        _log.error("internal error in job %s (id %s)", name, identity, exc_info=error)
        status = errors.masked(identity)
    return (), status.SerializeToString()


def warm() -> str:
    """Solve one plan, so that imports and compilation are done; returns what went wrong, if anything did."""
    request = planning_service_pb2.PlanTrainingRequest(training_flops=1e22)
    parts, status = run("PlanTraining", request.SerializeToString(), {})
    return "" if parts else status_pb2.Status.FromString(status).message


def plan_training(serialised: bytes) -> Parts:
    request = planning_service_pb2.PlanTrainingRequest.FromString(serialised)
    return _explained(allocation.plan_training(problems.to_training(request, _law, _catalogue)))


def plan_deployment(serialised: bytes) -> Parts:
    request = planning_service_pb2.PlanDeploymentRequest.FromString(serialised)
    return _explained(allocation.plan_deployment(problems.to_deployment(request, _catalogue)))


def plan_lifecycle(serialised: bytes) -> Parts:
    request = planning_service_pb2.PlanLifecycleRequest.FromString(serialised)
    return _explained(allocation.plan_lifecycle(problems.to_lifecycle(request, _law, _catalogue)))


def compute_front(serialised: bytes) -> Parts:
    request = planning_service_pb2.ComputeFrontRequest.FromString(serialised)
    front = allocation.compute_front(problems.to_front_problem(request, _law, _catalogue))
    return (plans.to_front(front).SerializeToString(),)


def check_front(serialised: bytes) -> Parts:
    """Whether a front can be asked for at all: the same errors, no work."""
    problems.to_front_problem(planning_service_pb2.ComputeFrontRequest.FromString(serialised), _law, _catalogue)
    return (b"",)


def check_fit(serialised: bytes) -> Parts:
    """Whether the runs allow the fit at all: the same errors, no work."""
    request = laws_service_pb2.FitLawRequest.FromString(serialised)
    runs, options = _fit_arguments(request)
    with problems.named_after(_FIT_FIELDS):
        if request.group_column:
            runs.column(request.group_column)
        if request.form == automatic.AUTO:
            selection.check(runs, None, holdout=None, **options)
            if request.fixed_coefficients:
                names_held = ", ".join(request.fixed_coefficients)
                raise InvalidInput(
                    Violation("fixed", names_held, "none: auto chooses the form, and so its coefficients")
                )
        else:
            held = held_coefficients(form_class(request.form), request.fixed_coefficients)
            kind = fitting.observed_as(form_class(request.form))
            free = len(kind.coefficients) - len(held)
            fitting.observe(runs, kind, where=options["where"], mapping=options["mapping"], free_coefficients=free)
    return (b"",)


def check_compare(serialised: bytes) -> Parts:
    """Whether the runs allow the comparison at all: the same errors, no work."""
    request = laws_service_pb2.CompareFormsRequest.FromString(serialised)
    runs, options = _fit_arguments(request)
    with problems.named_after(_FIT_FIELDS):
        selection.check(runs, request.forms or None, holdout=request.holdout or None, **options)
    return (b"",)


def compare_forms(serialised: bytes) -> Parts:
    request = laws_service_pb2.CompareFormsRequest.FromString(serialised)
    runs, options = _fit_arguments(request)
    with problems.named_after(_FIT_FIELDS):
        found = selection.compare_forms(
            runs, request.forms or None, holdout=request.holdout or None, **_drawn(request), **options
        )
    return (comparisons.to_comparison(found).SerializeToString(),)


def check_targets(serialised: bytes) -> Parts:
    """Whether the runs allow the comparison of targets at all: the same errors, no work."""
    request = laws_service_pb2.CompareTargetsRequest.FromString(serialised)
    runs, options = _fit_arguments(request)
    with problems.named_after(_FIT_FIELDS):
        for target in request.targets:
            mapping = {**(options["mapping"] or {}), target: "loss"}
            selection.check(
                runs, request.forms or None, holdout=request.holdout or None, **{**options, "mapping": mapping}
            )
    return (b"",)


def compare_targets(serialised: bytes) -> Parts:
    request = laws_service_pb2.CompareTargetsRequest.FromString(serialised)
    runs, options = _fit_arguments(request)
    with problems.named_after(_FIT_FIELDS):
        found = selection.compare_targets(
            runs,
            request.targets,
            request.forms or None,
            holdout=request.holdout or None,
            **_drawn(request),
            **options,
        )
    return (comparisons.to_targets(found).SerializeToString(),)


def check_approaches(serialised: bytes) -> Parts:
    """Whether the runs have what the approaches need: the same errors, no work."""
    request = laws_service_pb2.CompareApproachesRequest.FromString(serialised)
    runs, options = _fit_arguments(request)
    with problems.named_after(_FIT_FIELDS):
        fitting.observe(runs, form_class("chinchilla"), **options)
    return (b"",)


def compare_approaches(serialised: bytes) -> Parts:
    request = laws_service_pb2.CompareApproachesRequest.FromString(serialised)
    runs, options = _fit_arguments(request)
    with problems.named_after(_FIT_FIELDS):
        found = fitting.compare_approaches(runs, **_drawn(request, _APPROACH_DRAWS), **options)
    return (comparisons.to_approaches(found).SerializeToString(),)


def fit_law(serialised: bytes) -> Parts:
    """(Law without draws, LawDraws, NumberCells of residuals)."""
    request = laws_service_pb2.FitLawRequest.FromString(serialised)
    runs, options = _fit_arguments(request)
    with problems.named_after(_FIT_FIELDS):
        fit = automatic.fit_best if request.form == automatic.AUTO else partial(fitting.fit_law, form=request.form)
        if request.form != automatic.AUTO:
            options["fixed"] = dict(request.fixed_coefficients) or None
        fitted = fit(
            runs,
            name=names.identity(names.LAWS, request.law_id, "law_id"),
            **_drawn(request),
            **options,
        )
    return (
        law_messages.to_law(fitted).SerializeToString(),
        law_messages.to_draws(fitted).SerializeToString(),
        law_messages.to_residuals(fitted).SerializeToString(),
    )


def check_design(serialised: bytes) -> Parts:
    """Whether an experiment can be designed at all: the same errors, no work."""
    experiments.to_question(laws_service_pb2.DesignExperimentRequest.FromString(serialised), _law)
    return (b"",)


def design_experiment(serialised: bytes) -> Parts:
    question = experiments.to_question(laws_service_pb2.DesignExperimentRequest.FromString(serialised), _law)
    return (experiments.to_design(question.answer(), question).SerializeToString(),)


def _drawn(request: Any, draws: int = _DEFAULT_DRAWS) -> dict[str, Any]:
    """Number of draws (`draws` unless asked otherwise) and seed."""
    asked = request.bootstrap_draw_count if request.HasField("bootstrap_draw_count") else draws
    return {"bootstrap": asked, "seed": request.seed}


def _fit_arguments(request: Any) -> tuple[fitting.Runs, dict[str, Any]]:
    """The runs, and the options that all requests with runs have."""
    runs = to_runs(table_pb2.Table.FromString(_attachments.get()[request.run_set]))
    options: dict[str, Any] = {"where": request.filter or None, "mapping": dict(request.column_variables) or None}
    if request.group_column:
        options["group"] = request.group_column
    return runs, options


def _explained(plan: allocation.Plan) -> Parts:
    return (plans.to_plan(plan, allocation.explain(plan)).SerializeToString(),)


def _catalogue(calibration: str, price_book: str) -> Catalogue:
    """Own hardware facts that came with the job, with the calibration and the price book named."""
    return unpack_hardware(_attachments.get(), calibration, price_book)


def _law(name: str) -> Law:
    """A law by name: one that came with the job, else a published one."""
    identity = names.identity(names.LAWS, name, "law")
    stored = _attachments.get().get(names.full(names.LAWS, identity))
    return _parsed(stored) if stored is not None else law(identity)


@lru_cache(maxsize=256)
def _parsed(attachment: bytes) -> Law:
    return law_messages.from_law(*unpack_law(attachment))


JOBS: Mapping[str, Callable[[bytes], Parts]] = {
    "CheckCalibrate": lambda request: check_calibrate(request, _attachments.get()),
    "Calibrate": lambda request: calibrate(request, _attachments.get()),
    "PlanTraining": plan_training,
    "PlanDeployment": plan_deployment,
    "PlanLifecycle": plan_lifecycle,
    "ComputeFront": compute_front,
    "CheckFront": check_front,
    "CheckFit": check_fit,
    "FitLaw": fit_law,
    "AnalyzeSensitivity": analyze_sensitivity,
    "CheckDesign": check_design,
    "DesignExperiment": design_experiment,
    "CheckCompareForms": check_compare,
    "CompareForms": compare_forms,
    "CheckCompareTargets": check_targets,
    "CompareTargets": compare_targets,
    "CheckCompareApproaches": check_approaches,
    "CompareApproaches": compare_approaches,
}
