"""Where a row of a table runs: electricity, overheads and prices, from columns that may be blank.

`grid_zone` (a country or cloud region) or `grams_co2e_per_kwh`; `pue`; `price_usd_per_hour`, or `price_term` and
`region` for an offer of the price book. Blanks mean the world's electricity, the usual PUE and an on-demand offer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from planner.errors import PlanningError
from planner.hardware.carbon import embodied, grid
from planner.hardware.catalogue import Catalogue
from planner.hardware.columns import Columns, Floats, distinct_rows, first_of, numbers, text
from planner.hardware.prices import TERMS, Price, price
from planner.hardware.tables import calibration

_NAMES = ("grid_zone", "price_term", "region")


@dataclass(frozen=True)
class Sites:
    """Arrays over the chosen rows; NaN (and empty `price_source`) where nothing is known, such as an unknown zone.

    embodied_grams_per_hour, tdp_watts: of one accelerator; price_source: offer, source and date.
    """

    grams_co2e_per_kwh: Floats
    pue: Floats
    embodied_grams_per_hour: Floats
    tdp_watts: Floats
    price_usd_per_hour: Floats
    price_source: Any
    spot: Any


def sites(columns: Columns, rows: Any, accelerators: Any, catalogue: Catalogue) -> Sites:
    """The sites of those rows, whose accelerators have those names in the catalogue."""
    named = {n: [columns[n][i] for i in rows] for n in _NAMES if n in columns}
    first, kind = distinct_rows({"accelerator": list(accelerators), **named}, ("accelerator", *named))
    chips = [catalogue.accelerator(accelerators[i]) for i in first]
    kinds = {n: text({n: [named[n][i] for i in first]}, n) if n in named else [""] * len(first) for n in _NAMES}
    terms = [term or "on-demand" for term in kinds["price_term"]]
    offers = [_offer(*offer, catalogue) for offer in zip((chip.name for chip in chips), terms, kinds["region"])]

    def over_rows(values: list[Any], kind_of_value: Any = np.float64) -> Any:
        return np.array(values, dtype=kind_of_value)[kind]

    own, stated, pue = (numbers(columns, n)[rows] for n in ("price_usd_per_hour", "grams_co2e_per_kwh", "pue"))
    listed = over_rows([np.nan if p is None else p.price_usd_per_hour for p in offers])
    described = over_rows(["" if p is None else f"{p.offer} ({p.term}), {p.source}, {p.date}" for p in offers], object)
    return Sites(
        grams_co2e_per_kwh=first_of(stated, over_rows([_intensity(zone) for zone in kinds["grid_zone"]])),
        pue=first_of(pue, np.full(len(kind), float(calibration("energy")["pue"]))),
        embodied_grams_per_hour=over_rows([embodied(chip).grams_per_hour for chip in chips]),
        tdp_watts=over_rows([chip.tdp_watts for chip in chips]),
        price_usd_per_hour=np.where(own > 0, own, listed),
        price_source=np.where(own > 0, "given by the caller", described),
        spot=over_rows([term == "spot" for term in terms], bool),
    )


def _intensity(zone: str) -> float:
    try:
        return grid(zone).grams_co2e_per_kwh
    except PlanningError:
        return float("nan")


def _offer(name: str, term: str, region: str, catalogue: Catalogue) -> Price | None:
    try:
        return price(name, term if term in TERMS else "on-demand", region=region, book=catalogue.prices)
    except PlanningError:
        return None
