"""Draws docs/hardware.png: what the hardware models predict against what was measured, accelerator by accelerator.

    python benchmarks/hardware_figures.py [--data ../shared/data/hardware]

Every point is predicted with its accelerator left out of the fit (of whole batches: out of the factors of their
engines). The tables are not shipped: skipped where absent.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import sys
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
from hardware_peers import Question, batch_question, energy_question, serving_question
from matplotlib.axes import Axes

ROOT = Path(__file__).resolve().parents[1]
PICTURE = ROOT / "docs" / "hardware.png"
SHOWN = 3000  # points a panel, drawn at random where there are more
BAND = 1.5


def panel(axes: Axes, title: str, question: Question, quantity: str, label: str) -> None:
    """Predicted against measured, both logarithmic, one colour an accelerator, with a band of a factor."""
    measured, error = question.measured[quantity], question.errors[quantity, "accelerator"]
    names = np.array([row[label].removeprefix("Nvidia ").removesuffix(" GPU") for row in question.rows])
    chosen = np.random.default_rng(0).permutation(len(measured))[:SHOWN]
    for name in sorted(set(names)):
        here = chosen[names[chosen] == name]
        typical = 100 * float(np.median(np.abs(np.expm1(error[names == name]))))
        shown = f"{name}, {typical:.0f} %"
        axes.scatter(measured[here], measured[here] * np.exp(error[here]), s=6, alpha=0.5, linewidths=0, label=shown)
    ends = np.array([measured.min(), measured.max()])
    axes.plot(ends, ends, color="black", linewidth=0.8)
    axes.fill_between(ends, ends / BAND, ends * BAND, color="black", alpha=0.08, linewidth=0)
    axes.set(xscale="log", yscale="log", title=title, xlabel="measured", ylabel="predicted")
    axes.legend(fontsize=6, markerscale=2, loc="upper left", frameon=False)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    shared = Path(os.environ.get("APPORTION_SHARED", ROOT.parent / "shared"))
    parser.add_argument("--data", type=Path, default=shared / "data" / "hardware")
    data: Path = parser.parse_args().data
    if not data.is_dir():
        print(f"skipped: no measurements in {data.name}")
        sys.exit(0)
    with contextlib.redirect_stdout(io.StringIO()):
        serving, batch, energy = serving_question(data), batch_question(data), energy_question(data)
    figure, panels = plt.subplots(2, 2, figsize=(9.0, 8.0), layout="constrained")
    drawn: list[tuple[Any, ...]] = [
        ("time per output token, s (closed loops)", serving, "tpot_seconds", "system"),
        ("time to first token, s (closed loops)", serving, "ttft_seconds", "system"),
        ("whole batches, s", batch, "batch_seconds", "hardware"),
        ("board energy, J per output token", energy, "joules_per_token", "gpu"),
    ]
    for axes, arguments in zip(panels.flat, drawn, strict=True):
        panel(axes, *arguments)
    figure.suptitle("Predicted with the accelerator left out of the fit; median errors beside its name", fontsize=10)
    figure.savefig(PICTURE, dpi=110)
    print(f"{PICTURE.name}: {sum(len(q.rows) for q in (serving, batch, energy))} rows")


if __name__ == "__main__":
    main()
