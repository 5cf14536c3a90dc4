"""`apportion design-experiment`: the pilot runs worth buying for a decision."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import typer

from apportion import requests
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
from apportion.cli.session import client, emit, stages
from apportion.fields import EXPERIMENT
from apportion.flows.calls import FIT_SECONDS

_TABLES = ("runs", "candidates", "target_points")


@request_options(EXPERIMENT)
def design_experiment(
    wishes: Mapping[str, Any],
    file: RequestFile = None,
    runs: Annotated[str | None, typer.Option(metavar="RUNS.csv", help="runs made so far, with their loss")] = None,
    candidates: Annotated[str | None, typer.Option(metavar="RUNS.csv", help="runs that could be bought")] = None,
    target_points: Annotated[
        str | None, typer.Option(metavar="POINTS.csv", help="decide the loss at these points")
    ] = None,
    timeout_seconds: TimeoutOption = None,
    output: OutputOption = Output.TABLE,
    endpoint: EndpointOption = None,
    store: StoreOption = None,
) -> None:
    """Pilot runs worth buying: those that leave the least expected regret of a decision."""
    wanted = {**read_request(file), **wishes}
    given = {"runs": runs, "candidates": candidates, "target_points": target_points}
    tables = {name: given[name] or wanted.pop(name, None) for name in _TABLES}
    wanted = {name: value for name, value in wanted.items() if name not in _TABLES}
    requests.build(EXPERIMENT, wanted)  # before a server is started for nothing
    with client(endpoint, store) as c, stages(output is Output.JSON) as on_stage:
        found = c.design_experiment(
            timeout_seconds=timeout_seconds or FIT_SECONDS, on_stage=on_stage, **tables, **wanted
        )
    emit(output, found.to_dict(), lambda to: to.print(show.experiment(found)))
