"""Importing the client is cheap and pulls in neither planner nor server."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

import apportion

HEAVY = ("pandas", "numpy", "matplotlib", "plotly", "typer", "rich", "yaml", "planner", "server", "cvxpy")
BESIDE = "import numpy"  # measured beside: how fast a machine is differs from hour to hour
MOST = 2.0  # times as dear as that


def measure(statement: str) -> tuple[float, list[str]]:
    """Best of five: processor seconds of a statement in a fresh process, and the heavy modules it loaded."""
    program = (
        f"import time; t = time.process_time(); {statement}; s = time.process_time() - t\n"
        f"import sys, json; print(json.dumps([s, [m for m in {HEAVY!r} if m in sys.modules]]))"
    )
    # Measuring coverage in the process would be measured too.
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("COV", "COVERAGE"))}
    command = [sys.executable, "-c", program]
    runs = [
        json.loads(subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout)
        for _ in range(5)
    ]
    return min(seconds for seconds, _ in runs), runs[0][1]


@pytest.mark.parametrize("statement", ["import apportion", "from apportion import Client, AsyncClient, Plan, Table"])
def test_importing_is_quick_and_light(statement: str) -> None:
    seconds, heavy = measure(statement)
    assert heavy == []
    assert seconds < MOST * measure(BESIDE)[0]


def test_every_public_name_can_be_had() -> None:
    for name in apportion.__all__:
        assert getattr(apportion, name).__name__ == name
    assert set(apportion.__all__) <= set(dir(apportion))


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="Planner"):
        apportion.Planner  # noqa: B018
