"""Pages visit every resource exactly once, whatever their size."""

from __future__ import annotations

from typing import Any

import pytest

from apportion.v1 import hardware_service_pb2, laws_service_pb2
from server.pages import Page, read_page


def walk(list_: Any, kind: Any, field: str, size: int) -> list[str]:
    found, token = [], ""
    while True:
        answer = list_(kind(page_size=size, page_token=token))
        page = [entry.name for entry in getattr(answer, field)]
        assert len(page) <= size
        found += page
        token = answer.next_page_token
        if not token:
            return found


@pytest.mark.parametrize("size", [1, 3, 7, 50])
def test_pages_of_catalogues_visit_everything_once(server: Any, size: int) -> None:
    accelerators = walk(
        server.hardware.ListAccelerators, hardware_service_pb2.ListAcceleratorsRequest, "accelerators", size
    )
    assert len(accelerators) == len(set(accelerators)) > 20
    assert accelerators == sorted(accelerators)
    assert accelerators == walk(
        server.hardware.ListAccelerators, hardware_service_pb2.ListAcceleratorsRequest, "accelerators", 1000
    )


@pytest.mark.parametrize("size", [1, 2, 5])
def test_pages_of_stored_tables_visit_everything_once_newest_first(server: Any, table: Any, size: int) -> None:
    names = [
        server.laws.ImportRuns(laws_service_pb2.ImportRunsRequest(table=table(N=[float(i), 2.0]))).name
        for i in range(5)
    ]
    found = walk(server.laws.ListRunSets, laws_service_pb2.ListRunSetsRequest, "run_sets", size)
    assert len(found) == len(set(found))
    assert found[:5] == names[::-1]


@pytest.mark.parametrize("size", [1, 2, 1000])
def test_pages_of_laws_pass_from_published_to_fitted_ones(server: Any, runs: Any, size: int) -> None:
    if size == 1:
        run_set = server.laws.ImportRuns(laws_service_pb2.ImportRunsRequest(table=runs)).name
        for _ in range(2):
            request = laws_service_pb2.FitLawRequest(run_set=run_set, form="chinchilla", bootstrap_draw_count=0)
            operation = server.laws.FitLaw(request)
            from google.longrunning import operations_pb2

            server.operations.WaitOperation(operations_pb2.WaitOperationRequest(name=operation.name), timeout=60)
    found = walk(server.laws.ListLaws, laws_service_pb2.ListLawsRequest, "laws", size)
    assert len(found) == len(set(found))
    assert found[0] == "laws/hoffmann-2022"
    assert found == walk(server.laws.ListLaws, laws_service_pb2.ListLawsRequest, "laws", 1000)


def test_sizes_are_coerced_and_a_token_holds_only_for_its_own_list() -> None:
    assert read_page(laws_service_pb2.ListLawsRequest(), "laws").size == 50
    assert read_page(laws_service_pb2.ListLawsRequest(page_size=5000), "laws").size == 1000
    token = Page("laws", 1, "").token("somewhere")
    assert read_page(laws_service_pb2.ListLawsRequest(page_token=token), "laws").cursor == "somewhere"
