"""What happens round every call, with handlers that misbehave."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import grpc
import grpc.aio
import pytest
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from server.interceptors import call
from server.interceptors.admission import Admission
from server.interceptors.deadline import Deadline
from server.interceptors.errors import Errors
from server.interceptors.log import CallLog
from server.interceptors.metrics import CallMetrics
from server.interceptors.request_id import RequestId
from server.telemetry.metrics import Metrics

SERVICE, METHOD = "test.Service", "Do"
Do = Callable[[Any], Any]


class Harness:
    """A grpc.aio server with one method whose behaviour the test sets."""

    def __init__(self) -> None:
        self.metrics = Metrics()
        self.behaviour: Do = lambda _: b"done"

    async def start(self) -> None:
        async def handle(request: bytes, context: Any) -> bytes:
            answer = self.behaviour(context)
            return bytes(await answer if asyncio.iscoroutine(answer) else answer)

        self.server = grpc.aio.server(
            interceptors=[
                RequestId(),
                CallMetrics(self.metrics),
                CallLog(1.0),
                Errors(),
                Admission(2, self.metrics),
                Deadline(0.3, 0.5),
            ]
        )
        handler = grpc.unary_unary_rpc_method_handler(handle)
        self.server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(SERVICE, {METHOD: handler}),))
        port = self.server.add_insecure_port("127.0.0.1:0")
        await self.server.start()
        self.channel = grpc.aio.insecure_channel(f"127.0.0.1:{port}")
        self.do = self.channel.unary_unary(f"/{SERVICE}/{METHOD}")

    def handled(self, code: str) -> float:
        labels = {"grpc_service": SERVICE, "grpc_method": METHOD, "grpc_type": "unary", "grpc_code": code}
        return self.metrics.registry.get_sample_value("grpc_server_handled_total", labels) or 0.0


@pytest.fixture
async def harness() -> AsyncIterator[Harness]:
    harness = Harness()
    await harness.start()
    yield harness
    await harness.channel.close()
    await harness.server.stop(0)


async def test_an_unplanned_error_is_masked_and_counted(harness: Harness) -> None:
    def fail(context: Any) -> bytes:
        raise RuntimeError("secret: password=hunter2")

    harness.behaviour = fail
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await harness.do(b"")
    assert caught.value.code() == grpc.StatusCode.INTERNAL
    assert "hunter2" not in str(caught.value.details())
    status = rpc_status.from_call(caught.value)
    info = error_details_pb2.ErrorInfo()
    assert status.details[0].Unpack(info)
    assert info.metadata["id"] in str(caught.value.details())
    assert harness.handled("INTERNAL") == 1


async def test_a_handler_without_end_is_ended_at_the_servers_own_deadline(harness: Harness) -> None:
    harness.behaviour = lambda _: asyncio.sleep(60)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await harness.do(b"")
    assert caught.value.code() == grpc.StatusCode.DEADLINE_EXCEEDED
    assert "0.3 s" in str(caught.value.details())
    assert harness.handled("DEADLINE_EXCEEDED") == 1


async def test_a_late_deadline_is_cut_to_what_the_server_allows(harness: Harness) -> None:
    async def remaining(context: Any) -> bytes:
        return str(call.current().remaining_seconds()).encode()

    harness.behaviour = remaining
    assert 0.4 < float(await harness.do(b"", timeout=100)) <= 0.5
    assert 0.2 < float(await harness.do(b"")) <= 0.3


async def test_a_call_that_is_cancelled_is_cancelled_in_the_handler(harness: Harness) -> None:
    seen = asyncio.Event()

    async def wait(context: Any) -> bytes:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            seen.set()
            raise
        return b""

    harness.behaviour = wait
    running = harness.do(b"", timeout=0.1)
    with pytest.raises(grpc.aio.AioRpcError):
        await running
    await asyncio.wait_for(seen.wait(), 2)


async def test_more_calls_than_allowed_are_refused_with_a_time_to_return(harness: Harness) -> None:
    release = asyncio.Event()

    async def hold(context: Any) -> bytes:
        await release.wait()
        return b"done"

    harness.behaviour = hold
    held = [asyncio.ensure_future(harness.do(b"")) for _ in range(2)]
    await asyncio.sleep(0.05)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await harness.do(b"")
    assert caught.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    retry = error_details_pb2.RetryInfo()
    assert any(detail.Unpack(retry) for detail in rpc_status.from_call(caught.value).details)
    assert retry.retry_delay.ToNanoseconds() > 0
    release.set()
    assert await asyncio.gather(*held) == [b"done", b"done"]
    assert await harness.do(b"") == b"done"


async def test_an_unsafe_request_id_is_replaced(harness: Harness) -> None:
    running = harness.do(b"", metadata=(("x-request-id", "a b c"),))
    await running
    given = dict(await running.trailing_metadata())["x-request-id"]
    assert given != "a b c"
    assert len(given) == 16
