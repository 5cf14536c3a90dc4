"""Stored tables of training runs."""

from __future__ import annotations

from typing import Any

from google.protobuf import empty_pb2

from apportion import answers, requests
from apportion.flows.calls import READ_SECONDS, TABLE_SECONDS, Flow, ask, pages_of
from apportion.reading import read
from apportion.tables import Table
from apportion.v1 import law_pb2, laws_service_pb2


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


def run_sets() -> Flow[tuple[answers.RunSet, ...]]:
    """The stored tables of runs, newest first."""
    pages = yield from pages_of("Laws", laws_service_pb2.ListRunSetsRequest(), laws_service_pb2.ListRunSetsResponse)
    return tuple(read(answers.RunSet, item) for page in pages for item in page.run_sets)


def delete_run_set(name: str) -> Flow[None]:
    """Forget a stored table of runs; laws fitted on it stay. Raises NotFound."""
    request = laws_service_pb2.DeleteRunSetRequest(name=requests.resource("runSets", name))
    yield ask("Laws", request, empty_pb2.Empty, READ_SECONDS)
