"""`apportion plan training | deployment | lifecycle`: a request from YAML and flags, a plan back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import typer

from apportion import requests
from apportion.answers import Plan
from apportion.cli import show
from apportion.cli.options import (
    EndpointOption,
    Output,
    OutputOption,
    RequestFile,
    StoreOption,
    TimeoutOption,
    read_request,
    request_options,
)
from apportion.cli.session import client, emit, leave
from apportion.fields import DEPLOYMENT, LIFECYCLE, TRAINING, Kind
from apportion.flows.calls import PLAN_SECONDS

app = typer.Typer(no_args_is_help=True)


@app.command("training")
@request_options(TRAINING)
def training(
    wishes: Mapping[str, Any],
    file: RequestFile = None,
    timeout_seconds: TimeoutOption = None,
    output: OutputOption = Output.TABLE,
    endpoint: EndpointOption = None,
    store: StoreOption = None,
) -> None:
    """Which model to train within the limits, or most cheaply for a target loss."""
    _plan(TRAINING, {**read_request(file), **wishes}, timeout_seconds, output, endpoint, store)


@app.command("deployment")
@request_options(DEPLOYMENT)
def deployment(
    wishes: Mapping[str, Any],
    file: RequestFile = None,
    timeout_seconds: TimeoutOption = None,
    output: OutputOption = Output.TABLE,
    endpoint: EndpointOption = None,
    store: StoreOption = None,
) -> None:
    """How to serve a model: accelerator, precision, layout, replicas."""
    _plan(DEPLOYMENT, {**read_request(file), **wishes}, timeout_seconds, output, endpoint, store)


@app.command("lifecycle")
@request_options(LIFECYCLE)
def lifecycle(
    wishes: Mapping[str, Any],
    file: RequestFile = None,
    timeout_seconds: TimeoutOption = None,
    output: OutputOption = Output.TABLE,
    endpoint: EndpointOption = None,
    store: StoreOption = None,
) -> None:
    """Which model to train when serving it is part of the bill."""
    _plan(LIFECYCLE, {**read_request(file), **wishes}, timeout_seconds, output, endpoint, store)


def _plan(
    kind: Kind,
    wishes: Mapping[str, Any],
    timeout_seconds: float | None,
    output: Output,
    endpoint: str | None,
    store: str | None,
) -> None:
    requests.build(kind, wishes)  # before a server is started for nothing
    with client(endpoint, store) as c:
        ask = {"training": c.plan_training, "deployment": c.plan_deployment, "lifecycle": c.plan_lifecycle}
        found: Plan = ask[kind.title](timeout_seconds=timeout_seconds or PLAN_SECONDS, **wishes)
    emit(output, found.to_dict(), lambda to: to.print(show.plan(found)))
    leave(found.outcome)
