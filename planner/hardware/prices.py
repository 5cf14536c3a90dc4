"""Prices per accelerator-hour: offers as listed on a day, and the one number a plan starts from.

The same H100 costs between 1.3 and 8.6 dollars an hour depending on seller and term, more than any model
error, so the offer, its source and its date are part of every answer and a caller's own price always wins; so does
a caller's own book of offers (`price_books.py`).
Default rule: the median of the offers of that accelerator and term; of an even number, the cheaper of the
two in the middle, so that the price is one that somebody asks.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

from planner.errors import InvalidInput, UnknownName, Violation, require
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


@dataclass(frozen=True)
class PriceBook:
    """Offers to choose from: the shipped table, or a caller's own."""

    offers: tuple[Price, ...]


@cache
def shipped_prices() -> PriceBook:
    """The book of `prices.toml`."""
    return PriceBook(
        tuple(
            Price(
                r["accelerator"], r["price_usd_per_hour"], r["term"], r["region"], r["offer"], r["source"],
                str(r["date"]), r.get("note", ""),
            )
            for r in table("prices")["price"]
        )
    )  # fmt: skip


def prices(accelerator_name: str = "", term: str = "", book: PriceBook | None = None) -> tuple[Price, ...]:
    """All offers, of one accelerator and one term if these are given, cheapest first.

    Raises:
        UnknownName: no such accelerator, neither in the catalogue nor in the book.
    """
    book = book or shipped_prices()
    wanted = _canonical(accelerator_name, book) if accelerator_name else ""
    found = (p for p in book.offers if wanted in ("", p.accelerator) and term in ("", p.term))
    return tuple(sorted(found, key=lambda p: p.price_usd_per_hour))


def price(
    accelerator_name: str,
    term: str = "on-demand",
    *,
    region: str = "",
    price_usd_per_hour: float | None = None,
    book: PriceBook | None = None,
) -> Price:
    """The price to plan with: the caller's own if given, else the median offer of that accelerator and term.

    Args:
        accelerator_name: name or alias.
        term: one of `TERMS`.
        region: only offers whose region starts so; empty means any.
        price_usd_per_hour: the caller's own price; overrides the table.
        book: offers instead of the shipped ones.

    Raises:
        UnknownName: no such accelerator.
        InvalidInput: unknown term, a price that is not positive, or no offer: the caller must give a price.
    """
    book = book or shipped_prices()
    name = _canonical(accelerator_name, book)
    if price_usd_per_hour is not None:
        if not price_usd_per_hour > 0:
            raise InvalidInput(Violation("price_usd_per_hour", f"{price_usd_per_hour:g}", "a positive number"))
        return Price(name, price_usd_per_hour, term, region, "given by the caller", "caller", "")
    if term not in TERMS:
        raise InvalidInput(Violation("term", term, f"one of {', '.join(TERMS)}"))
    offers = [p for p in prices(name, term, book) if p.region.startswith(region)]
    if not offers:
        known = sorted({p.term for p in prices(name, book=book)}) or ["none"]
        raise InvalidInput(
            Violation(
                "price_usd_per_hour",
                "unset",
                f"needed: no {term} offer of {name} is listed (terms: {', '.join(known)})",
            )
        )
    return offers[(len(offers) - 1) // 2]


def usd_per_used_hour(price_usd_per_hour: Any, utilisation: Any) -> Any:
    """What an hour of work costs where hours are paid whether they work or not: reserved and owned accelerators."""
    require(*([] if 0 < utilisation <= 1 else [Violation("utilisation", f"{utilisation:g}", "above 0, at most 1")]))
    return price_usd_per_hour / utilisation


def _canonical(name: str, book: PriceBook) -> str:
    """The accelerator's own name; a card that only the book knows keeps the book's name."""
    try:
        return accelerator(name).name
    except UnknownName:
        listed = {p.accelerator.lower(): p.accelerator for p in book.offers}
        if name.lower() in listed:
            return listed[name.lower()]
        raise
