"""`Client` and `AsyncClient`: the same methods, blocking or awaited, over the flows of `apportion.flows`.

    with Client() as client:                        async with AsyncClient("planner:50051") as client:
        plan = client.plan_training(...)                plan = await client.plan_training(...)

Without an endpoint (argument or APPORTION_ENDPOINT) a client starts a server of its own at the first call and
stops it on `close`. Both are safe to share between threads, or tasks; make one and keep it.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import os
import threading
from collections.abc import Awaitable, Callable
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

import grpc

from apportion import flows
from apportion.channel import Endpoint, read_error
from apportion.embedded import POLL_SECONDS, EmbeddedServer
from apportion.errors import Cancelled
from apportion.flows.calls import Call, Flow

P = ParamSpec("P")
T = TypeVar("T")
M = TypeVar("M", bound=Callable[..., Any])


def _named_after(flow: Callable[..., Any], method: M) -> M:
    """The flow's name, docstring and keywords, with `self` in front, for `help` and for editors."""
    functools.update_wrapper(method, flow)
    signature = inspect.signature(flow)
    first = inspect.Parameter("self", inspect.Parameter.POSITIONAL_ONLY)
    vars(method)["__signature__"] = signature.replace(parameters=[first, *signature.parameters.values()])
    return method


def _blocking(flow: Callable[P, Flow[T]]) -> Callable[Concatenate[Client, P], T]:
    def method(self: Client, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self._drive(flow(*args, **kwargs))

    return _named_after(flow, method)


def _awaited(flow: Callable[P, Flow[T]]) -> Callable[Concatenate[AsyncClient, P], Awaitable[T]]:
    async def method(self: AsyncClient, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await self._drive(flow(*args, **kwargs))

    return _named_after(flow, method)


class _Connection:
    """What both clients know: where the service is, or which server of their own they have."""

    def __init__(
        self,
        endpoint: str | None = None,
        *,
        token: str | None = None,
        tls: bool | None = None,
        root_certificates: str | None = None,
        store: str | os.PathLike[str] | None = None,
        workers: int = 1,
    ) -> None:
        """`endpoint`: host:port of a running service; `store`, `workers`: of the embedded one."""
        self._endpoint = Endpoint.named(endpoint, token, tls, root_certificates)
        self._store, self._workers = store, workers
        self._server: EmbeddedServer | None = None
        self._methods: dict[str, Any] = {}
        self._closed = False
        self._lock = threading.Lock()

    @property
    def embedded_server(self) -> EmbeddedServer | None:
        """The server this client started, once it has."""
        return self._server

    def _start_server(self) -> EmbeddedServer:
        if self._closed:
            raise Cancelled("the client is closed")
        self._server = self._server or EmbeddedServer(self._store, self._workers)
        return self._server

    def _method(self, channel: Any, call: Call) -> Any:
        if call.method not in self._methods:
            self._methods[call.method] = channel.unary_unary(
                call.method,
                request_serializer=type(call.request).SerializeToString,
                response_deserializer=call.answer.FromString,
            )
        return self._methods[call.method]


class Client(_Connection):
    """The blocking client; a context manager. Every call has a deadline."""

    _channel: grpc.Channel | None = None

    def connect(self) -> Self:
        """Open the channel now, the embedded server with it, rather than at the first call."""
        self._open()
        return self

    def close(self) -> None:
        """Close the channel and stop the embedded server, if there is one."""
        with self._lock:
            self._closed = True
            if self._channel is not None:
                self._channel.close()
            if self._server is not None:
                self._server.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _open(self) -> tuple[Endpoint, grpc.Channel]:
        with self._lock:
            if self._closed:
                raise Cancelled("the client is closed")
            if self._endpoint is None:
                server = self._start_server()
                server.wait()
                self._endpoint = Endpoint(server.endpoint)
            if self._channel is None:
                self._channel = self._endpoint.open()
            return self._endpoint, self._channel

    def _drive(self, flow: Flow[T]) -> T:
        try:
            call = next(flow)
            while True:
                try:
                    answer = self._send(call)
                except BaseException as error:
                    call = flow.throw(error)
                else:
                    call = flow.send(answer)
        except StopIteration as end:
            result: T = end.value
            return result

    def _send(self, call: Call) -> Any:
        endpoint, channel = self._open()
        try:
            return self._method(channel, call)(call.request, timeout=call.timeout_seconds, metadata=endpoint.metadata)
        except grpc.RpcError as error:
            raise read_error(error, endpoint.target) from None

    import_runs = _blocking(flows.runs.import_runs)
    run_sets = _blocking(flows.runs.run_sets)
    delete_run_set = _blocking(flows.runs.delete_run_set)
    fit = _blocking(flows.laws.fit)
    design_experiment = _blocking(flows.experiments.design_experiment)
    compare = _blocking(flows.comparing.compare)
    compare_targets = _blocking(flows.comparing.compare_targets)
    compare_approaches = _blocking(flows.comparing.compare_approaches)
    laws = _blocking(flows.laws.laws)
    law = _blocking(flows.laws.law)
    delete_law = _blocking(flows.laws.delete_law)
    predict = _blocking(flows.laws.predict)
    sensitivity = _blocking(flows.sensitivity.sensitivity)
    accelerators = _blocking(flows.hardware.accelerators)
    accelerator = _blocking(flows.hardware.accelerator)
    model_shapes = _blocking(flows.hardware.model_shapes)
    model_shape = _blocking(flows.hardware.model_shape)
    interconnects = _blocking(flows.networks.interconnects)
    interconnect = _blocking(flows.networks.interconnect)
    clusters = _blocking(flows.networks.clusters)
    cluster = _blocking(flows.networks.cluster)
    create_accelerator = _blocking(flows.hardware.create_accelerator)
    delete_accelerator = _blocking(flows.hardware.delete_accelerator)
    create_model_shape = _blocking(flows.hardware.create_model_shape)
    delete_model_shape = _blocking(flows.hardware.delete_model_shape)
    create_price_book = _blocking(flows.price_books.create_price_book)
    replace_price_book = _blocking(flows.price_books.replace_price_book)
    price_books = _blocking(flows.price_books.price_books)
    price_book = _blocking(flows.price_books.price_book)
    delete_price_book = _blocking(flows.price_books.delete_price_book)
    calibrate = _blocking(flows.calibrating.calibrate)
    calibrations = _blocking(flows.calibrating.calibrations)
    calibration = _blocking(flows.calibrating.calibration)
    delete_calibration = _blocking(flows.calibrating.delete_calibration)
    estimate_serving = _blocking(flows.hardware.estimate_serving)
    estimate_energy = _blocking(flows.hardware.estimate_energy)
    estimate_training = _blocking(flows.hardware.estimate_training)
    plan_training = _blocking(flows.planning.plan_training)
    plan_deployment = _blocking(flows.planning.plan_deployment)
    plan_lifecycle = _blocking(flows.planning.plan_lifecycle)
    front = _blocking(flows.planning.front)
    get_plan = _blocking(flows.planning.get_plan)
    list_plans = _blocking(flows.planning.list_plans)
    delete_plan = _blocking(flows.planning.delete_plan)
    explain_plan = _blocking(flows.planning.explain_plan)


class AsyncClient(_Connection):
    """The client for asyncio; an async context manager. Every call has a deadline."""

    _channel: grpc.aio.Channel | None = None

    async def connect(self) -> Self:
        """Open the channel now, the embedded server with it, rather than at the first call."""
        await self._open()
        return self

    async def close(self) -> None:
        """Close the channel and stop the embedded server, if there is one."""
        self._closed = True
        if self._channel is not None:
            await self._channel.close()
        if self._server is not None:
            await asyncio.to_thread(self._server.stop)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def _open(self) -> tuple[Endpoint, grpc.aio.Channel]:
        if self._closed:
            raise Cancelled("the client is closed")
        if self._endpoint is None:
            server = self._start_server()
            while not server.poll():
                await asyncio.sleep(POLL_SECONDS)
            self._endpoint = Endpoint(server.endpoint)
        if self._channel is None:
            self._channel = self._endpoint.open_async()
        return self._endpoint, self._channel

    async def _drive(self, flow: Flow[T]) -> T:
        try:
            call = next(flow)
            while True:
                try:
                    answer = await self._send(call)
                except BaseException as error:
                    call = flow.throw(error)
                else:
                    call = flow.send(answer)
        except StopIteration as end:
            result: T = end.value
            return result

    async def _send(self, call: Call) -> Any:
        endpoint, channel = await self._open()
        try:
            return await self._method(channel, call)(
                call.request, timeout=call.timeout_seconds, metadata=endpoint.metadata
            )
        except grpc.aio.AioRpcError as error:
            raise read_error(error, endpoint.target) from None

    import_runs = _awaited(flows.runs.import_runs)
    run_sets = _awaited(flows.runs.run_sets)
    delete_run_set = _awaited(flows.runs.delete_run_set)
    fit = _awaited(flows.laws.fit)
    design_experiment = _awaited(flows.experiments.design_experiment)
    compare = _awaited(flows.comparing.compare)
    compare_targets = _awaited(flows.comparing.compare_targets)
    compare_approaches = _awaited(flows.comparing.compare_approaches)
    laws = _awaited(flows.laws.laws)
    law = _awaited(flows.laws.law)
    delete_law = _awaited(flows.laws.delete_law)
    predict = _awaited(flows.laws.predict)
    sensitivity = _awaited(flows.sensitivity.sensitivity)
    accelerators = _awaited(flows.hardware.accelerators)
    accelerator = _awaited(flows.hardware.accelerator)
    model_shapes = _awaited(flows.hardware.model_shapes)
    model_shape = _awaited(flows.hardware.model_shape)
    interconnects = _awaited(flows.networks.interconnects)
    interconnect = _awaited(flows.networks.interconnect)
    clusters = _awaited(flows.networks.clusters)
    cluster = _awaited(flows.networks.cluster)
    create_accelerator = _awaited(flows.hardware.create_accelerator)
    delete_accelerator = _awaited(flows.hardware.delete_accelerator)
    create_model_shape = _awaited(flows.hardware.create_model_shape)
    delete_model_shape = _awaited(flows.hardware.delete_model_shape)
    create_price_book = _awaited(flows.price_books.create_price_book)
    replace_price_book = _awaited(flows.price_books.replace_price_book)
    price_books = _awaited(flows.price_books.price_books)
    price_book = _awaited(flows.price_books.price_book)
    delete_price_book = _awaited(flows.price_books.delete_price_book)
    calibrate = _awaited(flows.calibrating.calibrate)
    calibrations = _awaited(flows.calibrating.calibrations)
    calibration = _awaited(flows.calibrating.calibration)
    delete_calibration = _awaited(flows.calibrating.delete_calibration)
    estimate_serving = _awaited(flows.hardware.estimate_serving)
    estimate_energy = _awaited(flows.hardware.estimate_energy)
    estimate_training = _awaited(flows.hardware.estimate_training)
    plan_training = _awaited(flows.planning.plan_training)
    plan_deployment = _awaited(flows.planning.plan_deployment)
    plan_lifecycle = _awaited(flows.planning.plan_lifecycle)
    front = _awaited(flows.planning.front)
    get_plan = _awaited(flows.planning.get_plan)
    list_plans = _awaited(flows.planning.list_plans)
    delete_plan = _awaited(flows.planning.delete_plan)
    explain_plan = _awaited(flows.planning.explain_plan)
