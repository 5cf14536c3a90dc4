"""Laws: fitted, listed, read, forgotten, and asked for predictions."""

from __future__ import annotations

from typing import Any

from google.longrunning import operations_pb2
from google.protobuf import empty_pb2

from apportion import answers, requests
from apportion.errors import InvalidArgument, Violation
from apportion.flows.calls import (
    FIT_SECONDS,
    READ_SECONDS,
    TABLE_SECONDS,
    Flow,
    OnStage,
    ask,
    outcome_of,
    pages_of,
)
from apportion.flows.runs import on_runs
from apportion.reading import read
from apportion.tables import Table
from apportion.v1 import law_pb2, laws_service_pb2


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
    fixed: Any = None,
    timeout_seconds: float = FIT_SECONDS,
    on_stage: OnStage | None = None,
) -> Flow[answers.Law]:
    """Fit a form to runs: a table of any kind, a stored `RunSet`, or the name of one (`runSets/…`).

    `form` may be `auto`. `where` filters rows (`in_fit_240 == 1 and C < 1e21`), `group` names the column whose
    groups the bootstrap draws whole, `bootstrap` is the number of draws (1000 when None), `mapping` says which
    column holds which variable (`{"size": "parameter_count"}`; in billions `{"size*1e9": "parameter_count"}`), `fixed`
    holds coefficients at given values (`{"E": 1.8}`). A table given here is stored for the fit, and removed if the fit
    is refused.

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
        fixed_coefficients=requests.coefficients(fixed or {}),
    )
    for field, number in (("bootstrap_draw_count", bootstrap), ("seed", seed)):
        if number is not None:
            setattr(request, field, requests.whole_number(number, field))
    requests.stamp(request)

    def work(complete: laws_service_pb2.FitLawRequest) -> Flow[law_pb2.Law]:
        operation = yield ask("Laws", complete, operations_pb2.Operation, TABLE_SECONDS)
        metadata = laws_service_pb2.FitLawMetadata
        fitted: law_pb2.Law = yield from outcome_of(operation, law_pb2.Law, metadata, timeout_seconds, on_stage)
        return fitted

    return read(answers.Law, (yield from on_runs(runs, request, work, kept=True)))


def laws() -> Flow[tuple[answers.Law, ...]]:
    """All laws: published ones first, then fitted ones, newest first."""
    pages = yield from pages_of("Laws", laws_service_pb2.ListLawsRequest(), laws_service_pb2.ListLawsResponse)
    return tuple(read(answers.Law, item) for page in pages for item in page.laws)


def law(name: str, *, draws: bool = False) -> Flow[answers.Law]:
    """One law, with its bootstrap draws if asked for. Raises NotFound with suggestions."""
    view = laws_service_pb2.LAW_VIEW_FULL if draws else laws_service_pb2.LAW_VIEW_BASIC
    request = laws_service_pb2.GetLawRequest(name=requests.resource("laws", name), view=view)
    return read(answers.Law, (yield ask("Laws", request, law_pb2.Law, READ_SECONDS)))


def delete_law(name: str) -> Flow[None]:
    """Forget a fitted law. Raises NotFound."""
    request = laws_service_pb2.DeleteLawRequest(name=requests.resource("laws", name))
    yield ask("Laws", request, empty_pb2.Empty, READ_SECONDS)


def predict(
    law: str | answers.Law,
    points: Any,
    *,
    mapping: Any = None,
    level: float | None = None,
    terms: bool = False,
    timeout_seconds: float = TABLE_SECONDS,
) -> Flow[Table]:
    """The points with `predicted_loss`, its interval, and how far each lies outside the law's runs.

    With `terms` also where each loss comes from: `model_term`, `data_term`, `floor_term`, and of points with a measured
    `loss` the `learning_deficiency`, what it has above the law.

    Raises InvalidArgument, NotFound.
    """
    request = laws_service_pb2.PredictRequest(
        law=law.name if isinstance(law, answers.Law) else requests.resource("laws", law),
        points=Table.read(points, "points").to_proto(),
        column_variables=requests.column_variables(mapping or {}),
        level=level,
        include_terms=terms,
    )
    answer = yield ask("Laws", request, laws_service_pb2.PredictResponse, timeout_seconds)
    return Table.from_proto(answer.table)
