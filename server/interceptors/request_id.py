"""Gives each call an id: the caller's `x-request-id`, or a random one; it is sent back and logged."""

from __future__ import annotations

import re
import secrets
from typing import Any

from server.interceptors import call
from server.interceptors.around import Around, Context, Proceed

KEY = "x-request-id"
_SAFE = re.compile(r"[A-Za-z0-9._:/+=-]{1,128}")


class RequestId(Around):
    """Outermost interceptor."""

    async def call(self, method: str, request: Any, context: Context, proceed: Proceed) -> Any:
        given = next((str(v) for k, v in context.invocation_metadata() or () if k == KEY), "")
        identity = given if _SAFE.fullmatch(given) else secrets.token_hex(8)
        call.begin(call.Call(identity, _caller(context)))
        context.set_trailing_metadata(((KEY, identity),))
        return await proceed(request, context)


def _caller(context: Context) -> str:
    """The name in the peer's certificate, or anonymous."""
    name = next(iter(context.auth_context().get("x509_common_name", ())), b"")
    return name.decode("utf-8", "replace")[:200] or "anonymous"
