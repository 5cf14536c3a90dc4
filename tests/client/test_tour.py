"""The tour runs as a person would run it, on a service of its own, and leaves pictures and nothing else."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path


def test_the_tour_runs_and_leaves_its_pictures(tmp_path: Path) -> None:
    # It must not lean on a service or a store that happens to be there.
    environment = {**os.environ, "APPORTION_ENDPOINT": "127.0.0.1:1", "HOME": str(tmp_path), "XDG_STATE_HOME": ""}
    done = subprocess.run(
        [sys.executable, "-m", "apportion", "demo", "--output", "json"],
        capture_output=True,
        text=True,
        env=environment,
        cwd=tmp_path,
        check=False,
        timeout=170,
    )
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    assert told["training"]["outcome"] == "OPTIMAL"
    assert [plan["outcome"] for plan in told["deployments"]] == ["OPTIMAL", "OPTIMAL"]
    assert len(told["front"]["points"]) >= 30
    assert all(point["certificate"]["feasible"] for point in told["front"]["points"])
    assert "grpc_server_handled_total" in done.stderr
    assert "stopping the service" in done.stderr
    pictures = tmp_path / "demo-output"
    assert sorted(path.name for path in pictures.iterdir()) == ["front.csv", "front.html", "front.png", "law.png"]
    assert sorted(path.name for path in tmp_path.iterdir() if path.name not in (".cache", ".config")) == ["demo-output"]
