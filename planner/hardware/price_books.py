"""A caller's own offers: one table, TOML or CSV, with the fields of the shipped one.

    [[price]]                                   accelerator,price_usd_per_hour,term,region,offer,source,date,note
    accelerator = "H100"                        H100,1.95,reserved,eu,our contract,finance,2026-10-01,
    price_usd_per_hour = 1.95
    term = "reserved"
    source = "finance"
    date = 2026-10-01

Needed: accelerator, price_usd_per_hour, term, source, date. A price without a source and a day is not a fact, so both
are asked for. Own offers replace the shipped ones of the same accelerator and term, or all of them (`over`).
"""

from __future__ import annotations

import contextlib
import csv
import io
import math
import tomllib
from collections.abc import Mapping
from typing import Any

from planner.errors import InvalidInput, PlanningError, Violation, require
from planner.hardware.accelerators import accelerator
from planner.hardware.prices import TERMS, Price, PriceBook, shipped_prices

NEEDED = ("accelerator", "price_usd_per_hour", "term", "source", "date")
OPTIONAL = ("region", "offer", "note")
_KNOWN = (*NEEDED, *OPTIONAL, "accelerators_in_offer")  # the last says how an offer is sold; prices are for one


def price_book(text: str, form: str = "toml", *, over: PriceBook | None = None) -> PriceBook:
    """The book that a text in TOML or CSV describes, laid over another one.

    Args:
        text: the document.
        form: toml | csv.
        over: the book underneath (default: the shipped one); `PriceBook(())` to use own offers only.

    Raises:
        InvalidInput: not such a document, or rows that lack a field, ask no positive price or name no known term; all
            of them are named, by row.
    """
    own = tuple(_offer(row) for row in _checked(_rows(text, form)))
    replaced = {(p.accelerator, p.term) for p in own}
    kept = (over or shipped_prices()).offers
    return PriceBook((*own, *(p for p in kept if (p.accelerator, p.term) not in replaced)))


def _rows(text: str, form: str) -> list[Mapping[str, Any]]:
    if form == "csv":
        return list(csv.DictReader(io.StringIO(text)))
    if form != "toml":
        raise InvalidInput(Violation("form", form, "toml or csv"))
    try:
        rows = tomllib.loads(text).get("price")
    except tomllib.TOMLDecodeError as error:
        raise InvalidInput(Violation("price_book", "not TOML", str(error))) from error
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise InvalidInput(Violation("price_book", "no [[price]]", "one [[price]] table for every offer"))
    return rows


def _checked(rows: list[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    faults = []
    for i, row in enumerate(rows):
        known = {n: v for n, v in row.items() if v not in (None, "")}
        faults += [Violation(f"price[{i}].{n}", "unset", "needed") for n in NEEDED if n not in known]
        faults += [
            Violation(f"price[{i}].{n}", f"{row[n]}", f"not a field: {', '.join(_KNOWN)}")
            for n in row
            if n not in _KNOWN
        ]
        if not _number(row.get("price_usd_per_hour")) > 0:
            faults.append(Violation(f"price[{i}].price_usd_per_hour", f"{row.get('price_usd_per_hour')}", "positive"))
        if "term" in known and known["term"] not in TERMS:
            faults.append(Violation(f"price[{i}].term", f"{known['term']}", f"one of {', '.join(TERMS)}"))
    require(*faults)
    return rows


def _offer(row: Mapping[str, Any]) -> Price:
    """The catalogue's name of the accelerator; a card that it does not know keeps the caller's."""
    name = str(row["accelerator"])
    with contextlib.suppress(PlanningError):
        name = accelerator(name).name
    optional = {n: str(row.get(n) or "") for n in OPTIONAL}
    return Price(
        name, _number(row["price_usd_per_hour"]), str(row["term"]), optional["region"], optional["offer"],
        str(row["source"]), str(row["date"]), optional["note"],
    )  # fmt: skip


def _number(value: Any) -> float:
    try:
        found = float(value)
    except (TypeError, ValueError):
        return math.nan
    return found if math.isfinite(found) else math.nan
