"""A certified front of three objectives: time, points, proofs, dominance; and a random search given the same time.

The random search draws cells and decisions uniformly (in logarithms, inside the box that the front spans), keeps what
meets the limits and filters what nothing dominates.
"""

from __future__ import annotations

import time

import numpy as np

from planner.allocation import FrontProblem, HardwareChoice, LifecycleProblem, Workload, compute_front
from planner.allocation.lifecycle import lifecycle_limits, lifecycle_model
from planner.laws import law

OBJECTIVES = ("loss", "lifetime_usd", "tpot_seconds")
CHIPS = HardwareChoice(("H100-SXM", "H200-SXM", "B200-SXM", "A100-SXM-80GB", "L40S"))
PROBLEM = LifecycleProblem(
    law("besiroglu-2024"),
    1e12,
    {"lifetime_usd": 3e6, "training_hours": 2160.0},
    workload=Workload(50.0, 1024, 512, max_tpot_seconds=0.1),
    training_hardware=CHIPS,
)


def dominated(values: np.ndarray, by: np.ndarray) -> np.ndarray:
    """Which rows of `values` some row of `by` beats or equals everywhere and beats somewhere."""
    better = np.all(by[None] <= values[:, None], axis=2) & np.any(by[None] < values[:, None], axis=2)
    return np.asarray(better.any(axis=1))


def random_search(points: list[dict[str, float]], seconds: float) -> tuple[np.ndarray, int]:
    """Undominated metrics that random plans reach in the time, and how many plans were tried."""
    model, limits = lifecycle_model(PROBLEM), lifecycle_limits(PROBLEM)
    generator, ends, tried = np.random.default_rng(0), time.process_time() + seconds, 0
    ranges = {name: (min(p[name] for p in points) / 2, max(p[name] for p in points) * 2) for name in points[0]}
    found: list[list[float]] = []
    while time.process_time() < ends:
        values = {n: float(np.exp(generator.uniform(*np.log(r)))) for n, r in ranges.items()}
        values["training_seconds"] = 1.0
        cell = int(generator.integers(model.product.cells))
        metrics = model.evaluate(cell, values)
        tried += 1
        values["training_seconds"] = metrics["training_hours"] * 3600.0
        structure = max(float(block.cell(cell).at(values)) for block in model.structure.values())
        if structure <= 1.0 + 1e-9 and all(metrics[name] <= limit for name, limit in limits.items()):
            found.append([metrics[name] for name in OBJECTIVES])
    kept = np.array(found).reshape(-1, len(OBJECTIVES))
    return kept[~dominated(kept, kept)] if len(kept) else kept, tried


def main() -> None:
    problem = FrontProblem(PROBLEM, OBJECTIVES, 40)
    for name in ("first", "warm"):
        started, cpu = time.perf_counter(), time.process_time()
        front = compute_front(problem)
        took = f"{time.perf_counter() - started:.2f} s wall, {time.process_time() - cpu:.2f} s CPU"
        effort = f"{front.search.cell_count} cells, {front.search.solve_count} solves"
        print(f"{name}: {len(front.points)} points, {took}, {effort}")
    seconds = time.process_time() - cpu
    values = np.array([[p.metrics[n].value for n in OBJECTIVES] for p in front.points])
    gaps = [p.certificate.relative_gap for p in front.points if p.certificate]
    print(f"dominated by another point: {int(dominated(values, values).sum())}")
    print(f"share of the box undecided: {front.hypervolume_gap:.3f}")
    print(f"certified gap: median {np.median(gaps):.1e}, largest {max(gaps):.1e}")
    decisions = [
        {
            "parameter_count": p.decision.parameter_count,
            "token_count": p.decision.token_count,
            "accelerator_count": p.decision.accelerator_count,
            "batch_size": p.decision.batch_size,
        }
        for p in front.points
    ]
    other, tried = random_search(decisions, seconds)
    print(f"random search in the same CPU time: {tried} plans tried, {len(other)} undominated")
    beaten, beating = int(dominated(other, values).sum()), int(dominated(values, other).sum())
    print(f"of its points beaten by ours: {beaten}; of ours beaten by it: {beating}")


if __name__ == "__main__":
    main()
