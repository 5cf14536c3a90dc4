"""Five tasks with official splits: the form chosen from the training rows alone, then R² on the rows to be predicted.

Tables and splits are those of "Spend Less, Fit Better" (arXiv 2604.22753; data CC-BY-4.0), four of them after SLDBench
(arXiv 2507.21184), whose best scores, of laws found by a language-model agent, are the goals. All forms that the
columns allow compete; the choice sees where the test rows lie but none of their losses. One table counts parameters in
billions. The tables are not shipped: skipped where they are absent.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from planner.fitting import Runs
from planner.fitting.ranking import Comparison
from planner.fitting.selection import compare_targets


@dataclass(frozen=True)
class Task:
    """One table: its targets, columns in other units than counts, and the best published R²."""

    goal: float
    targets: tuple[str, ...] = ("loss",)
    mapping: Mapping[str, str] = field(default_factory=dict)
    group: str | None = "group"


TASKS: Mapping[str, Task] = {
    "data_constrained": Task(0.944),
    "domain_mixture": Task(0.988, tuple(f"loss_domain_{k}" for k in range(1, 6))),
    "vocab": Task(0.987, ("unigram_normalized_loss",)),
    "parallel": Task(0.999),
    "sparsity": Task(0.53, mapping={"N_active*1e9": "N_active"}),
}


def folder() -> Path:
    """Where the tables are, if anywhere."""
    shared = os.environ.get("APPORTION_SHARED") or Path(__file__).resolve().parents[1] / ".." / "shared"
    return Path(shared) / "data" / "extrapolation"


def compared(task: Task, path: Path) -> dict[str, Comparison]:
    """A comparison per target, all with the same form."""
    runs = Runs.read(path)
    single = len(set(runs.column("group").cells.astype(str))) == 1
    return compare_targets(
        runs,
        task.targets,
        holdout="split == 'test'",
        mapping=task.mapping,
        group=None if single else task.group,
        bootstrap=200,
    )


def main() -> int:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("tasks", nargs="*", default=list(TASKS), help="which of the tasks; all unless said")
    chosen = arguments.parse_args().tasks
    if not folder().is_dir():
        print(f"skipped: no tables at {folder()} (set APPORTION_SHARED)")
        return 0
    print(f"{'task':18} {'R²':>7} {'goal':>6}  {'form':26} {'groups':8} {'error on splits':>15}  trusted  seconds")
    reached = True
    for name in chosen:
        start = time.perf_counter()
        found = compared(TASKS[name], folder() / f"{name}.csv")
        best = [comparison.chosen for comparison in found.values()]
        score = float(np.mean([max(b.holdout_r_squared or -1.0, -1.0) for b in best]))
        error = float(np.mean([b.extrapolation_error.value for b in best]))
        trusted = all(comparison.trustworthy for comparison in found.values())
        seconds = time.perf_counter() - start
        row = f"{name:18} {score:7.4f} {TASKS[name].goal:6.3f}  {best[0].form:26} {best[0].sharing:8} {error:15.4f}"
        print(f"{row}  {'yes' if trusted else 'no':7} {seconds:8.0f}", flush=True)
        reached = reached and score >= TASKS[name].goal
    print("every goal reached" if reached else "a goal was missed")
    return 0 if reached else 1


if __name__ == "__main__":
    sys.exit(main())
