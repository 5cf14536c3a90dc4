"""Versions: every dependency pinned, the two distributions in step, stubs that old and new protobuf can load."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import apportion

ROOT = Path(__file__).resolve().parents[2]
OLDEST_PROTOBUF = (6, 31, 1)


def project(path: str) -> dict[str, Any]:
    return tomllib.loads((ROOT / path).read_text(encoding="utf-8"))["project"]


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_constraints_are_exact_pins_and_nothing_else() -> None:
    for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines():
        assert re.fullmatch(r"[A-Za-z0-9._-]+==[A-Za-z0-9.+!]+", line), line


def test_every_dependency_is_pinned() -> None:
    pinned = {canonical(line.split("==")[0]) for line in (ROOT / "constraints.txt").read_text().splitlines()}
    for path in ("pyproject.toml", "clients/pyproject.toml"):
        declared = project(path)
        extras = declared.get("optional-dependencies", {})
        for requirement in [*declared.get("dependencies", []), *(r for group in extras.values() for r in group)]:
            name = canonical(re.split(r"[^A-Za-z0-9._-]", requirement)[0])
            assert name in pinned or name in {"apportion", "apportion-server"}, f"{path}: {requirement} is not pinned"


def test_both_distributions_bear_the_same_version() -> None:
    version = project("pyproject.toml")["version"]
    assert project("clients/pyproject.toml")["version"] == version == apportion.__version__
    assert f"apportion=={version}" in project("pyproject.toml")["dependencies"]
    assert f"## {version}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_stubs_load_under_the_oldest_protobuf_we_promise() -> None:
    for stub in (ROOT / "clients/apportion/v1").glob("*_pb2.py"):
        generated = re.search(r"Protobuf Python Version: (\d+)\.(\d+)\.(\d+)", stub.read_text(encoding="utf-8"))
        assert generated, stub.name
        assert tuple(map(int, generated.groups())) <= OLDEST_PROTOBUF, stub.name
    assert "protobuf>=6.31.1,<8" in project("clients/pyproject.toml")["dependencies"]
