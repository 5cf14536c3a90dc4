"""Every call has a deadline: the caller's, cut to what the server allows, or the server's own."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from server.errors import OutOfTime
from server.interceptors import call
from server.interceptors.around import Around, Context, Proceed


class Deadline(Around):
    """Sets the call's deadline and ends the handler there, a moment before the caller gives up."""

    def __init__(self, default_seconds: float, max_seconds: float) -> None:
        self._default, self._max = default_seconds, max_seconds

    async def call(self, method: str, request: Any, context: Context, proceed: Proceed) -> Any:
        given = context.time_remaining()
        seconds = min(self._default if given is None else given, self._max)
        call.current().deadline = time.monotonic() + seconds
        try:
            async with asyncio.timeout(seconds):
                return await proceed(request, context)
        except TimeoutError as error:
            raise OutOfTime(seconds) from error
