"""The command line as a process: servers started, absent or slow; its version."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any


def test_nobody_there_exits_4(run: Callable[..., Any]) -> None:
    told = run("laws", "list", "--endpoint", "127.0.0.1:1", "-o", "json")
    assert (told.code, told.out) == (4, "")
    assert "127.0.0.1:1" in told.err


def test_out_of_time_exits_4(run: Callable[..., Any]) -> None:
    told = run("plan", "training", "--training-flops", "1e22", "--timeout-seconds", "0.001")
    assert told.code == 4


def test_without_an_endpoint_a_server_is_started_for_the_call_and_keeps_its_store(tmp_path: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "APPORTION_ENDPOINT"}
    command = [sys.executable, "-m", "apportion", "--store", str(tmp_path / "kept.db"), "plan", "training"]
    done = subprocess.run(
        [*command, "--training-flops", "1e22", "--plan-id", "kept", "-o", "json"],
        capture_output=True,
        text=True,
        env=environment,
        cwd=tmp_path,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["name"] == "plans/kept"
    command = [sys.executable, "-m", "apportion", "plans", "show", "kept", "--store", str(tmp_path / "kept.db")]
    again = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=tmp_path, check=False)
    assert again.returncode == 0
    assert "plans/kept" in again.stdout


def test_the_version_is_told() -> None:
    done = subprocess.run([sys.executable, "-m", "apportion", "--version"], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "0.1.0"
