"""The entry point `apportion`: all commands, global options, and errors as one clear line on standard error."""

from __future__ import annotations

import os
import sys
from typing import Annotated

import typer
from rich.markup import escape

import apportion
from apportion.cli import (
    calibrate,
    compare,
    estimate,
    experiment,
    fitting,
    front,
    hardware,
    laws,
    plan,
    plans,
    runs,
    sensitivity,
    serve,
    tour,
)
from apportion.cli.options import EndpointOption, StoreOption
from apportion.cli.session import GLOBALS, OTHER, errors, exit_code
from apportion.errors import ApportionError, NotFound

app = typer.Typer(
    name="apportion",
    help="Plans for training and serving models, with prices, intervals and certificates.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    add_completion=False,
)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(apportion.__version__)
        raise typer.Exit


@app.callback()
def _globals(
    endpoint: EndpointOption = None,
    store: StoreOption = None,
    version: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="and exit")] = False,
) -> None:
    GLOBALS.endpoint, GLOBALS.store = endpoint, store


app.command("serve", context_settings=serve.CONTEXT)(serve.serve)
app.add_typer(laws.app, name="laws", help="Published and fitted scaling laws.")
app.add_typer(runs.app, name="runs", help="Stored tables of training runs.")
app.command("fit")(fitting.fit)
app.command("compare")(compare.compare)
app.command("predict")(fitting.predict)
app.command("sensitivity")(sensitivity.sensitivity)
app.command("design-experiment")(experiment.design_experiment)
app.add_typer(plan.app, name="plan", help="What to train, how to serve it, or both.")
app.command("front")(front.front)
app.add_typer(estimate.app, name="estimate", help="Time, energy and money of hardware, over a table.")
app.command("calibrate")(calibrate.calibrate)
app.add_typer(calibrate.app, name="calibrations", help="Stored calibrations of the hardware models.")
app.add_typer(hardware.app, name="hardware", help="Accelerators and models: the known ones and your own.")
app.add_typer(plans.app, name="plans", help="Stored plans.")
app.command("demo")(tour.demo)


def main() -> None:
    """Run the command line and exit with its number (see `apportion.cli.session`)."""
    try:
        app()
    except ApportionError as error:
        errors().print(f"[bold red]error[/] {escape(_sentence(error))}")
        sys.exit(exit_code(error))
    except BrokenPipeError:
        # The reader of a pipe has gone; closing standard output again would complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(OTHER)


def _sentence(error: ApportionError) -> str:
    words = error.message or error.reason
    if isinstance(error, NotFound) and error.suggestions and error.suggestions[0] not in words:
        words += f"; nearest: {', '.join(error.suggestions)}"
    return words
