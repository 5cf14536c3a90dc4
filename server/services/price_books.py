"""Price books: kept as they were given, read anew wherever they are used."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection

from apportion.v1 import hardware_service_pb2, price_book_pb2
from server import names
from server.convert.hardware import to_price_book
from server.pages import read_page
from server.services.once import Once
from server.services.own_hardware import add_entry, find_price_book, own_identity
from server.storage import resources
from server.storage.schema import price_books
from server.storage.store import Store


class PriceBooks:
    """The methods of the Hardware service that are about price books."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def create(self, request: hardware_service_pb2.CreatePriceBookRequest) -> price_book_pb2.PriceBook:
        """Check and store a price book, once per request id. Raises InvalidInput, AlreadyExists."""
        once = Once(self._store, "CreatePriceBook", request)
        if (earlier := await once.earlier()) is not None:
            return price_book_pb2.PriceBook.FromString(earlier)
        identity = own_identity("price_book_id", request.price_book_id)
        message = to_price_book(request.price_book, identity)
        if request.validate_only:
            return message

        def store(connection: Connection) -> Any:
            return add_entry(connection, price_books, names.PRICE_BOOKS, identity, message)

        answer, _ = await once.commit("create_price_book", store)
        return price_book_pb2.PriceBook.FromString(answer)

    async def get(self, name: str) -> price_book_pb2.PriceBook:
        """One price book. Raises UnknownName, InvalidInput."""
        return await self._store.read("get_price_book", find_price_book, name)

    async def page(
        self, request: hardware_service_pb2.ListPriceBooksRequest
    ) -> hardware_service_pb2.ListPriceBooksResponse:
        """One page, newest first."""
        page = read_page(request, "priceBooks")
        rows, token = await self._store.read("list_price_books", resources.newest, price_books, page, ("message",))
        found = [price_book_pb2.PriceBook.FromString(row.message) for row in rows]
        return hardware_service_pb2.ListPriceBooksResponse(price_books=found, next_page_token=token)
