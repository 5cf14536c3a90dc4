"""One command: which service it talks to, how its answer is printed, and which number it exits with.

0 done, 2 bad input, 3 infeasible, 4 unavailable or out of time, 1 anything else. With `--output json` standard
output holds one document and nothing else; every message goes to standard error.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import typer
from rich.console import Console

from apportion.cli.options import Output, TableOutput
from apportion.client import Client
from apportion.embedded import STORE_VARIABLE
from apportion.errors import ApportionError, DeadlineExceeded, RequestRefused, Unavailable
from apportion.tables import Table

DONE, OTHER, BAD_INPUT, INFEASIBLE, UNAVAILABLE = 0, 1, 2, 3, 4
_OUTCOME_CODES = {"OPTIMAL": DONE, "FEASIBLE": DONE, "INFEASIBLE": INFEASIBLE, "TIME_LIMIT": UNAVAILABLE}
# Wide enough for whole names when nobody watches.
_UNWATCHED_WIDTH = 160


@dataclass
class Globals:
    """Options given before the command."""

    endpoint: str | None = None
    store: str | None = None


GLOBALS = Globals()


@contextmanager
def client(endpoint: str | None, store: str | None) -> Iterator[Client]:
    """A client for the length of one command."""
    kept = store or GLOBALS.store or os.environ.get(STORE_VARIABLE) or None
    with Client(endpoint or GLOBALS.endpoint, store=kept) as opened:
        yield opened


def console() -> Console:
    """Where answers for people go; without colour when it is not a terminal."""
    return Console(width=None if sys.stdout.isatty() else _UNWATCHED_WIDTH, highlight=False, soft_wrap=False)


def errors() -> Console:
    """Where everything else goes."""
    return Console(stderr=True, highlight=False, soft_wrap=True)


@contextmanager
def stages(quiet: bool) -> Iterator[Callable[[str], None]]:
    """Shows what long work is doing, on standard error and only to people."""
    if quiet or not sys.stderr.isatty():
        yield lambda stage: None
        return
    with errors().status("working …") as status:
        yield lambda stage: status.update(f"{stage} …")


def emit(output: Output | TableOutput, document: Mapping[str, Any], show: Callable[[Console], None]) -> None:
    """Print an answer: one JSON document, or whatever `show` draws."""
    if output.value == "json":
        sys.stdout.write(json.dumps(document, indent=2, allow_nan=False) + "\n")
    else:
        show(console())
    sys.stdout.flush()


def emit_table(output: TableOutput, table: Table, show: Callable[[Console], None]) -> None:
    """Print a table as JSON, CSV, or whatever `show` draws."""
    if output is TableOutput.CSV:
        sys.stdout.write(table.to_csv())
        sys.stdout.flush()
    else:
        emit(output, table.to_dict(), show)


def leave(outcome: str) -> None:
    """Exit with the number of a plan's outcome."""
    code = _OUTCOME_CODES.get(outcome, OTHER)
    if code:
        raise typer.Exit(code)


def exit_code(error: ApportionError) -> int:
    """The number to exit with after an error."""
    if isinstance(error, RequestRefused):
        return BAD_INPUT
    return UNAVAILABLE if isinstance(error, Unavailable | DeadlineExceeded) else OTHER
