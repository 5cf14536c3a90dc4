"""What laws are compared with on real runs: Chinchilla's plain form, curves over compute, and the package `chinchilla`.

The plain forms are fitted by the product's own optimiser, which favours them. The package runs in an environment of its
own that is thrown away (APPORTION_PEER_PYTHON names an interpreter that has it), on the same loss.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import venv
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from runs_tasks import Cut

from planner.fitting.refit import refit
from planner.laws import form_class

Array = NDArray[np.float64]
CURVES = ("m1", "m2", "m3", "m4")
BROKEN = "broken-1"
PACKAGE_GRID = {"e": [0.0, 0.7], "a": [5.0, 12.0], "b": [5.0, 12.0], "alpha": [0.3, 0.6], "beta": [0.3, 0.6]}
PACKAGE_SCRIPT = """
import json, sys, tempfile
from chinchilla import Chinchilla
from chinchilla._metrics import log_huber
given = json.load(open(sys.argv[1]))
def loss(y_true, y_pred):
    return log_huber(y_true, y_pred, 1e-3)
for table in given["tables"]:
    try:
        with tempfile.TemporaryDirectory() as folder:
            model = Chinchilla(folder, param_grid=given["grid"], loss_fn=loss, log_level=50)
            for n, d, l in zip(table["N"], table["D"], table["loss"]):
                model.database.append(N=n, D=d, loss=l)
            model.fit()
            print(json.dumps(model.get_params()), flush=True)
    except Exception as error:
        print(json.dumps({"error": str(error)}), flush=True)
"""


def plain(cut: Cut) -> Iterator[tuple[str, Array]]:
    """Predictions of the held-out runs by "chinchilla", "curve" (the best of M1 to M4) and "broken"."""
    fitted = {k: v[~cut.held] for k, v in cut.columns.items()}
    losses = fitted.pop("loss")
    if np.any(losses <= 0):
        return
    if {"parameter_count", "token_count"} <= fitted.keys():
        yield "chinchilla", _predicted("chinchilla", fitted, losses, cut.points)
    if "training_flops" in fitted:
        flops, wanted = {"scale": fitted["training_flops"]}, {"scale": cut.points["training_flops"]}
        yield "curve", _predicted(_best_curve(flops["scale"], losses), flops, losses, wanted)
        yield "broken", _predicted(BROKEN, flops, losses, wanted)


def _predicted(form: str, fitted: Mapping[str, Array], losses: Array, wanted: Mapping[str, Array]) -> Array:
    kind = form_class(form)
    found = refit(kind, {v: fitted[v] for v in kind.variables}, losses)
    return found.predict({v: wanted[v] for v in kind.variables}, None)


def _best_curve(flops: Array, losses: Array) -> str:
    """Which of M1 to M4 predicts the dearer third of the fitted runs best."""
    cheap = flops <= np.quantile(flops, 2.0 / 3.0)

    def miss(form: str) -> float:
        guess = _predicted(form, {"scale": flops[cheap]}, losses[cheap], {"scale": flops[~cheap]})
        miss = float(np.mean(np.abs(guess / losses[~cheap] - 1.0)))
        return miss if np.isfinite(miss) else np.inf

    return min(CURVES, key=miss)


def package(chosen: Sequence[Cut]) -> list[Array | None] | str:
    """Predictions by the package for each cut (None where it fails or has no N and D), or why it cannot be run."""
    tables, which = [], []
    for k, cut in enumerate(chosen):
        runs = {name: v[~cut.held].tolist() for name, v in cut.columns.items()}
        if {"parameter_count", "token_count"} <= runs.keys() and min(runs["loss"]) > 0:
            tables.append({"N": runs["parameter_count"], "D": runs["token_count"], "loss": runs["loss"]})
            which.append(k)
    if not tables:
        return [None] * len(chosen)
    with tempfile.TemporaryDirectory(prefix="peer-") as place:
        python = os.environ.get("APPORTION_PEER_PYTHON", "")
        if not python:
            venv.create(place, with_pip=True)
            python = str(Path(place) / "bin" / "python")
            install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "chinchilla==0.2.0"]
            if subprocess.run(install, capture_output=True, check=False).returncode:
                return "it does not install here"
        given, script = Path(place) / "given.json", Path(place) / "fit.py"
        given.write_text(json.dumps({"tables": tables, "grid": PACKAGE_GRID}), encoding="utf-8")
        script.write_text(PACKAGE_SCRIPT, encoding="utf-8")
        surroundings = {**os.environ, "MPLBACKEND": "Agg", "OPENBLAS_NUM_THREADS": "1"}
        surroundings.pop("PYTHONPATH", None)
        done = subprocess.run([python, str(script), str(given)], capture_output=True, text=True, check=False,
                              env=surroundings, cwd=place)  # fmt: skip
    answers = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    if len(answers) != len(tables):
        return f"it fails here: {(done.stderr.strip().splitlines() or ['no answer'])[-1]}"
    found: list[Array | None] = [None] * len(chosen)
    for k, p in zip(which, answers, strict=True):
        if "error" not in p:
            points = chosen[k].points
            n, d = points["parameter_count"], points["token_count"]
            found[k] = np.asarray(p["E"] + p["A"] * n ** -p["alpha"] + p["B"] * d ** -p["beta"])
    return found
