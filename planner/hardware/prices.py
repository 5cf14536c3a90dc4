"""Prices per accelerator-hour: offers as listed on a day, and the one number a plan starts from.

The same H100 costs between 1.3 and 8.6 dollars an hour depending on seller and term, more than any model
error, so the offer, its source and its date are part of every answer and a caller's own price always wins.
Default rule: the median of the offers of that accelerator and term; of an even number, the cheaper of the
two in the middle, so that the price is one that somebody asks.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from planner.errors import InvalidInput, UnknownName, Violation
from planner.hardware.accelerators import accelerator
from planner.hardware.tables import table

TERMS = ("on-demand", "spot", "reserved", "owned")


@dataclass(frozen=True)
class Price:
    """One offer: US dollars for one accelerator for one hour."""

    accelerator: str
    price_usd_per_hour: float
    term: str
    region: str
    offer: str
    source: str
    date: str
    note: str = ""


@cache
def prices(accelerator_name: str = "", term: str = "") -> tuple[Price, ...]:
    """All offers, of one accelerator and one term if these are given, cheapest first."""
    wanted = _canonical(accelerator_name) if accelerator_name else ""
    found = (
        Price(
            r["accelerator"], r["price_usd_per_hour"], r["term"], r["region"], r["offer"], r["source"],
            str(r["date"]), r.get("note", ""),
        )
        for r in table("prices")["price"]
        if wanted in ("", r["accelerator"]) and term in ("", r["term"])
    )  # fmt: skip
    return tuple(sorted(found, key=lambda p: p.price_usd_per_hour))


def price(
    accelerator_name: str, term: str = "on-demand", *, region: str = "", price_usd_per_hour: float | None = None
) -> Price:
    """The price to plan with: the caller's own if given, else the median offer of that accelerator and term.

    Args:
        accelerator_name: name or alias.
        term: one of `TERMS`.
        region: only offers whose region starts so; empty means any.
        price_usd_per_hour: the caller's own price; overrides the table.

    Raises:
        UnknownName: no such accelerator.
        InvalidInput: unknown term, a price that is not positive, or no offer: the caller must give a price.
    """
    name = _canonical(accelerator_name)
    if price_usd_per_hour is not None:
        if not price_usd_per_hour > 0:
            raise InvalidInput(Violation("price_usd_per_hour", f"{price_usd_per_hour:g}", "a positive number"))
        return Price(name, price_usd_per_hour, term, region, "given by the caller", "caller", "")
    if term not in TERMS:
        raise InvalidInput(Violation("term", term, f"one of {', '.join(TERMS)}"))
    offers = [p for p in prices(name, term) if p.region.startswith(region)]
    if not offers:
        known = sorted({p.term for p in prices(name)}) or ["none"]
        raise InvalidInput(
            Violation(
                "price_usd_per_hour",
                "unset",
                f"needed: no {term} offer of {name} is listed (terms: {', '.join(known)})",
            )
        )
    return offers[(len(offers) - 1) // 2]


def _canonical(name: str) -> str:
    """The accelerator's own name; a card that only the price list knows keeps the list's name."""
    listed = {r["accelerator"].lower(): r["accelerator"] for r in table("prices")["price"]}
    try:
        return accelerator(name).name
    except UnknownName:
        if name.lower() in listed:
            return str(listed[name.lower()])
        raise
