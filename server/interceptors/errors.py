"""Turns what handlers raise into a status with details; what nobody planned for is masked.

Without the mask grpc sends the text of any exception to the caller, with whatever paths or secrets it holds.
"""

from __future__ import annotations

import asyncio
import secrets
from typing import Any

import grpc.aio
import structlog
from google.rpc import status_pb2
from grpc_status import rpc_status

from planner.errors import PlanningError
from server.convert import errors
from server.errors import ServiceError
from server.interceptors import call
from server.interceptors.around import Around, Context, Proceed


class StatusError(Exception):
    """An error that already is a status (a worker's answer)."""

    def __init__(self, status: status_pb2.Status) -> None:
        super().__init__(status.message)
        self.status = status


class Errors(Around):
    """Handlers raise; nobody else touches codes."""

    def __init__(self) -> None:
        self._log = structlog.stdlib.get_logger("server.errors")

    async def call(self, method: str, request: Any, context: Context, proceed: Proceed) -> Any:
        try:
            return await proceed(request, context)
        except (asyncio.CancelledError, grpc.aio.AbortError):
            raise
        except Exception as error:
            status = self._status(error, method)
        call.current().notes["reason"] = errors.reason(status)
        await context.abort_with_status(rpc_status.to_status(status))

    def _status(self, error: Exception, method: str) -> status_pb2.Status:
        if isinstance(error, StatusError):
            return error.status
        if isinstance(error, (PlanningError, ServiceError)):
            return errors.to_status(error)
        identity = secrets.token_hex(4)
        self._log.error("internal error", id=identity, method=method, exc_info=error)
        return errors.masked(identity)
