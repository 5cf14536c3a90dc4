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
MOST = 2.5  # times as dear as that, 1.6 where measured


def measure(statement: str) -> tuple[float, list[str]]:
    """Processor seconds of a statement in a fresh process, and the heavy modules it loaded."""
    program = (
        f"import time; t = time.process_time(); {statement}; s = time.process_time() - t\n"
        f"import sys, json; print(json.dumps([s, [m for m in {HEAVY!r} if m in sys.modules]]))"
    )
    # Measuring coverage in the process would be measured too.
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("COV", "COVERAGE"))}
    command = [sys.executable, "-c", program]
    seconds, heavy = json.loads(
        subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout
    )
    return seconds, heavy


@pytest.mark.parametrize("statement", ["import apportion", "from apportion import Client, AsyncClient, Plan, Table"])
def test_importing_is_quick_and_light(statement: str) -> None:
    pairs = [(measure(statement), measure(BESIDE)) for _ in range(5)]  # in turns: a slow spell slows both
    assert pairs[0][0][1] == []
    assert min(own for (own, _), _ in pairs) < MOST * min(beside for _, (beside, _) in pairs)


def test_every_public_name_can_be_had() -> None:
    for name in apportion.__all__:
        assert getattr(apportion, name).__name__ == name
    assert set(apportion.__all__) <= set(dir(apportion))


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="Planner"):
        apportion.Planner  # noqa: B018
