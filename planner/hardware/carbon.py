"""Emissions of a run or of a service: electricity where it is drawn, and a share of what making the hardware emitted.

grams = kWh x intensity of the grid + hours x embodied grams an hour: linear in energy and in hours, hence a posynomial
of whatever these are posynomials of. Energy is that of the site (boards, nodes around them, PUE). Embodied emissions
are spread over the hours that the hardware works in its life (Luccioni et al. 2022, 2211.02001, section 4.2). Facts:
`grid.toml`, `carbon.toml`.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

from planner.errors import UnknownName, Violation, require
from planner.hardware.accelerators import Accelerator
from planner.hardware.energy import JOULES_PER_KWH
from planner.hardware.tables import key, table

HOURS_PER_YEAR = 8760.0


@dataclass(frozen=True)
class Grid:
    """Electricity of one zone: grams of CO2-equivalent a kWh, which zone and year, and who says so."""

    zone: str
    grams_co2e_per_kwh: float
    note: str
    source: str


@cache
def grid(zone: str = "") -> Grid:
    """The electricity of a country (`FR` or `FRA`), or of a cloud region (`gcp/europe-west9`); else of the world.

    Raises:
        UnknownName: no such zone; the nearest are in the message.
    """
    facts = table("grid")
    codes = {row["alpha2"]: name for name, row in facts["zone"].items() if "alpha2" in row}
    known = {key(code): name for code, name in (codes | {name: name for name in facts["zone"]}).items()}
    name = known.get(key(zone or facts["default"]))
    if name is None:
        raise UnknownName("grid_zone", zone, [*facts["zone"], *codes])
    row = facts["zone"][name]
    return Grid(name, float(row["grams_co2e_per_kwh"]), row["note"], row["source"])


def grid_zones() -> tuple[str, ...]:
    """All zones, the default first."""
    return tuple(table("grid")["zone"])


@dataclass(frozen=True)
class Embodied:
    """What making one accelerator emitted (its share of the server included), and over what it is spread.

    kgco2e: from cradle to gate; life_years: until it is replaced; utilisation: share of its life in which it works.

    Raises:
        InvalidInput: a number that is not positive, or a utilisation above 1.
    """

    kgco2e: float
    life_years: float
    utilisation: float

    def __post_init__(self) -> None:
        bad = [Violation(n, f"{v:g}", "positive") for n, v in vars(self).items() if not v > 0]
        if self.utilisation > 1:
            bad.append(Violation("utilisation", f"{self.utilisation:g}", "at most 1"))
        require(*bad)

    @property
    def grams_per_hour(self) -> float:
        """Grams of CO2e for every hour in which the accelerator works."""
        return self.kgco2e * 1e3 / (self.life_years * HOURS_PER_YEAR * self.utilisation)


def embodied(chip: Accelerator) -> Embodied:
    """As other cards of as much memory, with the share of a server (`carbon.toml`)."""
    facts = table("carbon")
    card = facts["accelerator_kgco2e"] + facts["accelerator_kgco2e_per_gigabyte"] * chip.memory_bytes * 1e-9
    server = facts["server_kgco2e"] / facts["accelerators_per_server"]
    return Embodied(card + server, facts["life_years"], facts["utilisation"])


def carbon_grams(
    site_joules: Any, accelerator_hours: Any, grams_co2e_per_kwh: Any, embodied_grams_per_hour: Any
) -> Any:
    """Grams of CO2e of so much site energy and so many accelerator-hours: a posynomial if these are."""
    return site_joules * (1.0 / JOULES_PER_KWH) * grams_co2e_per_kwh + accelerator_hours * embodied_grams_per_hour
