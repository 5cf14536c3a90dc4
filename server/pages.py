"""Pages of lists: sizes are coerced, tokens are opaque and bound to the query they came from."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from planner.errors import InvalidInput, Violation

DEFAULT_SIZE, MAX_SIZE = 50, 1000
_MAX_TOKEN = 1000
Item = TypeVar("Item")


class ListRequest(Protocol):
    """What every List request has."""

    page_size: int
    page_token: str


@dataclass(frozen=True)
class Page:
    """What is asked for: `size` entries of `query` after `cursor` (empty: from the start)."""

    query: str
    size: int
    cursor: str

    def token(self, cursor: str) -> str:
        """The token that continues after `cursor`."""
        content = json.dumps([_mark(self.query), cursor]).encode()
        return base64.urlsafe_b64encode(content).decode().rstrip("=")


def read_page(request: ListRequest, query: str) -> Page:
    """The page that a List request of `query` asks for. Raises InvalidInput."""
    if request.page_size < 0:
        raise InvalidInput(Violation("page_size", str(request.page_size), "0 or more"))
    size = min(request.page_size or DEFAULT_SIZE, MAX_SIZE)
    return Page(query, size, _cursor(request.page_token, query) if request.page_token else "")


def slice_page(page: Page, items: Sequence[Item], key: Callable[[Item], str]) -> tuple[Sequence[Item], str]:
    """One page of a catalogue held in memory, and the token of the next one."""
    start = 0
    if page.cursor:
        keys = [key(item) for item in items]
        start = keys.index(page.cursor) + 1 if page.cursor in keys else len(items)
    chosen = items[start : start + page.size]
    more = start + page.size < len(items)
    return chosen, page.token(key(chosen[-1])) if more else ""


def _mark(query: str) -> str:
    return hashlib.sha256(query.encode()).hexdigest()[:16]


def _cursor(token: str, query: str) -> str:
    try:
        if len(token) > _MAX_TOKEN:
            raise ValueError("too long")
        padded = token + "=" * (-len(token) % 4)
        mark, cursor = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (binascii.Error, ValueError, TypeError):
        mark, cursor = "", ""
    if mark != _mark(query) or not isinstance(cursor, str):
        raise InvalidInput(Violation("page_token", repr(token[:40]), "next_page_token of an earlier page of this list"))
    return cursor
