"""Refuses calls at once when too many are in flight; health is always answered."""

from __future__ import annotations

from typing import Any

from server.errors import Overloaded
from server.interceptors.around import Around, Context, Proceed
from server.telemetry.metrics import Metrics

_EXEMPT = ("/grpc.health.",)


class Admission(Around):
    """A bound on calls in flight; the bound on jobs stands in `execution.pool`."""

    def __init__(self, limit: int, metrics: Metrics) -> None:
        self._limit = limit
        self._metrics = metrics
        self._in_flight = 0

    async def call(self, method: str, request: Any, context: Context, proceed: Proceed) -> Any:
        if method.startswith(_EXEMPT):
            return await proceed(request, context)
        if self._in_flight >= self._limit:
            self._metrics.rejected.labels("calls").inc()
            raise Overloaded("calls in flight", self._limit, 0.5)
        self._in_flight += 1
        try:
            return await proceed(request, context)
        finally:
            self._in_flight -= 1
