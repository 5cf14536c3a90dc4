"""The metrics that a plan may limit or minimise, with the physical range that keeps nonsense out."""

from __future__ import annotations

from collections.abc import Mapping

from planner.errors import Range

PARAMETERS = Range(1e3, 1e18, "parameters")
TOKENS = Range(1e3, 1e22, "tokens")
FLOPS = Range(1e9, 1e33, "FLOP")
USD = Range(1e-2, 1e15, "USD")
HOURS = Range(1e-3, 1e9, "hours")
LOSS = Range(1e-3, 1e2, "nats per token")
SECONDS = Range(1e-6, 1e5, "seconds")

TRAINING_METRICS: Mapping[str, Range] = {
    "loss": LOSS,
    "training_flops": FLOPS,
    "training_usd": USD,
    "training_hours": HOURS,
    "accelerator_hours": Range(1e-3, 1e12, "accelerator-hours"),
    "training_energy_joules": Range(1.0, 1e18, "joules"),
    "training_kgco2e": Range(1e-6, 1e12, "kg CO2e"),
    "parameter_count": PARAMETERS,
    "token_count": TOKENS,
}
SERVING_METRICS: Mapping[str, Range] = {
    "tpot_seconds": SECONDS,
    "ttft_seconds": SECONDS,
    "usd_per_million_tokens": Range(1e-6, 1e6, "USD per million output tokens"),
    "joules_per_token": Range(1e-6, 1e6, "joules per output token"),
    "kgco2e_per_million_tokens": Range(1e-9, 1e6, "kg CO2e per million output tokens"),
    "serving_usd_per_hour": Range(1e-4, 1e9, "USD per hour"),
}
LIFECYCLE_METRICS: Mapping[str, Range] = {
    **TRAINING_METRICS,
    **SERVING_METRICS,
    "lifetime_flops": FLOPS,
    "serving_usd": USD,
    "lifetime_usd": USD,
    "serving_energy_joules": Range(1.0, 1e18, "joules"),
    "lifetime_energy_joules": Range(1.0, 1e18, "joules"),
    "serving_kgco2e": Range(1e-6, 1e12, "kg CO2e"),
    "lifetime_kgco2e": Range(1e-6, 1e12, "kg CO2e"),
}
