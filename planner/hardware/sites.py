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
from planner.hardware.columns import Columns, Floats, first_of, numbers, text
from planner.hardware.prices import TERMS, Price, price
from planner.hardware.tables import calibration


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
    zones = [text(columns, "grid_zone")[i] for i in rows]
    terms = [text(columns, "price_term")[i] or "on-demand" for i in rows]
    regions = [text(columns, "region")[i] for i in rows]
    intensity = {zone: _intensity(zone) for zone in set(zones)}
    chips = {name: catalogue.accelerator(name) for name in set(accelerators)}
    offers = {offer: _offer(*offer, catalogue) for offer in set(zip(accelerators, terms, regions))}
    chosen = [offers[offer] for offer in zip(accelerators, terms, regions)]
    own = numbers(columns, "price_usd_per_hour")[rows]
    listed = np.array([np.nan if p is None else p.price_usd_per_hour for p in chosen])
    described = ["" if p is None else f"{p.offer} ({p.term}), {p.source}, {p.date}" for p in chosen]
    stated = numbers(columns, "grams_co2e_per_kwh")[rows]
    return Sites(
        grams_co2e_per_kwh=first_of(stated, np.array([intensity[z] for z in zones], dtype=np.float64)),
        pue=first_of(numbers(columns, "pue")[rows], np.full(len(rows), float(calibration("energy")["pue"]))),
        embodied_grams_per_hour=np.array([embodied(chips[n]).grams_per_hour for n in accelerators], dtype=np.float64),
        tdp_watts=np.array([chips[n].tdp_watts for n in accelerators], dtype=np.float64),
        price_usd_per_hour=np.where(own > 0, own, listed),
        price_source=np.where(own > 0, "given by the caller", np.array(described, dtype=object)).astype(object),
        spot=np.array([term == "spot" for term in terms], dtype=bool),
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
