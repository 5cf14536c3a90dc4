"""Who may import whom: the contracts of pyproject.toml, and what they cannot say."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def modules(folder: str) -> list[Path]:
    return sorted(p for p in (ROOT / folder).rglob("*.py") if "apportion/v1" not in p.as_posix())


def imported_by(module: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return names


def test_the_layer_contracts_hold() -> None:
    lint = Path(sys.executable).with_name("lint-imports")
    if not lint.exists():
        pytest.skip("import-linter is not installed: make setup")
    done = subprocess.run([lint, "--no-cache"], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr


def test_of_the_client_the_server_uses_the_wire_types_only() -> None:
    wrong = {
        f"{module.relative_to(ROOT)} imports {name}"
        for module in modules("server")
        for name in imported_by(module)
        if name.split(".")[0] == "apportion" and not name.startswith("apportion.v1") and name != "apportion"
    }
    assert not wrong


def test_the_planner_opens_no_files_but_its_own_tables() -> None:
    allowed = {"planner/fitting/runs.py"}  # the runs a caller names
    wrong = [
        str(module.relative_to(ROOT))
        for module in modules("planner")
        if str(module.relative_to(ROOT)) not in allowed
        for node in ast.walk(ast.parse(module.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "open"
    ]
    assert not wrong


def test_importing_the_client_loads_neither_numpy_nor_pandas_nor_grpc() -> None:
    code = "import sys, apportion; print(sorted({'numpy', 'pandas', 'grpc', 'planner', 'server'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "[]", done.stdout + done.stderr
