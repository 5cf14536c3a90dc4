"""The examples run: the same plan from a Python step and from container steps, and the quick start."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
REQUEST = yaml.safe_load((EXAMPLES / "request.yaml").read_text())


@pytest.fixture(scope="module")
def step() -> ModuleType:
    spec = importlib.util.spec_from_file_location("pipeline_step", EXAMPLES / "pipeline_step.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def environment(endpoint: str) -> dict[str, str]:
    """As in the container: the service by its variable, the command line on the path."""
    return {
        **os.environ,
        "APPORTION_ENDPOINT": endpoint,
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
    }


def run(command: list[str], environment: dict[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def argo_command(folder: Path, **parameters: str) -> list[str]:
    """The container's command line as Argo would fill it in, its paths moved into `folder`."""
    (template,) = yaml.safe_load((EXAMPLES / "container_step.yaml").read_text())["spec"]["templates"]
    defaults = {item["name"]: item["value"] for item in template["inputs"]["parameters"]}
    values = {**defaults, **parameters}
    (line,) = template["container"]["args"]
    line = re.sub(r"\{\{inputs\.parameters\.([\w-]+)\}\}", lambda found: values[found[1]], line)
    for item in (*template["inputs"]["artifacts"], *template["outputs"]["artifacts"]):
        line = line.replace(item["path"], str(folder / Path(item["path"]).name))
    return [*template["container"]["command"], line]


def kubeflow_command(values: dict[str, str]) -> list[str]:
    container = yaml.safe_load((EXAMPLES / "component.yaml").read_text())["implementation"]["container"]
    return [*container["command"], *(values[name] for item in container["args"] for name in item.values())]


def same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return all(one[part] == other[part] for part in ("outcome", "decision", "metrics", "certificate", "alternatives"))


def test_a_python_step_and_container_steps_give_the_same_plan(
    step: ModuleType, endpoint: str, environment: dict[str, str], tmp_path: Path
) -> None:
    plan = step.plan_step(REQUEST, endpoint)
    assert plan["outcome"] == "OPTIMAL"
    assert plan["metrics"]["training_hours"]["value"] <= 720 * (1 + 1e-6)

    (tmp_path / "request.yaml").write_text((EXAMPLES / "request.yaml").read_text())
    done = run(argo_command(tmp_path), environment)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert same(json.loads((tmp_path / "plan.json").read_text()), plan)

    values = {"law": "besiroglu-2024", "training_flops": "1e22", "endpoint": endpoint}
    values |= {"request": str(EXAMPLES / "request.yaml"), "plan": str(tmp_path / "out" / "plan.json")}
    done = run(kubeflow_command(values), environment)
    assert done.returncode == 0, done.stderr
    assert same(json.loads((tmp_path / "out" / "plan.json").read_text()), plan)


def test_the_container_step_tells_the_pipeline_what_went_wrong(environment: dict[str, str], tmp_path: Path) -> None:
    request = tmp_path / "request.yaml"
    request.write_text("max_loss: 1.9\n")
    done = run(argo_command(tmp_path, **{"training-flops": "1e20"}), environment)
    assert done.returncode == 3
    assert json.loads((tmp_path / "plan.json").read_text())["relaxation"]
    assert run(argo_command(tmp_path, law="no-such-law"), environment).returncode == 2
    away = {**environment, "APPORTION_ENDPOINT": "127.0.0.1:1"}
    assert run(argo_command(tmp_path), away).returncode == 4


def test_the_python_step_tells_the_pipeline_what_went_wrong(step: ModuleType, endpoint: str) -> None:
    with pytest.raises(step.NoPlan, match=r"loss|training_flops"):
        step.plan_step({"law": "besiroglu-2024", "training_flops": 1e20, "max_loss": 1.9}, endpoint)
    with pytest.raises(step.RetryLater):
        step.plan_step(REQUEST, "127.0.0.1:1")


def test_the_step_can_be_run_by_hand(environment: dict[str, str]) -> None:
    done = run([sys.executable, str(EXAMPLES / "pipeline_step.py"), str(EXAMPLES / "request.yaml")], environment)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["outcome"] == "OPTIMAL"


def test_the_quick_start_runs(environment: dict[str, str]) -> None:
    done = run([sys.executable, str(EXAMPLES / "quickstart.py")], environment)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("OPTIMAL: ")
    assert "USD" in done.stdout
