"""Comparing forms, on runs that are stored for the while.

What is compared is not kept: a table given here is stored for the comparison and removed again after it.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from google.longrunning import operations_pb2

from apportion import answers, requests
from apportion.flows.calls import FIT_SECONDS, TABLE_SECONDS, Flow, OnStage, ask, outcome_of, quietly
from apportion.flows.runs import delete_run_set, import_runs
from apportion.reading import read
from apportion.v1 import comparison_pb2, laws_service_pb2


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
        forms=[name for name in forms if name.lower() != "auto"],
        holdout=holdout,
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
    metadata = laws_service_pb2.CompareFormsMetadata
    try:
        operation = yield ask("Laws", request, operations_pb2.Operation, TABLE_SECONDS)
        found = yield from outcome_of(operation, comparison_pb2.FormComparison, metadata, timeout_seconds, on_stage)
    except GeneratorExit:
        raise
    except BaseException:
        if not stored:
            yield from quietly(delete_run_set(request.run_set))
        raise
    if not stored:
        yield from quietly(delete_run_set(request.run_set))
    return read(answers.FormComparison, found)
