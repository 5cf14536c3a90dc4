"""`apportion serve`: becomes the service (which is the distribution `apportion-server`)."""

from __future__ import annotations

import importlib.metadata
import os
import sys
from typing import Annotated

import typer

from apportion.cli.session import GLOBALS
from apportion.errors import Unavailable

CONTEXT = {"allow_extra_args": True, "ignore_unknown_options": True}


def serve(
    context: typer.Context,
    listen: Annotated[str | None, typer.Option("--listen", metavar="HOST:PORT", help="where gRPC listens")] = None,
    metrics_listen: Annotated[
        str | None, typer.Option("--metrics-listen", metavar="HOST:PORT", help="where /metrics listens")
    ] = None,
    store: Annotated[str | None, typer.Option("--store", metavar="FILE", help="SQLite file or database URL")] = None,
) -> None:
    """Run the service until it is told to stop; further options go to the server as they are."""
    try:
        importlib.metadata.version("apportion-server")
    except importlib.metadata.PackageNotFoundError:
        raise Unavailable("the service is not installed here; pip install 'apportion[server]'") from None
    given = {"--listen": listen, "--metrics-listen": metrics_listen, "--store": store or GLOBALS.store}
    flags = [part for flag, value in given.items() if value is not None for part in (flag, value)]
    # -P: a folder called `server` in the working directory must not stand in for ours.
    os.execv(sys.executable, [sys.executable, "-P", "-m", "server", "serve", *flags, *context.args])
