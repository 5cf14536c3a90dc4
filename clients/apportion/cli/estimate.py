"""`apportion estimate serving | energy | training`: hardware models over a table, row by row."""

from __future__ import annotations

from typing import Annotated

import typer

from apportion.cli import show
from apportion.cli.options import EndpointOption, StoreOption, TableOutput, TableOutputOption
from apportion.cli.session import client, emit_table

app = typer.Typer(no_args_is_help=True)
Points = Annotated[str, typer.Argument(metavar="POINTS.csv", help="CSV or Parquet, one configuration a row")]
CalibrationOption = Annotated[
    str, typer.Option("--calibration", metavar="NAME", help="constants refitted to measurements of your own")
]
PriceBookOption = Annotated[str, typer.Option("--price-book", metavar="NAME", help="offers of your own to price with")]


@app.command("serving")
def serving(
    points: Points,
    calibration: CalibrationOption = "",
    output: TableOutputOption = TableOutput.TABLE,
    endpoint: EndpointOption = None,
    store: StoreOption = None,
) -> None:
    """Adds latency and throughput of serving, with 80 % intervals."""
    with client(endpoint, store) as c:
        table = c.estimate_serving(points, calibration=calibration)
    emit_table(output, table, lambda to: to.print(show.table(table)))


@app.command("energy")
def energy(
    points: Points,
    calibration: CalibrationOption = "",
    output: TableOutputOption = TableOutput.TABLE,
    endpoint: EndpointOption = None,
    store: StoreOption = None,
) -> None:
    """Adds power and energy a token of serving, with 80 % intervals."""
    with client(endpoint, store) as c:
        table = c.estimate_energy(points, calibration=calibration)
    emit_table(output, table, lambda to: to.print(show.table(table)))


@app.command("training")
def training(
    points: Points,
    price_book: PriceBookOption = "",
    output: TableOutputOption = TableOutput.TABLE,
    endpoint: EndpointOption = None,
    store: StoreOption = None,
) -> None:
    """Adds accelerator-hours and speed of training, with 80 % intervals."""
    with client(endpoint, store) as c:
        table = c.estimate_training(points, price_book=price_book)
    emit_table(output, table, lambda to: to.print(show.table(table)))
