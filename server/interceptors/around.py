"""The seam of all interceptors: wrap a unary handler's behaviour in a coroutine.

Streaming methods (health's Watch, reflection) pass through untouched; they are the library's own.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, cast

import grpc
import grpc.aio

if TYPE_CHECKING:  # generic in its stubs, not at run time
    Context = grpc.aio.ServicerContext[Any, Any]
    Handler = grpc.RpcMethodHandler[Any, Any] | None
else:
    Context, Handler = grpc.aio.ServicerContext, Any
Proceed = Callable[[Any, Context], Awaitable[Any]]


class Around(grpc.aio.ServerInterceptor):
    """Base: subclasses write `call`, which may act before and after `proceed`."""

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Any]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Any:
        handler: Handler = await continuation(handler_call_details)
        method = str(handler_call_details.method)
        if handler is None or handler.unary_unary is None:
            return handler
        inner = cast(Proceed, handler.unary_unary)

        async def wrapped(request: Any, context: Context) -> Any:
            return await self.call(method, request, context, inner)

        return grpc.unary_unary_rpc_method_handler(
            wrapped,
            request_deserializer=handler.request_deserializer,
            response_serializer=handler.response_serializer,
        )

    @abstractmethod
    async def call(self, method: str, request: Any, context: Context, proceed: Proceed) -> Any:
        """Answer the call, by way of `await proceed(request, context)`."""
