"""Laws on real runs: fitted to the cheaper part by compute, they predict the dearest; errors, intervals, and peers.

Every task of `runs_tasks` (a table with the law of its own paper) is cut twice. Shown is the median absolute relative
error of the predictions of the held-out runs (of a metric that may be negative: absolute, in its unit) by
- the law of the table, with the share of runs inside its 80 % interval;
- with `--auto`, what `--form auto` chooses and fits, with its intervals;
- Chinchilla's plain form, and the package `chinchilla` fitted to the same loss, in an environment of its own that is
  thrown away (APPORTION_PEER_PYTHON names an interpreter that has it; skipped where neither is to be had);
- the best of M1 to M4 (chosen on a split of the fitted runs) and a broken law, over compute.
Coverage is pooled twice: every run alike, and every table alike. The tables are not shipped: skipped where absent.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from runs_tasks import TASKS, Cut, Task, cuts, folder

from planner.errors import PlanningError
from planner.fitting import FittedLaw, fit_best, fit_law
from planner.fitting.refit import refit
from planner.laws import form_class

Array = NDArray[np.float64]
LEVEL = 0.8
DRAWS = 200
CURVES = ("m1", "m2", "m3", "m4")
BROKEN = "broken-1"
NAMES = {"package": "package", "chinchilla": "chinchilla", "curve": "M1-M4", "broken": "BNSL"}
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


@dataclass(frozen=True, eq=False)
class Forecast:
    """Predictions of held-out runs with their interval, and what made them."""

    form: str
    loss: Array
    lower: Array
    upper: Array


@dataclass
class Tally:
    """Coverage, widths and interval scores of one method over cuts."""

    inside: list[NDArray[np.bool_]] = field(default_factory=list)
    families: list[str] = field(default_factory=list)
    winkler: list[float] = field(default_factory=list)

    def add(self, cut: Cut, forecast: Forecast) -> float:
        """Note a forecast; returns the share of runs inside."""
        y = cut.losses
        missed = np.maximum(0.0, np.maximum(forecast.lower - y, y - forecast.upper))
        self.inside.append(missed == 0.0)
        self.families.append(cut.task.family)
        scale = 1.0 if form_class(cut.task.form).signed() else float(np.median(y))
        score = forecast.upper - forecast.lower + 2.0 / (1.0 - LEVEL) * missed
        self.winkler.append(float(np.mean(score)) / scale)
        return float(np.mean(missed == 0.0))

    def summary(self) -> str:
        """Coverage over runs and over tables, and the geometric mean of interval scores."""
        tables = {
            f: [float(i.mean()) for i, g in zip(self.inside, self.families, strict=True) if g == f]
            for f in self.families
        }
        each = ", ".join(f"{f} {np.mean(v):.2f}" for f, v in tables.items())
        runs, mean = float(np.mean(np.concatenate(self.inside))), float(np.mean([np.mean(v) for v in tables.values()]))
        score = float(np.exp(np.mean(np.log(self.winkler))))
        return f"{100 * runs:.0f} % of runs, {100 * mean:.0f} % over tables; interval score {score:.4f}\n  {each}"


def forecast(law: FittedLaw, cut: Cut) -> Forecast:
    """A law's predictions of the held-out runs."""
    found = law.predict(cut.points, LEVEL)
    return Forecast(law.form.form_name, found.loss, found.lower, found.upper)


def error(cut: Cut, predicted: Array) -> float:
    """Median absolute relative error, or absolute error where the metric may be negative."""
    unit = 1.0 if form_class(cut.task.form).signed() else cut.losses
    return float(np.median(np.abs(predicted - cut.losses) / unit))


def plain(cut: Cut) -> Iterator[tuple[str, Array]]:
    """Predictions by the forms that every table of dense runs is compared with."""
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


def main(arguments: argparse.Namespace) -> int:
    if not folder().is_dir():
        print(f"skipped: no tables at {folder()} (set APPORTION_SHARED)")
        return 0
    chosen = [cut for task in TASKS if _asked(task, arguments.tasks) for cut in cuts(task)]
    peers = "not asked for (--package)" if not arguments.package else package(chosen)
    named, automatic = Tally(), Tally()
    columns = ("law", "inside", *(("auto", "inside") if arguments.auto else ()), *NAMES.values())
    print(f"{'task':38} {'cut':12} {'held':>5} {'form':20} " + " ".join(f"{c:>10}" for c in columns))
    start, errors = time.perf_counter(), []
    for k, cut in enumerate(chosen):
        try:
            law = forecast(fit_law(cut.fitted, cut.task.form, bootstrap=DRAWS), cut)
        except PlanningError as refusal:
            print(f"{cut.task.name:38} {cut.name:12} refused: {refusal.message}")
            continue
        cells = [f"{error(cut, law.loss):10.4f}", f"{100 * named.add(cut, law):8.0f} %"]
        best = {"law": error(cut, law.loss)}
        if arguments.auto:
            auto = forecast(fit_best(cut.fitted, bootstrap=DRAWS), cut)
            best["auto"] = error(cut, auto.loss)
            cells += [f"{best['auto']:10.4f}", f"{100 * automatic.add(cut, auto):8.0f} %"]
        with np.errstate(all="ignore"):
            best |= {name: error(cut, guess) for name, guess in plain(cut)}
        if not isinstance(peers, str) and (guess := peers[k]) is not None:
            best["package"] = error(cut, guess)
        errors.append(best)
        cells += [f"{best[name]:10.4f}" if name in best else f"{'-':>10}" for name in NAMES]
        more = f"  {auto.form}" if arguments.auto else ""
        print(
            f"{cut.task.name:38} {cut.name:12} {len(cut.losses):5} {law.form:20} " + " ".join(cells) + more, flush=True
        )
    if isinstance(peers, str):
        print(f"package chinchilla: {peers}")
    print(f"law of the table: {named.summary()}")
    if arguments.auto:
        print(f"auto: {automatic.summary()}")
    for name in ("auto", *NAMES):
        both = [(e["law"], e[name]) for e in errors if name in e]
        if both:
            ratio = float(np.exp(np.mean([np.log(b / a) for a, b in both])))
            print(f"error of {NAMES.get(name, name)} over that of the law: {ratio:.2f} (geometric mean of {len(both)})")
    print(f"{time.perf_counter() - start:.0f} seconds")
    return 0


def _asked(task: Task, names: Sequence[str]) -> bool:
    return not names or any(task.name.startswith(name) for name in names)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tasks", nargs="*", help="beginnings of the names of tasks; all unless said")
    parser.add_argument("--auto", action="store_true", help="also what `--form auto` chooses: minutes")
    parser.add_argument("--package", action="store_true", help="also the package chinchilla: many minutes")
    sys.exit(main(parser.parse_args()))
