"""Comparisons on the same runs: of forms, of forms over several columns of losses, of ways to read off the best size.

What is compared is not kept: a table given here is stored for the comparison and removed again after it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeVar

from google.longrunning import operations_pb2

from apportion import answers, requests
from apportion.errors import InvalidArgument, Violation
from apportion.flows.calls import FIT_SECONDS, TABLE_SECONDS, Flow, OnStage, ask, outcome_of
from apportion.flows.runs import on_runs
from apportion.reading import read
from apportion.v1 import comparison_pb2, laws_service_pb2

A = TypeVar("A", bound=answers.Answer)


def compare(
    runs: Any,
    *,
    forms: Iterable[str] = (),
    holdout: str = "",
    where: str = "",
    group: str = "",
    bootstrap: int | None = None,
    seed: int | None = None,
    mapping: Any = None,
    timeout_seconds: float = FIT_SECONDS,
    on_stage: OnStage | None = None,
) -> Flow[answers.FormComparison]:
    """Rank forms by how well they predict runs they were not fitted to: a table, a `RunSet`, or `runSets/…`.

    `forms` are names (none: all that the columns allow). `holdout` is a condition on rows (`C > 1e21`) that no fit and
    no choice sees: with it, forms are ranked by their error there. `group` names the column whose groups may have
    coefficients of their own; the rest as for `fit`.

    Raises InvalidArgument, NotFound, NotIdentified, DeadlineExceeded after `timeout_seconds`.
    """
    request = laws_service_pb2.CompareFormsRequest(
        forms=_named(forms),
        holdout=holdout,
        filter=where,
        group_column=group,
        column_variables=requests.column_variables(mapping or {}),
    )
    _draw(request, bootstrap, seed)
    found = comparison_pb2.FormComparison, laws_service_pb2.CompareFormsMetadata
    return (yield from _compared(answers.FormComparison, runs, request, *found, timeout_seconds, on_stage))


def compare_targets(
    runs: Any,
    *,
    targets: Iterable[str],
    forms: Iterable[str] = (),
    holdout: str = "",
    where: str = "",
    group: str = "",
    bootstrap: int | None = None,
    seed: int | None = None,
    mapping: Any = None,
    timeout_seconds: float = FIT_SECONDS,
    on_stage: OnStage | None = None,
) -> Flow[answers.TargetComparison]:
    """The same for several columns of losses of the same runs, `targets`: the form is chosen on all of them.

    Losses on several domains follow one form with other coefficients. The rest as for `compare`.
    Raises InvalidArgument, NotFound, NotIdentified, DeadlineExceeded after `timeout_seconds`.
    """
    columns = list(targets)
    if not columns:
        raise InvalidArgument(violations=[Violation("targets", "none", "at least one column that holds losses")])
    request = laws_service_pb2.CompareTargetsRequest(
        targets=columns,
        forms=_named(forms),
        holdout=holdout,
        filter=where,
        group_column=group,
        column_variables=requests.column_variables(mapping or {}),
    )
    _draw(request, bootstrap, seed)
    found = comparison_pb2.TargetComparison, laws_service_pb2.CompareTargetsMetadata
    return (yield from _compared(answers.TargetComparison, runs, request, *found, timeout_seconds, on_stage))


def compare_approaches(
    runs: Any,
    *,
    where: str = "",
    group: str = "",
    bootstrap: int | None = None,
    seed: int | None = None,
    mapping: Any = None,
    timeout_seconds: float = FIT_SECONDS,
    on_stage: OnStage | None = None,
) -> Flow[answers.ApproachComparison]:
    """The compute-optimal exponent of the same runs in three ways: envelope, isoFLOP parabolas, parametric law.

    Each says how it errs on these very runs, or why they do not allow it; `disagreement` is the spread of the
    exponents, `pooled` the interval over the draws of all. `group` names the column of training curves.
    Raises InvalidArgument, NotFound, NotIdentified, DeadlineExceeded after `timeout_seconds`.
    """
    request = laws_service_pb2.CompareApproachesRequest(
        filter=where, group_column=group, column_variables=requests.column_variables(mapping or {})
    )
    _draw(request, bootstrap, seed)
    found = comparison_pb2.ApproachComparison, laws_service_pb2.CompareApproachesMetadata
    return (yield from _compared(answers.ApproachComparison, runs, request, *found, timeout_seconds, on_stage))


def _named(forms: Iterable[str]) -> list[str]:
    return [name for name in forms if name.lower() != "auto"]


def _draw(request: Any, bootstrap: int | None, seed: int | None) -> None:
    for field, number in (("bootstrap_draw_count", bootstrap), ("seed", seed)):
        if number is not None:
            setattr(request, field, requests.whole_number(number, field))
    requests.stamp(request)


def _compared(
    kind: type[A],
    runs: Any,
    request: Any,
    answer: type[Any],
    metadata: type[Any],
    timeout_seconds: float,
    on_stage: OnStage | None,
) -> Flow[A]:
    def work(complete: Any) -> Flow[Any]:
        operation = yield ask("Laws", complete, operations_pb2.Operation, TABLE_SECONDS)
        return (yield from outcome_of(operation, answer, metadata, timeout_seconds, on_stage))

    return read(kind, (yield from on_runs(runs, request, work, kept=False)))
