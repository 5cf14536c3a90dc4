"""Percentiles of latency: measured runs, monotone in the percentile, and what moves them."""

from __future__ import annotations

import numpy as np
import pytest

from planner.errors import InvalidInput
from planner.hardware.percentiles import PERCENTILES, percentile_factor
from planner.posynomial import variable

# MLPerf inference v4.1 and v5.1 server runs: mean TTFT and TPOT in ms, input and output tokens of the benchmark,
# p99 over mean of TTFT and of TPOT.
RUNS = [
    (295.41, 166.01, 294, 286, 1.64, 1.11),  # llama2-70b, 8 x H100
    (243.59, 123.84, 294, 286, 1.78, 1.07),  # llama2-70b, 8 x B200
    (986.30, 61.70, 9428, 654, 2.49, 1.25),  # llama3.1-405b interactive, 8 x B200
    (1597.38, 99.31, 9428, 654, 2.97, 1.35),  # llama3.1-405b, 8 x B200
    (679.81, 59.93, 816, 3705, 2.70, 1.06),  # deepseek-r1, 8 x B200
]


@pytest.mark.parametrize("run", RUNS)
def test_measured_tails_are_predicted_from_means_and_lengths(run: tuple[float, ...]) -> None:
    ttft, tpot, inputs, outputs, first, each = run
    assert percentile_factor("ttft", 99.0, steps_to_first_token=ttft / tpot) == pytest.approx(first, rel=0.25)
    assert percentile_factor("tpot", 99.0, input_per_output=inputs / outputs) == pytest.approx(each, rel=0.12)


@pytest.mark.parametrize("steps", [0.5, 2.0, 30.0])
@pytest.mark.parametrize("ratio", [0.1, 1.0, 20.0])
def test_percentiles_rise_with_the_percentile(steps: float, ratio: float) -> None:
    asked = (50, 75, 90, 95, 99, 99.5, 99.9)
    first = [percentile_factor("ttft", p, steps_to_first_token=steps) for p in asked]
    each = [percentile_factor("tpot", p, input_per_output=ratio) for p in asked]
    assert first == sorted(first)
    assert each == sorted(each)


def test_a_first_token_after_one_step_waits_at_most_for_that_step() -> None:
    # Uniform over one step: the 99th percentile lies 0.49 steps above the mean.
    assert percentile_factor("ttft", 99.0, steps_to_first_token=1.0) == pytest.approx(1.49)


def test_longer_prompts_make_longer_tails_of_output_tokens() -> None:
    short, long = (percentile_factor("tpot", 99.0, input_per_output=r) for r in (0.1, 10.0))
    assert 1.0 < short < long


def test_arrays_give_what_single_numbers_give() -> None:
    steps = np.array([0.7, 3.0, 12.0])
    together = percentile_factor("ttft", 97.0, steps_to_first_token=steps)
    np.testing.assert_allclose(together, [percentile_factor("ttft", 97.0, steps_to_first_token=s) for s in steps])


def test_without_what_explains_them_the_usual_factors_hold_for_programs_too() -> None:
    assert 1.5 < percentile_factor("ttft", 99.0) < 3.0
    assert 1.05 < percentile_factor("tpot", 99.0) < 1.3
    assert (variable("t") * percentile_factor("ttft", 99.0)).is_monomial


def test_percentiles_outside_the_measured_are_refused() -> None:
    with pytest.raises(InvalidInput):
        percentile_factor("ttft", PERCENTILES[-1] + 0.09)
    with pytest.raises(InvalidInput):
        percentile_factor("e2e", 99.0)
