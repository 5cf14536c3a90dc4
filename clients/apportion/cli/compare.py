"""`apportion compare`."""

from __future__ import annotations

from typing import Annotated

import typer

from apportion.cli import show
from apportion.cli.options import EndpointOption, MapOption, Output, OutputOption, StoreOption, TimeoutOption
from apportion.cli.session import client, emit, stages
from apportion.flows.calls import FIT_SECONDS


def compare(
    runs: Annotated[str, typer.Argument(metavar="RUNS.csv", help="CSV, Parquet, or a stored runSets/NAME")],
    forms: Annotated[
        str, typer.Option(metavar="A,B,…", help="the forms to compare; auto: all that the columns allow")
    ] = "auto",
    holdout: Annotated[
        str, typer.Option(metavar="EXPR", help="rows that no fit and no choice sees, e.g. 'C > 1e21'")
    ] = "",
    where: Annotated[str, typer.Option(metavar="EXPR", help="which rows, e.g. 'C < 1e22 and D > 1e9'")] = "",
    group: Annotated[str, typer.Option(metavar="COLUMN", help="groups that may have coefficients of their own")] = "",
    bootstrap: Annotated[int | None, typer.Option(metavar="K", help="draws; 1000 unless said")] = None,
    seed: Annotated[int | None, typer.Option(help="seed of the bootstrap")] = None,
    mapping: MapOption = None,
    timeout_seconds: TimeoutOption = None,
    output: OutputOption = Output.TABLE,
    endpoint: EndpointOption = None,
    store: StoreOption = None,
) -> None:
    """Rank forms by how well they predict runs they were not fitted to, and say whether to trust the best."""
    with client(endpoint, store) as c, stages(output is Output.JSON) as on_stage:
        found = c.compare(
            runs,
            forms=[name.strip() for name in forms.split(",") if name.strip()],
            holdout=holdout,
            where=where,
            group=group,
            bootstrap=bootstrap,
            seed=seed,
            mapping=mapping,
            timeout_seconds=timeout_seconds or FIT_SECONDS,
            on_stage=on_stage,
        )
    emit(output, found.to_dict(), lambda to: to.print(show.comparison(found)))
