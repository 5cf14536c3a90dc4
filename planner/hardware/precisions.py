"""Number formats: bytes per weight, and which peak of an accelerator applies.

`fp8` and `fp4` need hardware that multiplies in them; `int4` and `mxfp4` are weight-only (the products are
16-bit), so they run anywhere. Facts and sources stand in `precisions.toml`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from planner.errors import UnknownName, UnsupportedCombination, Violation
from planner.hardware.accelerators import Accelerator
from planner.hardware.tables import key, table


@dataclass(frozen=True)
class Precision:
    """A number format; `fallback` is the format whose peak applies where the chip lacks `compute` (empty: none);
    `expanded`: weights are turned into the format of the products before each of them."""

    name: str
    weight_bytes: float
    compute: str
    fallback: str
    kv_bytes: float
    expanded: bool = False

    def available_on(self, chip: Accelerator) -> bool:
        """Whether the chip can run it at all."""
        return self.compute in chip.flops_per_second or self.fallback in chip.flops_per_second

    def peak_flops_per_second(self, chip: Accelerator) -> float:
        """Dense peak of the products in this precision.

        Raises:
            UnsupportedCombination: the chip lacks the format.
        """
        for name in (self.compute, self.fallback):
            if name in chip.flops_per_second:
                return chip.flops_per_second[name]
        have = ", ".join(p for p in precision_names() if precision(p).available_on(chip))
        raise UnsupportedCombination(
            Violation("precision", self.name, f"a format that {chip.name} multiplies in: {have}")
        )


@cache
def _catalogue() -> dict[str, Precision]:
    return {
        name: Precision(
            name, r["weight_bytes"], r["compute"], r.get("fallback", ""), r["kv_bytes"], r.get("expanded", False)
        )
        for name, r in table("precisions").items()
    }


@cache
def precision(name: str) -> Precision:
    """The precision of that name or alias (`UnknownName` otherwise)."""
    for canonical, row in table("precisions").items():
        if key(name) in {key(n) for n in (canonical, *row["aliases"])}:
            return _catalogue()[canonical]
    raise UnknownName("precision", name, _catalogue())


def precision_names() -> tuple[str, ...]:
    """All names, widest first."""
    return tuple(_catalogue())
