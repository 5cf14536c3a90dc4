"""Every example on the pages runs, as a reader would run it.

A page is one session in a folder of its own, against one service that all pages share. Fences:

    ```python            a program of its own
    ```console           lines that start with `$ `; one ending in `# exits with 3` must do so, all others exit 0
    ```yaml NAME         a file of that name, written before what follows; likewise ```csv NAME
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
FENCE = re.compile(r"^```(python|console|yaml|csv)(?: ([\w./-]+))?\n(.*?)^```$", flags=re.M | re.S)
EXITS = re.compile(r"\s+# exits with (\d)$")
SECONDS = 180


@dataclass(frozen=True)
class Example:
    kind: str
    file: str
    text: str


def examples(page: Path) -> list[Example]:
    return [Example(*found) for found in FENCE.findall(page.read_text(encoding="utf-8"))]


def commands(text: str) -> list[tuple[str, int]]:
    """(command, exit code it should end with) of a console block; a trailing backslash continues a line."""
    joined = text.replace("\\\n", " ")
    found = []
    for line in joined.splitlines():
        if line.startswith("$ "):
            code = EXITS.search(line)
            found.append((EXITS.sub("", line[2:]), int(code[1]) if code else 0))
    return found


def run(arguments: list[str], folder: Path, endpoint: str) -> subprocess.CompletedProcess[str]:
    programs = str(Path(sys.executable).parent)
    environment = os.environ | {
        "APPORTION_ENDPOINT": endpoint,
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "NO_COLOR": "1",
    }
    return subprocess.run(
        arguments,
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        stdin=subprocess.DEVNULL,
    )


@pytest.mark.parametrize("page", [page for page in PAGES if examples(page)], ids=lambda page: page.name)
def test_the_examples_of_a_page_run(page: Path, tmp_path: Path, endpoint: str) -> None:
    for example in examples(page):
        if example.kind in ("yaml", "csv"):
            if example.file:
                (tmp_path / example.file).write_text(example.text, encoding="utf-8")
        elif example.kind == "python":
            done = run([sys.executable, "-c", example.text], tmp_path, endpoint)
            assert done.returncode == 0, f"{page.name}:\n{example.text}\n{done.stdout}{done.stderr}"
        else:
            for command, code in commands(example.text):
                done = run(["bash", "-c", command], tmp_path, endpoint)
                assert done.returncode == code, f"{page.name}: $ {command}\n{done.stdout}{done.stderr}"
                if "--output json" in command and code in (0, 3):
                    assert done.stdout.lstrip().startswith(("{", "[")), f"{page.name}: $ {command}\n{done.stdout}"


def test_the_readme_shows_both_ways_in() -> None:
    kinds = {example.kind for example in examples(ROOT / "README.md")}
    assert {"python", "console"} <= kinds
