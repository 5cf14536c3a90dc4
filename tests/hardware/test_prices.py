"""Own price books and owned accelerators: precedence, faults by row, and the arithmetic of annuities."""

from __future__ import annotations

import pytest

from planner.errors import InvalidInput
from planner.hardware import accelerator
from planner.hardware.ownership import capital_recovery_factor, owned_hour
from planner.hardware.price_books import price_book
from planner.hardware.prices import PriceBook, price, prices, shipped_prices, usd_per_used_hour

TOML = """
[[price]]
accelerator = "h100"
price_usd_per_hour = 1.95
term = "reserved"
source = "our contract"
date = 2026-10-01
"""
CSV = """accelerator,price_usd_per_hour,term,region,offer,source,date,note
H100-SXM,1.95,reserved,,,our contract,2026-10-01,
"""


@pytest.mark.parametrize(("text", "form"), [(TOML, "toml"), (CSV, "csv")])
def test_own_offers_replace_the_shipped_ones_of_their_accelerator_and_term(text: str, form: str) -> None:
    book = price_book(text, form)
    own = price("H100", "reserved", book=book)
    assert (own.price_usd_per_hour, own.source, own.date) == (1.95, "our contract", "2026-10-01")
    assert len(prices("H100", "reserved", book)) == 1
    assert prices("H100", "on-demand", book) == prices("H100", "on-demand")  # the rest stays as shipped
    assert price("H100", "reserved") in shipped_prices().offers


def test_a_book_can_stand_alone_and_name_cards_that_no_catalogue_knows() -> None:
    alone = price_book(TOML.replace("h100", "our own card"), over=PriceBook(()))
    assert price("Our Own Card", "reserved", book=alone).price_usd_per_hour == 1.95
    with pytest.raises(InvalidInput, match="no on-demand offer"):
        price("H100", book=alone)


def test_all_faults_of_a_book_are_named_by_row() -> None:
    bad = CSV + "A100,-1,forever,,,somebody,2026-10-01,\nB200,3,spot,,,,,\n"
    with pytest.raises(InvalidInput) as caught:
        price_book(bad, "csv")
    assert [v.field for v in caught.value.violations] == [
        "price[1].price_usd_per_hour",
        "price[1].term",
        "price[2].source",
        "price[2].date",
    ]
    for text, form in ((TOML, "yaml"), ("price = 3", "toml"), ("][", "toml"), (TOML + "colour = 1", "toml")):
        with pytest.raises(InvalidInput):
            price_book(text, form)


def test_hours_that_wait_are_paid_too() -> None:
    assert usd_per_used_hour(2.0, 0.5) == 4.0
    with pytest.raises(InvalidInput):
        usd_per_used_hour(2.0, 1.5)


def test_the_annuity_repays_the_purchase_with_interest() -> None:
    payment, owed = capital_recovery_factor(0.08, 4.0), 1.0
    for _ in range(4):
        owed = owed * 1.08 - payment
    assert owed == pytest.approx(0.0, abs=1e-12)
    assert capital_recovery_factor(0.0, 5.0) == 0.2


def test_an_owned_hour_is_capital_maintenance_and_electricity() -> None:
    hour = owned_hour(
        accelerator("H100"),
        35_040.0,
        life_years=4.0,
        discount_rate=0.0,
        utilisation=0.5,
        tariff_usd_per_kwh=0.1,
        pue=1.2,
        maintenance_share_per_year=0.05,
        node_watts=1000.0,
        idle_power_share=0.0,
    )
    assert hour.capital_usd == pytest.approx(2.0)  # 35,040 $ over 4 years of 4,380 working hours
    assert hour.maintenance_usd == pytest.approx(0.4)
    assert hour.electricity_usd == pytest.approx(0.12)
    assert hour.price_usd_per_hour == pytest.approx(2.52)
    offer = hour.price()
    assert (offer.term, offer.price_usd_per_hour) == ("owned", hour.price_usd_per_hour)
    assert "capital 2.000" in offer.note


def test_all_faults_of_an_owner_are_named_at_once() -> None:
    with pytest.raises(InvalidInput) as caught:
        owned_hour(accelerator("H100"), -1.0, utilisation=2.0, pue=0.9)
    assert [v.field for v in caught.value.violations] == ["capex_usd", "utilisation", "pue"]
