"""`apportion plans list | show | delete`."""

from __future__ import annotations

from typing import Annotated

import typer

from apportion.cli import show
from apportion.cli.options import EndpointOption, Output, OutputOption, StoreOption
from apportion.cli.session import client, emit

app = typer.Typer(no_args_is_help=True)


@app.command("list")
def list_plans(output: OutputOption = Output.TABLE, endpoint: EndpointOption = None, store: StoreOption = None) -> None:
    """The stored plans, newest first."""
    with client(endpoint, store) as c:
        found = c.list_plans()
    emit(output, {"plans": [plan.to_dict() for plan in found]}, lambda to: to.print(show.plans(found)))


@app.command("show")
def show_plan(
    name: Annotated[str, typer.Argument(metavar="NAME")],
    explain: Annotated[bool, typer.Option("--explain", help="in sentences too")] = False,
    output: OutputOption = Output.TABLE,
    endpoint: EndpointOption = None,
    store: StoreOption = None,
) -> None:
    """One stored plan."""
    with client(endpoint, store) as c:
        plan = c.get_plan(name)
        explanation = c.explain_plan(name) if explain else plan.explanation
    document = {**plan.to_dict(), "explanation": explanation}
    emit(output, document, lambda to: to.print(show.plan(plan, explanation)))


@app.command("delete")
def delete_plan(
    name: Annotated[str, typer.Argument(metavar="NAME")],
    output: OutputOption = Output.TABLE,
    endpoint: EndpointOption = None,
    store: StoreOption = None,
) -> None:
    """Forget a stored plan."""
    with client(endpoint, store) as c:
        c.delete_plan(name)
    emit(output, {"deleted": name}, lambda to: to.print(f"deleted {name}", markup=False))
