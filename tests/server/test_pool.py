"""Worker processes: killed at deadlines, replaced when they die, never more work than they can take."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest

from apportion.v1 import law_pb2, laws_service_pb2, plan_pb2, planning_service_pb2
from server.errors import OutOfTime, Overloaded, WorkerLost
from server.execution.pool import WorkerPool
from server.execution.worker import Job
from server.settings import ExecutionSettings
from server.telemetry.metrics import Metrics


@pytest.fixture
async def pool() -> AsyncIterator[WorkerPool]:
    settings = ExecutionSettings(workers=1, queue_per_worker=3, kill_grace_seconds=0.1)
    pool = WorkerPool(settings, Metrics(), "warning")
    pool.start()
    await pool.ready()
    yield pool
    await pool.close()


def plan_job(training_flops: float) -> Job:
    request = planning_service_pb2.PlanTrainingRequest(training_flops=training_flops)
    return Job("PlanTraining", request.SerializeToString())


@pytest.fixture
def long_job(runs: Any) -> Job:
    """A fit with so many draws that it runs for a minute."""
    request = laws_service_pb2.FitLawRequest(
        run_set="runSets/r", form="chinchilla", law_id="long", bootstrap_draw_count=100_000
    )
    return Job("FitLaw", request.SerializeToString(), {"runSets/r": runs.SerializeToString()})


def restarts(pool: WorkerPool, cause: str) -> float:
    value = pool.metrics.registry.get_sample_value("apportion_worker_restarts_total", {"cause": cause})
    return value or 0.0


async def test_a_deadline_frees_the_caller_at_once_and_the_worker_soon(pool: WorkerPool, long_job: Job) -> None:
    start = time.monotonic()
    with pytest.raises(OutOfTime):
        await pool.run(long_job, 0.5)
    assert time.monotonic() - start < 0.6
    answer = await pool.run(plan_job(1e22), 30)
    assert plan_pb2.Plan.FromString(answer.parts[0]).outcome == plan_pb2.Plan.OPTIMAL
    assert restarts(pool, "deadline") == 1


async def test_a_cancelled_caller_frees_the_worker_too(pool: WorkerPool, long_job: Job) -> None:
    call = asyncio.create_task(pool.run(long_job, 60))
    await asyncio.sleep(0.3)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert (await pool.run(plan_job(1e22), 30)).parts


async def test_a_job_that_is_nearly_done_at_its_deadline_costs_no_worker(pool: WorkerPool) -> None:
    await pool.run(plan_job(1e22), 30)
    with pytest.raises(OutOfTime):
        await pool.run(plan_job(2e22), 0.0005)
    assert (await pool.run(plan_job(3e22), 30)).parts
    assert restarts(pool, "deadline") == 0


async def test_losing_a_worker_fails_its_job_alone(pool: WorkerPool, long_job: Job) -> None:
    call = asyncio.create_task(pool.run(long_job, 60))
    await asyncio.sleep(0.3)
    os.kill(pool.process_ids()[0], signal.SIGKILL)
    with pytest.raises(WorkerLost):
        await call
    assert (await pool.run(plan_job(1e22), 30)).parts
    assert restarts(pool, "lost") == 1


async def test_losing_an_idle_worker_fails_no_job(pool: WorkerPool) -> None:
    os.kill(pool.process_ids()[0], signal.SIGKILL)
    await asyncio.sleep(0.2)
    assert (await pool.run(plan_job(1e22), 30)).parts


async def test_more_than_the_queue_holds_is_refused_at_once(pool: WorkerPool, long_job: Job) -> None:
    calls = [asyncio.create_task(pool.run(long_job, 60)) for _ in range(3)]
    await asyncio.sleep(0)
    start = time.monotonic()
    with pytest.raises(Overloaded) as refusal:
        await pool.run(plan_job(1e22), 30)
    assert time.monotonic() - start < 0.02
    assert refusal.value.retry_after_seconds > 0
    for call in calls:
        call.cancel()
    await asyncio.gather(*calls, return_exceptions=True)
    assert (await pool.run(plan_job(1e22), 30)).parts


async def test_a_fault_in_a_job_is_masked(pool: WorkerPool) -> None:
    answer = await pool.run(Job("NoSuchJob", b""), 30)
    assert b"internal error (id " in answer.status
    assert b"KeyError" not in answer.status


async def test_a_fitted_law_plans_as_the_published_one_with_its_coefficients(pool: WorkerPool) -> None:
    from planner.laws import law
    from server.convert import laws as law_messages
    from server.execution.attachments import pack_law

    published = law("besiroglu-2024")
    message = law_messages.to_law(published)
    message.name = "laws/mine"
    packed = pack_law(message, law_messages.to_draws(published), law_messages.to_residuals(published))
    request = planning_service_pb2.PlanTrainingRequest(training_flops=1e22, law="mine")
    answer = await pool.run(Job("PlanTraining", request.SerializeToString(), {"laws/mine": packed}), 30)
    mine = plan_pb2.Plan.FromString(answer.parts[0])
    theirs = plan_pb2.Plan.FromString((await pool.run(plan_job(1e22), 30)).parts[0])
    assert mine.decision == theirs.decision
    assert mine.metrics["loss"].lower == pytest.approx(theirs.metrics["loss"].lower, rel=1e-3)
    assert isinstance(message, law_pb2.Law)
