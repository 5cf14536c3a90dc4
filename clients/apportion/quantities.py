"""How a number is written for people: the unit follows from the suffix of its name.

`loss` 2.1432, `training_usd` $1.23 M, `tpot_seconds` 41.2 ms, `parameter_count` 13.66 B, `training_flops` 1.00e22.
"""

from __future__ import annotations

import math

_LARGE = ((1e15, "e15"), (1e12, " T"), (1e9, " B"), (1e6, " M"), (1e3, " k"))
_JOULES = ((1e15, " PJ"), (1e12, " TJ"), (1e9, " GJ"), (1e6, " MJ"), (1e3, " kJ"), (1.0, " J"), (1e-3, " mJ"))
_WATTS = ((1e9, " GW"), (1e6, " MW"), (1e3, " kW"), (1.0, " W"))
_BYTES = ((1e12, " TB"), (1e9, " GB"), (1e6, " MB"), (1e3, " kB"))
_SECONDS = ((86400.0, " d"), (3600.0, " h"), (60.0, " min"), (1.0, " s"), (1e-3, " ms"), (1e-6, " µs"))

TITLES = {
    "loss": "loss (nats per token)",
    "training_usd": "training cost (USD)",
    "serving_usd": "serving cost (USD)",
    "lifetime_usd": "lifetime cost (USD)",
    "usd_per_million_tokens": "price of a million output tokens (USD)",
    "tpot_seconds": "time per output token (s)",
    "ttft_seconds": "time to first token (s)",
    "joules_per_token": "energy per output token (J)",
    "training_hours": "training time (h)",
    "training_flops": "training compute (FLOP)",
    "training_energy_joules": "training energy (J)",
    "parameter_count": "parameters",
    "token_count": "training tokens",
}


def title(metric: str) -> str:
    """A metric's name for an axis."""
    return TITLES.get(metric, metric.replace("_", " "))


def shown(name: str, value: float | int | str | None) -> str:
    """`value` as a person writes a quantity of that `name`; a dash for nothing."""
    if value is None:
        return "–"
    if isinstance(value, str):
        return value
    if not math.isfinite(value):
        return str(value)
    if "usd" in name:
        return f"${_scaled(value, _LARGE)}"
    if name.endswith("_flops"):
        digits, power = f"{value:.3e}".split("e")
        return f"{digits.rstrip('0').rstrip('.')}e{int(power)}"
    if name.endswith("_seconds"):
        return _scaled(value, _SECONDS)
    if "joules" in name:
        return _scaled(value, _JOULES)
    if name.endswith("_bytes"):
        return _scaled(value, _BYTES)
    if name.endswith("_hours"):
        return f"{_scaled(value, _LARGE)} h"
    if name.endswith("_watts"):
        return _scaled(value, _WATTS)
    if name.endswith("loss"):
        return f"{value:.4f}"
    return _scaled(value, _LARGE)


def _scaled(value: float, scale: tuple[tuple[float, str], ...]) -> str:
    for size, unit in scale:
        if abs(value) >= size * 0.9995:
            return f"{_digits(value / size)}{unit}"
    return _digits(value)


def _digits(value: float) -> str:
    """Four significant digits, whole numbers without a point."""
    if value == int(value) and abs(value) < 1e6:
        return f"{int(value):,}"
    return f"{value:.4g}"
