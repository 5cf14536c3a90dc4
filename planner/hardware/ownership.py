"""What an hour of one's own accelerator costs, part by part.

Capital: the purchase (the accelerator with its share of server and network) as an annuity over its life, capital
recovery factor r / (1 - (1 + r)^-n); maintenance: a share of the purchase a year; electricity: what the node draws,
working and waiting, times PUE and tariff. All of it per hour in which the accelerator works, because hours in which it
waits are paid too. Defaults of what an owner may not know: `ownership.toml`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from planner.errors import Violation, require
from planner.hardware.accelerators import Accelerator
from planner.hardware.energy import training_power_watts
from planner.hardware.prices import Price
from planner.hardware.tables import table

HOURS_PER_YEAR = 8760.0


@dataclass(frozen=True)
class OwnedHour:
    """US dollars per working hour of one accelerator, and what it is made of."""

    accelerator: str
    capital_usd: float
    maintenance_usd: float
    electricity_usd: float
    note: str

    @property
    def price_usd_per_hour(self) -> float:
        """The sum of the parts."""
        return self.capital_usd + self.maintenance_usd + self.electricity_usd

    def price(self) -> Price:
        """As an offer that plans take: its parts are in the note, its source is the caller."""
        parts = (
            f"capital {self.capital_usd:.3f}, maintenance {self.maintenance_usd:.3f}, "
            f"electricity {self.electricity_usd:.3f} $/h; {self.note}"
        )
        return Price(self.accelerator, self.price_usd_per_hour, "owned", "", "own accelerators", "caller", "", parts)


def capital_recovery_factor(discount_rate: float, life_years: float) -> float:
    """Yearly payment that repays 1 over the life: r / (1 - (1 + r)^-n), 1 / n without interest."""
    if discount_rate == 0:
        return 1.0 / life_years
    return discount_rate / -math.expm1(-life_years * math.log1p(discount_rate))


def owned_hour(
    chip: Accelerator,
    capex_usd: float,
    *,
    life_years: float | None = None,
    discount_rate: float | None = None,
    utilisation: float | None = None,
    tariff_usd_per_kwh: float | None = None,
    pue: float | None = None,
    maintenance_share_per_year: float | None = None,
    node_watts: float | None = None,
    idle_power_share: float | None = None,
) -> OwnedHour:
    """Price of an owned accelerator per hour in which it works.

    Args:
        chip: whose power is drawn if `node_watts` is not given.
        capex_usd: purchase of one accelerator with its share of server, network and installation.
        life_years: over which it is written off.
        discount_rate: interest a year, 0 for none.
        utilisation: share of hours in which it works.
        tariff_usd_per_kwh: of electricity.
        pue: site energy over node energy.
        maintenance_share_per_year: of the purchase.
        node_watts: of one accelerator at work with its share of the node (default: TDP x training share x node
            overhead).
        idle_power_share: what it draws while it waits, over that.

    Raises:
        InvalidInput: a number outside its range; all of them are named.
    """
    facts = table("ownership")

    def fact(name: str, given: float | None) -> float:
        return float(facts[name]) if given is None else float(given)

    life, rate = fact("life_years", life_years), fact("discount_rate", discount_rate)
    used, tariff = fact("utilisation", utilisation), fact("tariff_usd_per_kwh", tariff_usd_per_kwh)
    site, upkeep = fact("pue", pue), fact("maintenance_share_per_year", maintenance_share_per_year)
    idle = fact("idle_power_share", idle_power_share)
    watts = float(training_power_watts(chip.tdp_watts, pue=1.0)) if node_watts is None else node_watts
    checks = {
        "capex_usd": (capex_usd, capex_usd > 0, "positive"),
        "life_years": (life, life > 0, "positive"),
        "discount_rate": (rate, 0 <= rate < 1, "at least 0, below 1"),
        "utilisation": (used, 0 < used <= 1, "above 0, at most 1"),
        "tariff_usd_per_kwh": (tariff, tariff >= 0, "at least 0"),
        "pue": (site, site >= 1, "at least 1"),
        "maintenance_share_per_year": (upkeep, upkeep >= 0, "at least 0"),
        "node_watts": (watts, watts > 0, "positive (the accelerator's power is not on record)"),
        "idle_power_share": (idle, 0 <= idle <= 1, "between 0 and 1"),
    }
    require(*(Violation(n, f"{value:g}", allowed) for n, (value, good, allowed) in checks.items() if not good))
    working_hours = HOURS_PER_YEAR * used
    kilowatts = watts * 1e-3 * (used + (1.0 - used) * idle) / used
    return OwnedHour(
        accelerator=chip.name,
        capital_usd=capex_usd * capital_recovery_factor(rate, life) / working_hours,
        maintenance_usd=capex_usd * upkeep / working_hours,
        electricity_usd=kilowatts * site * tariff,
        note=f"{capex_usd:g} $ over {life:g} years at {rate:.1%}, used {used:.0%}, {tariff:g} $/kWh, PUE {site:g}",
    )
