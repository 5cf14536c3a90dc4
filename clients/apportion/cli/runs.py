"""`apportion runs import | list | delete`."""

from __future__ import annotations

from typing import Annotated

import typer

from apportion.cli import show
from apportion.cli.options import EndpointOption, Output, OutputOption, StoreOption
from apportion.cli.session import client, emit

app = typer.Typer(no_args_is_help=True)


@app.command("import")
def import_runs(
    runs: Annotated[str, typer.Argument(metavar="RUNS.csv", help="CSV or Parquet")],
    name: Annotated[str, typer.Option(help="store the table under this name")] = "",
    validate_only: Annotated[bool, typer.Option("--validate-only", help="check it, store nothing")] = False,
    output: OutputOption = Output.TABLE,
    endpoint: EndpointOption = None,
    store: StoreOption = None,
) -> None:
    """Store a table of training runs."""
    with client(endpoint, store) as c:
        stored = c.import_runs(runs, name=name, validate_only=validate_only)
    emit(output, stored.to_dict(), lambda to: to.print(show.run_sets([stored])))


@app.command("list")
def list_runs(output: OutputOption = Output.TABLE, endpoint: EndpointOption = None, store: StoreOption = None) -> None:
    """The stored tables, newest first."""
    with client(endpoint, store) as c:
        found = c.run_sets()
    emit(output, {"run_sets": [item.to_dict() for item in found]}, lambda to: to.print(show.run_sets(found)))


@app.command("delete")
def delete_runs(
    name: Annotated[str, typer.Argument(metavar="NAME")],
    output: OutputOption = Output.TABLE,
    endpoint: EndpointOption = None,
    store: StoreOption = None,
) -> None:
    """Forget a stored table; laws fitted on it stay."""
    with client(endpoint, store) as c:
        c.delete_run_set(name)
    emit(output, {"deleted": name}, lambda to: to.print(f"deleted {name}", markup=False))
