"""What is committed works anywhere: no machine's paths, no registry's host, nothing large, nothing half merged."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
LARGEST_BYTES = 1_500_000
# Split, so that this file does not hold what it looks for.
REGISTRIES = ["pypi" + ".org", "python" + "hosted.org", "registry.npm" + "js.org", "index" + "-url", "find" + "-links"]
MACHINE_PATHS = ["/wo" + "rk/", "/ro" + "ot/", "/ho" + "me/", "/Us" + "ers/", "/o" + "pt/py", "C:" + "\\\\"]
MARKERS = ["<" * 7 + " ", ">" * 7 + " "]
UNFINISHED = re.compile("|".join(["TO" + "DO", "FIX" + "ME", "X" * 3]))
BINARY = {".png", ".db", ".parquet", ".gz"}


def tracked() -> list[Path]:
    if not shutil.which("git") or not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    done = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True)
    return [ROOT / name for name in done.stdout.split("\0") if name and (ROOT / name).is_file()]


def texts() -> list[tuple[str, str]]:
    return [
        (str(path.relative_to(ROOT)), path.read_text(encoding="utf-8"))
        for path in tracked()
        if path.suffix not in BINARY
    ]


def test_no_file_names_a_package_registry() -> None:
    assert not [(name, host) for name, text in texts() for host in REGISTRIES if host in text]


def test_no_file_names_a_path_of_one_machine() -> None:
    assert not [
        (name, path) for name, text in texts() for path in MACHINE_PATHS if re.search(r"(?<![\w.])" + path, text)
    ]


def test_nothing_is_half_merged_or_half_done() -> None:
    ours = [(name, text) for name, text in texts() if not name.startswith("proto/third_party")]
    assert not [name for name, text in ours if any(marker in text for marker in MARKERS) or UNFINISHED.search(text)]


def test_no_file_is_large() -> None:
    assert not [(p.relative_to(ROOT), p.stat().st_size) for p in tracked() if p.stat().st_size > LARGEST_BYTES]


def test_scripts_are_executable() -> None:
    for script in (".ci/run", "proto/generate"):
        assert (ROOT / script).stat().st_mode & 0o111, f"{script} is not executable"
