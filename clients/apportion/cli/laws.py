"""`apportion laws list | show | delete`."""

from __future__ import annotations

from typing import Annotated

import typer

from apportion.cli import show
from apportion.cli.options import EndpointOption, Output, OutputOption, StoreOption
from apportion.cli.session import client, emit

app = typer.Typer(no_args_is_help=True)


@app.command("list")
def list_laws(output: OutputOption = Output.TABLE, endpoint: EndpointOption = None, store: StoreOption = None) -> None:
    """Published laws first, then fitted ones, newest first."""
    with client(endpoint, store) as c:
        found = c.laws()
    emit(output, {"laws": [law.to_dict() for law in found]}, lambda to: to.print(show.laws(found)))


@app.command("show")
def show_law(
    name: Annotated[str, typer.Argument(metavar="NAME")],
    draws: Annotated[bool, typer.Option("--draws", help="the bootstrap draws too (json)")] = False,
    output: OutputOption = Output.TABLE,
    endpoint: EndpointOption = None,
    store: StoreOption = None,
) -> None:
    """One law: coefficients, intervals, range, source, faults."""
    with client(endpoint, store) as c:
        law = c.law(name, draws=draws)
    emit(output, law.to_dict(), lambda to: to.print(show.law(law)))


@app.command("delete")
def delete_law(
    name: Annotated[str, typer.Argument(metavar="NAME")],
    output: OutputOption = Output.TABLE,
    endpoint: EndpointOption = None,
    store: StoreOption = None,
) -> None:
    """Forget a fitted law."""
    with client(endpoint, store) as c:
        c.delete_law(name)
    emit(output, {"deleted": name}, lambda to: to.print(f"deleted {name}", markup=False))
