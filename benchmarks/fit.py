"""Chinchilla's law on 240 published points: fitted here, by the published notebook's method, by a package.

All minimise Huber's loss (1e-3) of log residuals on the same rows, timed by CPU seconds in the same run:
- here: the fit with its diagnostics, and 4,000 bootstrap draws;
- the notebook of Besiroglu et al. 2024 (2404.10102), its method written out below: L-BFGS-B with numeric gradients from
  4,500 starts, then BFGS from the best for each of 4,000 resamples. A sample of both is timed and scaled up (`--full`
  runs everything);
- the package `chinchilla` from the package index, its own BFGS over a grid of five values a coefficient, in an
  environment of its own that is thrown away; skipped with a message where it cannot be installed. It takes minutes.

Fails if the objective found here is above a peer's. The points are not shipped: skipped where they are absent.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from planner.fitting import Runs, fit_law

Array = NDArray[np.float64]
DRAWS = 4000
DELTA = 1e-3
SAMPLED_STARTS, SAMPLED_DRAWS = 200, 100
GOAL_NOTEBOOK, GOAL_PACKAGE = 50.0, 100.0
SLACK = 1e-9  # relative difference of two objectives that is rounding
PACKAGE_GRID = {
    "e": [-1.0, -0.5, 0.0, 0.5, 1.0],
    "a": [0.0, 6.25, 12.5, 18.75, 25.0],
    "b": [0.0, 6.25, 12.5, 18.75, 25.0],
    "alpha": [0.0, 0.5, 1.0, 1.5, 2.0],
    "beta": [0.0, 0.5, 1.0, 1.5, 2.0],
}
PACKAGE_SCRIPT = """
import json, resource, sys, tempfile
import numpy as np
from chinchilla import Chinchilla
from chinchilla._metrics import log_huber
given = json.load(open(sys.argv[1]))
def loss(y_true, y_pred):
    return log_huber(y_true, y_pred, given["delta"])
def cpu():
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(u.ru_utime + u.ru_stime for u in used)
with tempfile.TemporaryDirectory() as folder:
    model = Chinchilla(folder, param_grid=given["grid"], loss_fn=loss, log_level=50)
    for n, d, l in zip(given["N"], given["D"], given["loss"]):
        model.database.append(N=n, D=d, loss=l)
    start = cpu()
    model.fit()
    print(json.dumps({"seconds": cpu() - start, "params": model.get_params()}))
"""


def runs_file() -> Path:
    """The published points beside the repository."""
    shared = Path(os.environ.get("APPORTION_SHARED", Path(__file__).resolve().parents[2] / "shared"))
    return shared / "data" / "runs" / "chinchilla_epoch.csv"


def objective(theta: Array, log_n: Array, log_d: Array, log_loss: Array) -> float:
    """Summed Huber loss at (ln A, ln B, ln E, alpha, beta)."""
    a, b, e, alpha, beta = theta
    error = np.log(np.exp(a - alpha * log_n) + np.exp(b - beta * log_d) + np.exp(e)) - log_loss
    size = np.abs(error)
    return float(np.where(size <= DELTA, 0.5 * error**2, DELTA * (size - 0.5 * DELTA)).sum())


def notebook(data: tuple[Array, Array, Array], full: bool) -> dict[str, float]:
    """CPU seconds of all starts and of all draws (scaled from samples unless `full`), and the best objective."""
    axes = (
        [0, 5, 10, 15, 20, 25],
        [0, 5, 10, 15, 20, 25],
        [-1, -0.5, 0, 0.5, 1],
        [0, 0.5, 1, 1.5, 2],
        [0, 0.5, 1, 1.5, 2],
    )
    starts = np.array(list(itertools.product(*axes)), float)
    generator = np.random.default_rng(0)
    chosen = starts if full else generator.permutation(starts)[:SAMPLED_STARTS]
    begun = time.process_time()
    found = [minimize(objective, s, args=data, method="L-BFGS-B") for s in chosen]
    fit_seconds = (time.process_time() - begun) * len(starts) / len(chosen)
    best = min(found, key=lambda f: f.fun)
    draws = DRAWS if full else SAMPLED_DRAWS
    exponents = []
    begun = time.process_time()
    for _ in range(draws):
        rows = generator.integers(0, len(data[0]), len(data[0]))
        again = minimize(objective, best.x, args=tuple(x[rows] for x in data), method="BFGS")
        exponents.append(again.x[4] / (again.x[3] + again.x[4]))
    draw_seconds = (time.process_time() - begun) * DRAWS / draws
    return {
        "fit": fit_seconds, "draws": draw_seconds,
        "objective": float(best.fun), "exponent_sd": float(np.std(exponents)),
        "starts_timed": len(chosen), "draws_timed": draws,
    }  # fmt: skip


def package(table: dict[str, Any]) -> dict[str, Any] | str:
    """CPU seconds and coefficients of the package's own fit, or why it could not be run."""
    with tempfile.TemporaryDirectory(prefix="peer-") as folder:
        python = Path(folder) / "bin" / "python"
        venv.create(folder, with_pip=True)
        install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "chinchilla==0.2.0"]
        done = subprocess.run(install, capture_output=True, text=True, check=False)
        if done.returncode:
            return "it does not install here"
        given, script = Path(folder) / "given.json", Path(folder) / "fit.py"
        given.write_text(json.dumps(table | {"grid": PACKAGE_GRID, "delta": DELTA}), encoding="utf-8")
        script.write_text(PACKAGE_SCRIPT, encoding="utf-8")
        environment = {**os.environ, "MPLBACKEND": "Agg", "OPENBLAS_NUM_THREADS": "1"}
        environment.pop("PYTHONPATH", None)
        done = subprocess.run([str(python), str(script), str(given)], capture_output=True, text=True, check=False,
                              env=environment, cwd=folder)  # fmt: skip
        if done.returncode:
            return f"it fails here: {done.stderr.strip().splitlines()[-1]}"
        answer: dict[str, Any] = json.loads(done.stdout.strip().splitlines()[-1])
        return answer


