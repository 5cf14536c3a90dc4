"""Modules are of one idea: they say which, they are short, and packages list what they offer."""

from __future__ import annotations

import ast
import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MOST_LINES = 400
VAGUE_NAMES = {"utils", "util", "helpers", "helper", "common", "misc", "manager", "base_utils"}
MODULES = sorted(
    path
    for folder in ("planner", "server", "clients/apportion")
    for path in (ROOT / folder).rglob("*.py")
    if "clients/apportion/v1" not in path.as_posix() and "/versions/" not in path.as_posix()
)
PACKAGES = (
    "apportion",
    "planner",
    "planner.laws",
    "planner.fitting",
    "planner.hardware",
    "planner.allocation",
    "server",
)


def test_no_module_is_longer_than_a_reader_can_hold() -> None:
    lines = {str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines()) for path in MODULES}
    assert not {name: count for name, count in lines.items() if count > MOST_LINES}


def test_every_module_says_what_it_is_for() -> None:
    silent = [
        str(path.relative_to(ROOT))
        for path in MODULES
        if path.read_text(encoding="utf-8").strip()
        and not ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
    ]
    assert not silent


def test_modules_are_named_by_their_idea() -> None:
    assert not [str(path.relative_to(ROOT)) for path in MODULES if path.stem in VAGUE_NAMES]


@pytest.mark.parametrize("name", PACKAGES)
def test_a_package_offers_what_it_lists(name: str) -> None:
    package = importlib.import_module(name)
    listed = getattr(package, "__all__", [])
    assert len(listed) == len(set(listed)), "a name is listed twice"
    for public in listed:
        assert hasattr(package, public), f"{name}.__all__ lists {public}, which {name} does not have"


@pytest.mark.parametrize("name", ["planner.laws", "planner.fitting", "planner.hardware", "planner.allocation"])
def test_a_package_lists_what_it_offers(name: str) -> None:
    package = importlib.import_module(name)
    source = Path(str(package.__file__)).read_text(encoding="utf-8")
    offered = {
        alias.asname or alias.name
        for node in ast.parse(source).body
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("planner")
        for alias in node.names
        if not (alias.asname or alias.name).startswith("_")
    }
    assert offered <= set(package.__all__)


def test_the_python_page_names_the_whole_client() -> None:
    import apportion

    page = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
    assert not [name for name in apportion.__all__ if f"`{name}`" not in page and f"{name}(" not in page]
