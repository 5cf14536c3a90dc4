"""Goodput: Young's and Daly's closed forms, a simulation, and what large runs reported."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from planner.errors import InvalidInput, UnknownName
from planner.hardware.goodput import (
    Interruptions,
    best_interval_seconds,
    daly_interval_seconds,
    expected_inflation,
    goodput,
    interruptions,
    lost_share,
)
from planner.posynomial import Posynomial, variable

LLAMA = interruptions("llama-3-405b")


def test_one_interruption_in_three_hours_as_the_llama_3_report_says() -> None:
    assert LLAMA.seconds_between_failures(16384) / 3600 == pytest.approx(54 * 24 / 419, rel=0.01)  # 2407.21783
    assert interruptions("meta-rsc-1").seconds_between_failures(16384) / 3600 == pytest.approx(1.8, rel=0.01)


def test_more_than_nine_tenths_of_llama_3s_time_trained() -> None:
    fast = dataclasses.replace(LLAMA, checkpoint_seconds=10.0)  # theirs took seconds
    assert goodput(16384, fast) > 0.9  # 2407.21783: "higher than 90 % effective training time"
    assert goodput(16384, LLAMA) < goodput(1024, LLAMA) < 1.0


def test_the_best_interval_is_youngs_and_no_other_loses_less() -> None:
    best = best_interval_seconds(16384, LLAMA)
    assert best == pytest.approx(math.sqrt(2 * 60 * LLAMA.seconds_between_failures(16384)))
    least = lost_share(16384, LLAMA)
    assert lost_share(16384, LLAMA, best) == pytest.approx(least)
    assert all(lost_share(16384, LLAMA, best * factor) > least for factor in (0.5, 0.9, 1.1, 2.0))


@pytest.mark.parametrize("accelerators", [1e3, 1e4, 1e5])
def test_dalys_interval_is_the_best_under_the_exact_expectation(accelerators: float) -> None:
    grid = np.geomspace(20.0, 2e5, 20_000)
    exact = grid[np.argmin(expected_inflation(accelerators, LLAMA, grid))]
    own = daly_interval_seconds(accelerators, LLAMA)
    assert own == pytest.approx(exact, rel=0.02)
    assert expected_inflation(accelerators, LLAMA) <= 1.0001 * expected_inflation(accelerators, LLAMA, exact)


def test_first_order_and_exact_agree_where_failures_are_rare() -> None:
    assert 1.0 + lost_share(256, LLAMA) == pytest.approx(expected_inflation(256, LLAMA), rel=2e-3)
    assert expected_inflation(1e6, LLAMA) > 1.0 + lost_share(1e6, LLAMA)  # where they are not, redoing fails too


@pytest.mark.parametrize(("accelerators", "interval"), [(16384.0, None), (16384.0, 3600.0), (131072.0, 600.0)])
def test_a_simulated_run_takes_as_long_as_expected(accelerators: float, interval: float | None) -> None:
    tau = float(best_interval_seconds(accelerators, LLAMA)) if interval is None else interval
    simulated = simulated_inflation(accelerators, LLAMA, tau, segments=40_000)
    assert simulated == pytest.approx(float(expected_inflation(accelerators, LLAMA, tau)), rel=0.02)


def simulated_inflation(accelerators: float, cause: Interruptions, tau: float, segments: int) -> float:
    """Event by event: work and its checkpoint, failures at exponential times, restarts that may fail in turn."""
    generator = np.random.default_rng(0)
    between, clock = cause.seconds_between_failures(accelerators), 0.0
    for _ in range(segments):
        needed = tau + cause.checkpoint_seconds
        while (until_failure := generator.exponential(between)) < needed:
            clock += until_failure
            while (until_failure := generator.exponential(between)) < cause.restart_seconds:
                clock += until_failure
            clock += cause.restart_seconds
        clock += needed
    return clock / (segments * tau)


def test_loss_is_a_posynomial_of_count_and_interval() -> None:
    symbolic = lost_share(variable("g"), LLAMA, variable("tau"))
    assert isinstance(symbolic, Posynomial)
    assert symbolic.at({"g": 4096.0, "tau": 900.0}) == pytest.approx(lost_share(4096.0, LLAMA, 900.0))
    assert lost_share(variable("g"), LLAMA).at({"g": 4096.0}) == pytest.approx(lost_share(4096.0, LLAMA))


def test_spot_instances_are_interrupted_more_often() -> None:
    assert lost_share(512, interruptions(spot=True)) > 1.3 * lost_share(512, interruptions())


def test_bad_facts_are_refused_by_field() -> None:
    with pytest.raises(InvalidInput) as caught:
        Interruptions(-1.0, 60.0, 0.0)
    assert [v.field for v in caught.value.violations] == ["accelerator_hours_between_failures", "restart_seconds"]
    with pytest.raises(UnknownName):
        interruptions("llama-4")
