"""Warm `PlanTraining` over loopback: one call after another, eight in flight, and the same without the service.

Every call asks for another budget, so no answer comes from the plan cache. Beside it, in this process: the planner
alone, and the bare geometric program built and solved afresh by cvxpy (a plan without compiled problems, or intervals).
"""

from __future__ import annotations

import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Iterator

import cvxpy as cp
import numpy as np

from apportion import AsyncClient, Client
from planner.allocation import TrainingProblem, plan_training
from planner.laws import law


def budgets() -> Iterator[float]:
    generator = np.random.default_rng(time.time_ns())
    while True:
        yield float(10 ** generator.uniform(18, 25))


def report(name: str, seconds: list[float]) -> None:
    p50, p95, p99 = (1e3 * float(np.quantile(seconds, q)) for q in (0.5, 0.95, 0.99))
    print(f"{name:<52} p50 {p50:7.2f} ms   p95 {p95:7.2f} ms   p99 {p99:7.2f} ms   ({len(seconds)} calls)", flush=True)


def timed(call: object, calls: int) -> list[float]:
    found = []
    for budget, _ in zip(budgets(), range(calls)):
        started = time.perf_counter()
        call(budget)  # type: ignore[operator]
        found.append(time.perf_counter() - started)
    return found


def fresh_cvxpy(budget: float) -> None:
    n, d = cp.Variable(pos=True), cp.Variable(pos=True)
    loss = law("besiroglu-2024").loss(parameter_count=n, token_count=d)
    cp.Problem(cp.Minimize(loss), [6 * n * d <= budget]).solve(gp=True)


async def in_flight(endpoint: str, width: int, seconds: float) -> float:
    """Requests per second with `width` calls always in flight."""
    done, source, ends = 0, budgets(), time.perf_counter() + seconds

    async def caller(client: AsyncClient) -> None:
        nonlocal done
        while time.perf_counter() < ends:
            await client.plan_training(law="besiroglu-2024", training_flops=next(source))
            done += 1

    async with AsyncClient(endpoint) as client:
        await asyncio.gather(*(caller(client) for _ in range(width)))
    return done / seconds


def main(calls: int) -> None:
    cores = os.cpu_count() or 2
    with tempfile.TemporaryDirectory() as folder, Client(store=f"{folder}/apportion.db", workers=cores) as client:
        timed(lambda b: client.plan_training(law="besiroglu-2024", training_flops=b), 20)
        report(
            "PlanTraining over loopback, FLOP budget",
            timed(lambda b: client.plan_training(law="besiroglu-2024", training_flops=b), calls),
        )
        report(
            "PlanTraining over loopback, FLOP budget on H100",
            timed(
                lambda b: client.plan_training(
                    law="besiroglu-2024", training_flops=min(b, 1e24), hardware={"accelerators": ["H100-SXM"]}
                ),
                max(calls // 5, 20),
            ),
        )
        assert client.embedded_server is not None
        rate = asyncio.run(in_flight(client.embedded_server.endpoint, 8, 10.0))
        print(f"{'PlanTraining over loopback, 8 in flight':<52} {rate:.0f} requests/s on {os.cpu_count()} cores")
    chosen = law("besiroglu-2024")
    timed(lambda b: plan_training(TrainingProblem(chosen, {"training_flops": b})), 5)
    report(
        "beside it: the planner alone",
        timed(lambda b: plan_training(TrainingProblem(chosen, {"training_flops": b})), 100),
    )
    report("beside it: cvxpy gp=True built afresh, no intervals", timed(fresh_cvxpy, 100))


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 500)
