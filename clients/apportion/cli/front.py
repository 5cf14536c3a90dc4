"""`apportion front`: the plans that nothing dominates, as a table, JSON, CSV, a page or a picture."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
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
from apportion.cli.session import client, emit, errors, leave, stages
from apportion.errors import InvalidArgument, Violation
from apportion.fields import FRONT
from apportion.flows.calls import FRONT_SECONDS

FileOption = Annotated[str | None, typer.Option(metavar="FILE")]


@request_options(FRONT)
def front(
    wishes: Mapping[str, Any],
    file: RequestFile = None,
    html: Annotated[str | None, typer.Option("--html", metavar="FILE", help="write a page with a picture")] = None,
    csv: Annotated[str | None, typer.Option("--csv", metavar="FILE", help="write the points")] = None,
    png: Annotated[str | None, typer.Option("--png", metavar="FILE", help="write a picture")] = None,
    timeout_seconds: TimeoutOption = None,
    output: OutputOption = Output.TABLE,
    endpoint: EndpointOption = None,
    store: StoreOption = None,
) -> None:
    """The plans that nothing dominates in two to four metrics."""
    wanted = {**read_request(file), **wishes}
    requests.build(FRONT, wanted)  # before a server is started for nothing
    with client(endpoint, store) as c, stages(output is Output.JSON) as on_stage:
        found = c.front(timeout_seconds=timeout_seconds or FRONT_SECONDS, on_stage=on_stage, **wanted)
    if found.points:
        if html:
            _write("html", html, found.to_html())
        if csv:
            _write("csv", csv, found.to_table().to_csv())
        if png:
            from apportion.charts import front_png

            _write("png", png, front_png(found))
    emit(output, found.to_dict(), lambda to: to.print(show.front(found)))
    leave(found.outcome)


def _write(field: str, path: str, content: str | bytes) -> None:
    try:
        Path(path).write_bytes(content.encode() if isinstance(content, str) else content)
    except OSError as error:
        allowed = f"a file that can be written ({error.strerror or error})"
        raise InvalidArgument(violations=[Violation(field, path, allowed)]) from None
    errors().print(f"wrote {path}", markup=False)
