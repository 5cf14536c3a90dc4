"""Price books: offers of your own, kept under a name that plans and estimates price with."""

from __future__ import annotations

import contextlib
import os
from typing import Any

from google.protobuf import empty_pb2

from apportion import answers, requests
from apportion.errors import NotFound
from apportion.flows.calls import READ_SECONDS, Flow, ask, pages_of
from apportion.reading import read
from apportion.tables import Table, file_text
from apportion.v1 import hardware_service_pb2, price_book_pb2


def create_price_book(name: str, offers: Any, *, exclusive: bool = False) -> Flow[answers.PriceBook]:
    """Keep offers under `name`: the path of a CSV or TOML file, or a table of any kind.

    Columns: accelerator, price_usd_per_hour, term, source, date; region, offer and note if you like. They replace the
    offers on record of the same accelerator and term, or (`exclusive`) all of them.
    Raises InvalidArgument, AlreadyExists.
    """
    request = hardware_service_pb2.CreatePriceBookRequest(price_book_id=name.removeprefix("priceBooks/"))
    request.price_book.content, request.price_book.exclusive = _content(offers), exclusive
    requests.stamp(request)
    return read(answers.PriceBook, (yield ask("Hardware", request, price_book_pb2.PriceBook, READ_SECONDS)))


def replace_price_book(name: str, offers: Any, *, exclusive: bool = False) -> Flow[answers.PriceBook]:
    """The same whether or not there is a book of that name; the offers are checked before the old book goes."""
    trial = hardware_service_pb2.CreatePriceBookRequest(
        price_book_id=name.removeprefix("priceBooks/"), validate_only=True
    )
    trial.price_book.content = _content(offers)
    yield ask("Hardware", trial, price_book_pb2.PriceBook, READ_SECONDS)
    with contextlib.suppress(NotFound):
        yield from delete_price_book(name)
    return (yield from create_price_book(name, offers, exclusive=exclusive))


def price_books() -> Flow[tuple[answers.PriceBook, ...]]:
    """All price books, newest first."""
    request = hardware_service_pb2.ListPriceBooksRequest()
    pages = yield from pages_of("Hardware", request, hardware_service_pb2.ListPriceBooksResponse)
    return tuple(read(answers.PriceBook, item) for page in pages for item in page.price_books)


def price_book(name: str) -> Flow[answers.PriceBook]:
    """One price book. Raises NotFound with suggestions."""
    request = hardware_service_pb2.GetPriceBookRequest(name=requests.resource("priceBooks", name))
    return read(answers.PriceBook, (yield ask("Hardware", request, price_book_pb2.PriceBook, READ_SECONDS)))


def delete_price_book(name: str) -> Flow[None]:
    """Forget a price book. Raises NotFound with suggestions."""
    request = hardware_service_pb2.DeletePriceBookRequest(name=requests.resource("priceBooks", name))
    yield ask("Hardware", request, empty_pb2.Empty, READ_SECONDS)


def _content(offers: Any) -> str:
    if isinstance(offers, str | os.PathLike):
        return file_text(offers, "offers")
    return Table.read(offers, "offers").to_csv()
