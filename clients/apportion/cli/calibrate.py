"""`apportion calibrate` and `apportion calibrations list | show | delete`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from apportion import requests
from apportion.cli import show_hardware
from apportion.cli.options import (
    EndpointOption,
    Output,
    OutputOption,
    StoreOption,
    TimeoutOption,
    request_options,
)
from apportion.cli.session import client, emit, stages
from apportion.fields import CALIBRATION
from apportion.flows.calls import FIT_SECONDS

app = typer.Typer(no_args_is_help=True)
Name = Annotated[str, typer.Argument(metavar="NAME", help="a calibration, or one version of it: NAME@2")]


@request_options(CALIBRATION)
def calibrate(
    measurements: Annotated[
        list[str], typer.Argument(metavar="MEASUREMENTS…", help="results of vLLM, InferenceX, GuideLLM as JSON, or CSV")
    ],
    wishes: Mapping[str, Any],
    name: Annotated[str, typer.Option(help="store it under this name; a taken one gets its next version")] = "",
    timeout_seconds: TimeoutOption = None,
    output: OutputOption = Output.TABLE,
    endpoint: EndpointOption = None,
    store: StoreOption = None,
) -> None:
    """Refit the serving models to your own measurements."""
    requests.build(CALIBRATION, wishes)  # before a server is started for nothing
    with client(endpoint, store) as c, stages(output is Output.JSON) as on_stage:
        found = c.calibrate(
            measurements, name=name, timeout_seconds=timeout_seconds or FIT_SECONDS, on_stage=on_stage, **wishes
        )
    emit(output, found.to_dict(), lambda to: to.print(show_hardware.calibration(found)))


@app.command("list")
def list_calibrations(
    output: OutputOption = Output.TABLE, endpoint: EndpointOption = None, store: StoreOption = None
) -> None:
    """All calibrations in all their versions, newest first."""
    with client(endpoint, store) as c:
        found = c.calibrations()
    document = {"calibrations": [item.to_dict() for item in found]}
    emit(output, document, lambda to: to.print(show_hardware.calibrations(found)))


@app.command("show")
def show_calibration(
    name: Name, output: OutputOption = Output.TABLE, endpoint: EndpointOption = None, store: StoreOption = None
) -> None:
    """One calibration: what it was made from, how far it moved, how well it predicts."""
    with client(endpoint, store) as c:
        found = c.calibration(name)
    emit(output, found.to_dict(), lambda to: to.print(show_hardware.calibration(found)))


@app.command("delete")
def delete_calibration(
    name: Name, output: OutputOption = Output.TABLE, endpoint: EndpointOption = None, store: StoreOption = None
) -> None:
    """Forget one version, or without a version all of them."""
    with client(endpoint, store) as c:
        c.delete_calibration(name)
    emit(output, {"deleted": name}, lambda to: to.print(f"deleted {name}", markup=False))
