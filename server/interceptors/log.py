"""One line of log per call, at its end; slow calls and the server's own faults stand out by their level."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import grpc
import structlog

from server.interceptors import call
from server.interceptors.around import Around, Context, Proceed
from server.interceptors.code import code_of

_QUIET = ("/grpc.health.",)
_FAULTS = {grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN, grpc.StatusCode.DATA_LOSS}


class CallLog(Around):
    """Health checks are logged at debug only."""

    def __init__(self, slow_call_seconds: float) -> None:
        self._slow = slow_call_seconds
        self._log = structlog.stdlib.get_logger("server.calls")

    async def call(self, method: str, request: Any, context: Context, proceed: Proceed) -> Any:
        start = time.perf_counter()
        code = grpc.StatusCode.OK
        try:
            return await proceed(request, context)
        except asyncio.CancelledError:
            code = grpc.StatusCode.CANCELLED
            raise
        except BaseException:
            code = code_of(context)
            raise
        finally:
            self._write(method, code, time.perf_counter() - start)

    def _write(self, method: str, code: grpc.StatusCode, seconds: float) -> None:
        this = call.current()
        if code in _FAULTS:
            write = self._log.error
        elif seconds > self._slow:
            write = self._log.warning
        else:
            write = self._log.debug if method.startswith(_QUIET) else self._log.info
        write(
            "call",
            method=method,
            code=code.name,
            seconds=round(seconds, 6),
            request_id=this.request_id,
            caller=this.caller,
            **this.notes,
        )