def main(full: bool) -> int:
    path = runs_file()
    if not path.is_file():
        print(f"skipped: no published points at {path} (APPORTION_SHARED names another place)")
        return 0
    runs = Runs.read(path)
    kept = runs.take(runs.column("in_fit_240").numbers == 1)
    n, d, loss = (kept.column(k).numbers for k in ("N", "D", "loss"))
    data = (np.log(n), np.log(d), np.log(loss))
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores; {len(n)} points; CPU seconds")

    fit_law(kept, "chinchilla", bootstrap=10)  # imports and caches
    begun = time.process_time()
    ours = fit_law(kept, "chinchilla", bootstrap=0)
    fit_seconds = time.process_time() - begun
    begun = time.process_time()
    with_draws = fit_law(kept, "chinchilla", bootstrap=DRAWS)
    all_seconds = time.process_time() - begun
    assert with_draws.compute_optimal_exponent is not None
    with np.errstate(all="ignore"):  # far starts overflow, as they do in the notebook
        theirs = notebook(data, full)
    peer = package({"N": n.tolist(), "D": d.tolist(), "loss": loss.tolist()})

    print(f"{'':<34}{'fit':>9}{'draws':>9}{'together':>10}{'objective':>18}{'sd of a':>9}")
    sd = with_draws.compute_optimal_exponent.parameters.standard_error
    row = "{:<34}{:>9.2f}{:>9.2f}{:>10.2f}{:>18.13f}{:>9.4f}"
    print(row.format("here", fit_seconds, all_seconds - fit_seconds, all_seconds, ours.objective_value, sd))
    both = theirs["fit"] + theirs["draws"]
    print(
        row.format(
            "notebook's method", theirs["fit"], theirs["draws"], both, theirs["objective"], theirs["exponent_sd"]
        )
    )
    print(f"  timed {theirs['starts_timed']:.0f} of 4500 starts and {theirs['draws_timed']:.0f} of {DRAWS} draws")
    others = [theirs["objective"]]
    ratios = [("notebook's method, fit and draws", both / all_seconds, GOAL_NOTEBOOK)]
    if isinstance(peer, str):
        print(f"package chinchilla skipped: {peer}")
    else:
        p = peer["params"]
        theta = np.array([np.log(p["A"]), np.log(p["B"]), np.log(p["E"]), p["alpha"], p["beta"]])
        others.append(objective(theta, *data))
        print(f"{'package chinchilla 0.2.0, 5-point grid':<34}{peer['seconds']:>9.2f}{'':>19}{others[-1]:>18.13f}")
        ratios.append(("package, one fit", peer["seconds"] / fit_seconds, GOAL_PACKAGE))
    for name, ratio, goal in ratios:
        print(f"{name}: {ratio:.0f} times the CPU (goal {goal:.0f})")
    if ours.objective_value > min(others) * (1.0 + SLACK):
        print("FAILED: a peer found a lower objective")
        return 1
    return 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--full", action="store_true", help="run all starts and draws of the notebook's method")
    sys.exit(main(parser.parse_args().full))
