"""Search over real cells against solving every one of them: time, solves, and whether the answers agree.

Cells: every priced accelerator × format × parallel layout × expert count of the Ludziejewski law. Requests are random:
the least loss within money and time, or the least money for a loss within a time. Run with the number of requests
(default 20).
"""

from __future__ import annotations

import sys
import time

import numpy as np

from planner.allocation.cells import Product, training_layouts
from planner.allocation.choices import HardwareChoice
from planner.allocation.lossmodel import loss_model
from planner.allocation.model import training_model
from planner.allocation.search import search, solve
from planner.laws import law


def requests(count: int) -> list[tuple[str, dict[str, float]]]:
    """Random questions; about half ask for a loss, and some of these cannot be met."""
    generator = np.random.default_rng(0)
    found: list[tuple[str, dict[str, float]]] = []
    for index in range(count):
        hours = float(generator.uniform(100, 4000))
        if index % 2:
            found.append(("training_usd", {"loss": float(generator.uniform(1.6, 2.6)), "training_hours": hours}))
        else:
            money = float(10 ** generator.uniform(3, 8))
            found.append(("loss", {"training_usd": money, "training_hours": hours}))
    return found


def main(count: int) -> None:
    loss = loss_model(law("ludziejewski-2025"), None, ())
    product = Product(loss.expert_counts, training_layouts(HardwareChoice()))
    model = training_model(loss, product, max_accelerator_count=16384)
    print(f"{product.cells} cells: {product.shape[0]} expert counts x {product.shape[1]} layouts")
    print(f"{'request':<58}{'solves':>7}{'search s':>10}{'every cell s':>14}{'difference (log)':>18}")
    worst, searched, enumerated, solves = 0.0, 0.0, 0.0, []
    search(model.program("loss", {"training_usd": 1e6, "training_hours": 1000.0}))
    search(model.program("training_usd", {"loss": 2.2, "training_hours": 1000.0}))
    for objective, limits in requests(count):
        started = time.process_time()
        program = model.program(objective, limits)
        result = search(program)
        middle = time.process_time()
        every = [s.value for c in range(program.cells) if (s := solve(program, c)) is not None and s.violation <= 1e-8]
        ended = time.process_time()
        if result.best and every:
            difference = abs(result.best[0].value - min(every))
        else:
            difference = 0.0 if bool(result.best) == bool(every) else np.inf
        worst, solves = max(worst, difference), [*solves, result.solve_count]
        searched, enumerated = searched + middle - started, enumerated + ended - middle
        text = f"min {objective} s.t. " + ", ".join(f"{k} <= {v:.3g}" for k, v in limits.items())
        text += "" if result.best else " (infeasible)"
        print(
            f"{text:<58}{result.solve_count:>7}{middle - started:>10.3f}{ended - middle:>14.1f}{difference:>18.1e}",
            flush=True,
        )
    print(f"search {searched / count:.3f} s a request, every cell {enumerated / count:.1f} s (CPU)")
    print(f"ratio {enumerated / searched:.0f}")
    print(f"solves {np.median(solves):.0f} median, {max(solves)} most; largest difference {worst:.1e} in log")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 20)
