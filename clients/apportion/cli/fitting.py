"""`apportion fit` and `apportion predict`."""

from __future__ import annotations

from typing import Annotated

import typer

from apportion.cli import show
from apportion.cli.options import (
    EndpointOption,
    MapOption,
    Output,
    OutputOption,
    StoreOption,
    TableOutput,
    TableOutputOption,
    TimeoutOption,
)
from apportion.cli.session import client, emit, emit_table, stages
from apportion.flows.calls import FIT_SECONDS


def fit(
    runs: Annotated[str, typer.Argument(metavar="RUNS.csv", help="CSV, Parquet, or a stored runSets/NAME")],
    form: Annotated[str, typer.Option(help="the form to fit: chinchilla, kaplan, …; auto chooses")],
    name: Annotated[str, typer.Option(help="store the law under this name")] = "",
    group: Annotated[str, typer.Option(metavar="COLUMN", help="the bootstrap draws its groups whole")] = "",
    where: Annotated[str, typer.Option(metavar="EXPR", help="which rows, e.g. 'C < 1e21 and D > 1e9'")] = "",
    bootstrap: Annotated[int | None, typer.Option(metavar="K", help="draws; 1000 unless said")] = None,
    seed: Annotated[int | None, typer.Option(help="seed of the bootstrap")] = None,
    mapping: MapOption = None,
    fix: Annotated[
        list[str] | None, typer.Option(metavar="COEFFICIENT=VALUE", help="hold a coefficient (repeat)")
    ] = None,
    timeout_seconds: TimeoutOption = None,
    output: OutputOption = Output.TABLE,
    endpoint: EndpointOption = None,
    store: StoreOption = None,
) -> None:
    """Fit a scaling law to runs."""
    with client(endpoint, store) as c, stages(output is Output.JSON) as on_stage:
        law = c.fit(
            runs,
            form=form,
            name=name,
            where=where,
            group=group,
            bootstrap=bootstrap,
            seed=seed,
            mapping=mapping,
            fixed=fix,
            timeout_seconds=timeout_seconds or FIT_SECONDS,
            on_stage=on_stage,
        )
    emit(output, law.to_dict(), lambda to: to.print(show.law(law)))


def predict(
    law: Annotated[str, typer.Argument(metavar="LAW")],
    points: Annotated[str, typer.Argument(metavar="POINTS.csv", help="CSV or Parquet")],
    mapping: MapOption = None,
    level: Annotated[float | None, typer.Option(help="probability of the interval; 0.8 unless said")] = None,
    terms: Annotated[bool, typer.Option("--terms", help="where each loss comes from: model, data, floor")] = False,
    output: TableOutputOption = TableOutput.TABLE,
    endpoint: EndpointOption = None,
    store: StoreOption = None,
) -> None:
    """The loss a law predicts at each point, with an interval and how far the point lies outside its runs."""
    with client(endpoint, store) as c:
        table = c.predict(law, points, mapping=mapping, level=level, terms=terms)
    emit_table(output, table, lambda to: to.print(show.table(table)))
