"""Stored tables of training runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from google.protobuf import empty_pb2

from apportion import answers, requests
from apportion.flows.calls import READ_SECONDS, TABLE_SECONDS, Flow, ask, pages_of, quietly
from apportion.reading import read
from apportion.tables import Table
from apportion.v1 import law_pb2, laws_service_pb2

T = TypeVar("T")


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
    return read(answers.RunSet, (yield ask("Laws", request, law_pb2.RunSet, timeout_seconds)))


def on_runs(runs: Any, request: Any, work: Callable[[Any], Flow[T]], *, kept: bool) -> Flow[T]:
    """Do `work` with the request once its `run_set` is set: a stored table's name, or that of `runs` stored for it.

    A table that was stored for the work is removed again when that fails and, unless `kept`, when it is done.
    """
    stored = isinstance(runs, answers.RunSet) or (isinstance(runs, str) and runs.startswith("runSets/"))
    if stored:
        request.run_set = runs.name if isinstance(runs, answers.RunSet) else runs
        return (yield from work(request))
    request.run_set = (yield from import_runs(runs)).name
    try:
        found = yield from work(request)
    except GeneratorExit:
        raise
    except BaseException:
        yield from quietly(delete_run_set(request.run_set))
        raise
    if not kept:
        yield from quietly(delete_run_set(request.run_set))
    return found


def run_sets() -> Flow[tuple[answers.RunSet, ...]]:
    """The stored tables of runs, newest first."""
    pages = yield from pages_of("Laws", laws_service_pb2.ListRunSetsRequest(), laws_service_pb2.ListRunSetsResponse)
    return tuple(read(answers.RunSet, item) for page in pages for item in page.run_sets)


def delete_run_set(name: str) -> Flow[None]:
    """Forget a stored table of runs; laws fitted on it stay. Raises NotFound."""
    request = laws_service_pb2.DeleteRunSetRequest(name=requests.resource("runSets", name))
    yield ask("Laws", request, empty_pb2.Empty, READ_SECONDS)
