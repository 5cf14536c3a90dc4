"""The pages say what is so: generated pages are fresh, links lead somewhere, every reason of an error is explained."""

from __future__ import annotations

import ast
import importlib
import inspect
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*(ROOT / "docs").glob("*.md"), *ROOT.glob("*.md")])


def anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), flags=re.M)
    return {re.sub(r"[^\w\- ]", "", heading).strip().lower().replace(" ", "-") for heading in headings}


def test_the_page_of_laws_is_what_the_catalogue_says() -> None:
    done = subprocess.run([sys.executable, ROOT / "docs" / "make_laws.py", "--check"], cwd=ROOT, timeout=60)
    assert done.returncode == 0, "docs/laws.md is stale: make figures"


def test_links_between_pages_lead_somewhere() -> None:
    broken = []
    for page in PAGES:
        for target in re.findall(r"\]\((?!https?:|mailto:)([^)]+)\)", page.read_text(encoding="utf-8")):
            path, _, anchor = target.partition("#")
            aim = (page.parent / path).resolve() if path else page
            if not aim.exists() or (anchor and aim.suffix == ".md" and anchor.lower() not in anchors(aim)):
                broken.append(f"{page.name}: {target}")
    assert not broken


def test_every_reason_of_an_error_is_explained() -> None:
    explained = set(re.findall(r"^### ([A-Z_]+)$", (ROOT / "docs/errors.md").read_text(encoding="utf-8"), flags=re.M))
    reasons = {
        error.reason
        for module in ("planner.errors", "server.errors")
        for _, error in inspect.getmembers(importlib.import_module(module), inspect.isclass)
        if issubclass(error, Exception) and hasattr(error, "reason")
    }
    assert reasons
    assert reasons <= explained
    assert all(re.fullmatch(r"[A-Z][A-Z0-9_]+[A-Z0-9]", reason) and len(reason) <= 63 for reason in reasons)


def test_every_warning_is_explained() -> None:
    codes = {
        text.value
        for module in (ROOT / "planner").rglob("*.py")
        for call in ast.walk(ast.parse(module.read_text(encoding="utf-8")))
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "Caution" and call.args
        for text in ast.walk(call.args[0])
        if isinstance(text, ast.Constant) and isinstance(text.value, str)
    }
    explained = set(re.findall(r"`([A-Z][A-Z_]+)`", (ROOT / "docs/warnings.md").read_text(encoding="utf-8")))
    assert codes
    assert codes == explained


def test_every_setting_is_on_the_page_of_the_service() -> None:
    from server import settings

    page = (ROOT / "docs/service.md").read_text(encoding="utf-8")
    important = {"listen", "metrics_listen", "store", "workers", "default_deadline_seconds", "reflection"}
    known = {
        name
        for _, concern in inspect.getmembers(settings, inspect.isclass)
        if concern.__module__ == settings.__name__ and hasattr(concern, "model_fields")
        for name in concern.model_fields
    }
    shown = set(re.findall(r"^\| `(\w+)` \|", page, flags=re.M)) & (known | important)
    assert important <= known, "a setting was renamed"
    assert important <= shown
    listed = re.search(r"^\| setting \|.*?(?=\n\n)", page, flags=re.M | re.S)
    assert listed
    assert set(re.findall(r"^\| `(\w+)`", listed[0], flags=re.M)) <= known


def test_every_metric_on_the_page_of_the_service_is_exposed() -> None:
    page = (ROOT / "docs/service.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`((?:grpc_server|apportion)_\w+)(?:\{[\w,]+\})?`", page))
    exposed = set(re.findall(r'"((?:grpc_server|apportion)_\w+)"', (ROOT / "server/telemetry/metrics.py").read_text()))
    assert named
    assert named <= exposed
