"""The command line as tests run it: in this process, against the service of the test run."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from apportion.cli.main import main


class Ran(NamedTuple):
    """How a command ended: its exit code, what it said for programs and what for people."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """Standard output, which is one JSON document."""
        return json.loads(self.out)


@pytest.fixture
def run(endpoint: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    """`run("laws", "list")` runs a command."""
    monkeypatch.setenv("APPORTION_ENDPOINT", endpoint)
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments: object) -> Ran:
        monkeypatch.setattr(sys, "argv", ["apportion", *map(str, arguments)])
        with pytest.raises(SystemExit) as left:
            main()
        out, err = capsys.readouterr()
        return Ran(int(left.value.code or 0), out, err)

    return run


@pytest.fixture
def yaml(tmp_path: Path) -> Callable[[str], Path]:
    """`yaml(text)` is the path of a request file."""

    def write(text: str) -> Path:
        path = tmp_path / "request.yaml"
        path.write_text(text)
        return path

    return write
