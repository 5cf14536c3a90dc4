"""`apportion sensitivity`."""

from __future__ import annotations

from typing import Annotated

import typer

from apportion.cli import show
from apportion.cli.options import (
    EndpointOption,
    MapOption,
    StoreOption,
    TableOutput,
    TableOutputOption,
    TimeoutOption,
)
from apportion.cli.session import client, emit_table
from apportion.flows.calls import TABLE_SECONDS


def sensitivity(
    runs: Annotated[str, typer.Argument(metavar="RUNS.csv", help="CSV or Parquet")],
    training_flops: Annotated[
        float | None, typer.Option(metavar="FLOP", help="the budget; ten times the dearest run unless said")
    ] = None,
    form: Annotated[str, typer.Option(help="the form to fit")] = "chinchilla",
    where: Annotated[str, typer.Option(metavar="EXPR", help="which rows, e.g. 'C < 1e21 and D > 1e9'")] = "",
    group: Annotated[str, typer.Option(metavar="COLUMN", help="the training curve a row is a point of")] = "",
    region: Annotated[list[str] | None, typer.Option(metavar="EXPR", help="fit these rows alone (repeat)")] = None,
    law: Annotated[list[str] | None, typer.Option(metavar="NAME", help="plan with this law too (repeat)")] = None,
    seed: Annotated[int | None, typer.Option(help="seed of the noise")] = None,
    mapping: MapOption = None,
    timeout_seconds: TimeoutOption = None,
    output: TableOutputOption = TableOutput.TABLE,
    endpoint: EndpointOption = None,
    store: StoreOption = None,
) -> None:
    """What the best model at a budget becomes when the same runs are treated otherwise, and what that would cost."""
    with client(endpoint, store) as c:
        table = c.sensitivity(
            runs,
            training_flops=training_flops,
            form=form,
            where=where,
            group=group,
            regions=region or [],
            laws=law or [],
            seed=seed,
            mapping=mapping,
            timeout_seconds=timeout_seconds or TABLE_SECONDS,
        )
    emit_table(output, table, lambda to: to.print(show.table(table)))
