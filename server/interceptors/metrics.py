"""Counts calls and their codes and times them, under the names that gRPC dashboards use."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

import grpc

from server.interceptors.around import Around, Context, Proceed
from server.interceptors.code import code_of
from server.telemetry.metrics import Metrics


class CallMetrics(Around):
    """Methods that do not exist are counted as `unknown`, or callers could invent label values."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        handler = await super().intercept_service(continuation, handler_call_details)
        if handler is None:
            labels = ("unknown", "unknown", "unary")
            self._metrics.started.labels(*labels).inc()
            self._metrics.handled.labels(*labels, grpc.StatusCode.UNIMPLEMENTED.name).inc()
        return handler

    async def call(self, method: str, request: Any, context: Context, proceed: Proceed) -> Any:
        service, _, name = method.lstrip("/").partition("/")
        labels = (service, name, "unary")
        metrics = self._metrics
        metrics.started.labels(*labels).inc()
        metrics.in_flight.inc()
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
            metrics.in_flight.dec()
            metrics.handled.labels(*labels, code.name).inc()
            metrics.handling_seconds.labels(*labels).observe(time.perf_counter() - start)
