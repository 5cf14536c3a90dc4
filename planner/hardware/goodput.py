"""Goodput: the share of a run's time that trains, given failures, checkpoints and restarts.

Failures of independent accelerators come as a Poisson process whose mean time between two, M, falls with their count.
Work is saved every tau seconds at a stall of delta; a failure costs the work since then, and R seconds until work goes
on. To first order time grows by the share delta / tau + (tau / 2 + R) / M, which is a posynomial of tau and of the
accelerator count and least at tau = sqrt(2 delta M) (Young 1974); exactly it is an exponential (Daly 2006, eq. 13),
which matters where M is not much longer than tau. Spot instances are taken away on top of failing. Measured rates:
`goodput.toml`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from planner.errors import UnknownName, Violation, require
from planner.hardware.tables import table


@dataclass(frozen=True)
class Interruptions:
    """What interrupts a run and what it costs; numbers may be arrays over runs.

    accelerator_hours_between_failures: accelerators x hours per unexpected interruption (infinite: never);
    checkpoint_seconds: stall of one checkpoint; restart_seconds: from a failure until work goes on (detection,
    replacement, loading).

    Raises:
        InvalidInput: rates or times that are not positive.
    """

    accelerator_hours_between_failures: Any
    checkpoint_seconds: Any
    restart_seconds: Any

    def __post_init__(self) -> None:
        least = {n: float(np.min(np.asarray(v, dtype=float), initial=np.inf)) for n, v in vars(self).items()}
        require(*(Violation(name, f"{value:g}", "positive") for name, value in least.items() if not value > 0))

    def seconds_between_failures(self, accelerator_count: Any) -> Any:
        """Mean time M between interruptions of a job on that many accelerators: a monomial."""
        return self.accelerator_hours_between_failures * 3600.0 / accelerator_count


@cache
def interruptions(measured: str = "", *, spot: bool = False) -> Interruptions:
    """Interruptions as measured on a named cluster (default: Llama 3 405B), on spot instances if asked.

    Raises:
        UnknownName: no such measurement.
    """
    facts = table("goodput")
    name = measured or facts["default"]
    if name not in facts["measured"]:
        raise UnknownName("interruptions", name, facts["measured"])
    between = facts["measured"][name]["accelerator_hours_between_failures"]
    if spot:  # rates add up
        taken = facts["spot_interruptions_per_instance_hour"] / facts["accelerators_per_instance"]
        between = 1.0 / (1.0 / between + taken)
    return Interruptions(between, facts["checkpoint_seconds"], facts["detection_seconds"] + facts["restart_seconds"])


def best_interval_seconds(accelerator_count: Any, cause: Interruptions) -> Any:
    """The checkpoint interval that loses least to first order: sqrt(2 delta M), a monomial (Young 1974)."""
    return (2.0 * cause.checkpoint_seconds * cause.seconds_between_failures(accelerator_count)) ** 0.5


def lost_share(accelerator_count: Any, cause: Interruptions, interval_seconds: Any = None) -> Any:
    """Time lost over time spent training, to first order: a posynomial of accelerator count and interval.

    At the best interval (the default) delta / tau + tau / (2 M) = sqrt(2 delta / M).
    """
    failures = 1.0 / cause.seconds_between_failures(accelerator_count)
    if interval_seconds is None:
        saving_and_redoing = (2.0 * cause.checkpoint_seconds * failures) ** 0.5
    else:
        saving_and_redoing = cause.checkpoint_seconds / interval_seconds + 0.5 * interval_seconds * failures
    return saving_and_redoing + cause.restart_seconds * failures


def expected_inflation(accelerator_count: Any, cause: Interruptions, interval_seconds: Any = None) -> Any:
    """Expected wall-clock over time spent training, exactly (numbers only): M e^(R/M) (e^((tau+delta)/M) - 1) / tau.

    Daly 2006, eq. 13: Poisson failures, which can strike while a checkpoint is written or a restart goes on.
    """
    between = cause.seconds_between_failures(accelerator_count)
    tau = daly_interval_seconds(accelerator_count, cause) if interval_seconds is None else interval_seconds
    segment = np.expm1((tau + cause.checkpoint_seconds) / between)
    return between * np.exp(cause.restart_seconds / between) * segment / tau


def daly_interval_seconds(accelerator_count: Any, cause: Interruptions) -> Any:
    """The interval that loses least under `expected_inflation`, to third order (numbers only).

    sqrt(2 delta M) (1 + (1/3) sqrt(delta / 2M) + (1/9) delta / 2M) - delta; M where delta > 2 M (Daly 2006, eq. 37).
    """
    between = cause.seconds_between_failures(accelerator_count)
    ratio = cause.checkpoint_seconds / (2.0 * between)
    young = (2.0 * cause.checkpoint_seconds * between) ** 0.5
    interval = young * (1.0 + ratio**0.5 / 3.0 + ratio / 9.0) - cause.checkpoint_seconds
    return np.where(ratio < 1.0, interval, between)


def goodput(accelerator_count: Any, cause: Interruptions, interval_seconds: Any = None) -> Any:
    """Share of the wall-clock that trains (numbers only)."""
    return 1.0 / expected_inflation(accelerator_count, cause, interval_seconds)
