"""Serving engines: how much slower or faster than the mean engine of the calibration, and how they keep
the cache.

The factors are fitted (`calibration.toml`, sections `frameworks`, `batch_frameworks`) and multiply times;
an unnamed or unknown engine has factor 1. `narrow_cache` engines keep the KV cache in 8 bits when the
weights have 8 bits or fewer; `layer_split` engines spread layers, not tensors, over accelerators; a
`batch_exponent` above 0 says that times grow so with the batch on top of the model (an engine that decodes
sequences one after the other has nearly 1).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from planner.hardware.tables import calibration, key


@dataclass(frozen=True)
class Framework:
    """Multipliers of step times (`time_factor`), of the time to first token (`first_token_factor`) and of what prompts
    take from the decoding of others (`stall_factor`; schedulers that put prompts first make the first token wait)."""

    name: str = ""
    time_factor: float = 1.0
    first_token_factor: float = 1.0
    stall_factor: float = 1.0
    narrow_cache: bool = False
    layer_split: bool = False
    batch_exponent: float = 0.0


@cache
def framework(name: str = "", *, whole_batch: bool = False) -> Framework:
    """The engine of that name; the mean engine if the name is empty or not calibrated.

    `whole_batch`: as it was in the benchmarks of whole batches (2024), which have factors of their own.
    """
    section = calibration("batch_frameworks" if whole_batch else "frameworks")
    known = {key(n): n for n in section}
    if not name or key(name) not in known:
        return Framework()
    row = section[known[key(name)]]
    return Framework(
        known[key(name)],
        float(row["time_factor"]),
        float(row["first_token_factor"]),
        float(row.get("stall_factor", 1.0)),
        bool(row.get("narrow_cache", False)),
        bool(row.get("layer_split", False)),
        float(row.get("batch_exponent", 0.0)),
    )
