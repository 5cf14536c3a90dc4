"""The server put together: store, workers, services, interceptors; started in order, stopped in reverse.

SERVING is reported only once a worker is warm and the store answers. On a stop health turns to NOT_SERVING first, calls
in flight get their time, operations are left for the next process to take over.
"""

from __future__ import annotations

import asyncio
import platform
from dataclasses import dataclass

import grpc
import grpc.aio
import structlog
from google.longrunning import operations_grpc_pb2
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection
from sqlalchemy.exc import DBAPIError

from apportion.v1 import (
    hardware_service_pb2_grpc,
    laws_service_pb2_grpc,
    planning_service_pb2_grpc,
    sensitivity_service_pb2_grpc,
)
from server import VERSION
from server.errors import CannotServe, StoreUnavailable
from server.execution.operations import OperationRunner, Work
from server.execution.plan_cache import PlanCache
from server.execution.pool import WorkerPool
from server.interceptors.admission import Admission
from server.interceptors.deadline import Deadline
from server.interceptors.errors import Errors
from server.interceptors.log import CallLog
from server.interceptors.metrics import CallMetrics
from server.interceptors.request_id import RequestId
from server.services.calibrations import Calibrations, CalibrationWork
from server.services.comparison import COMPARISONS, ComparisonWork
from server.services.experiments import DesignWork
from server.services.hardware import HardwareService
from server.services.laws import FitWork, LawsService
from server.services.library import Library
from server.services.operations import OperationsService
from server.services.own_hardware import OwnHardware
from server.services.planning import FrontWork, PlanningService
from server.services.sensitivity import SensitivityService
from server.settings import Settings, split_address
from server.storage import migrate
from server.storage.schema import HEAD
from server.storage.store import Store, answers
from server.telemetry.exposition import Exposition

SERVICES = (
    "apportion.v1.Laws",
    "apportion.v1.Hardware",
    "apportion.v1.Planning",
    "apportion.v1.Sensitivity",
    "google.longrunning.Operations",
)
_MAX_METADATA_BYTES = 16 << 10
_HEALTH_SECONDS = 5.0
_SERVING, _NOT_SERVING = health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING


@dataclass(frozen=True)
class Addresses:
    """Where the server really listens; `metrics_listen` is empty without metrics."""

    listen: str
    metrics_listen: str


class Application:
    """One server; `await start()`, then `await stop()`."""

    def __init__(self, settings: Settings, pool: WorkerPool) -> None:
        self.settings = settings
        self._pool = pool
        self.metrics = pool.metrics
        self.metrics.build_info.labels(VERSION, platform.python_version(), grpc.__version__).set(1)
        self._log = structlog.stdlib.get_logger("server")
        self._health = health.aio.HealthServicer()
        self._stopping = asyncio.Lock()
        self._stopped = False
        self._exposition: Exposition | None = None

    async def start(self) -> Addresses:
        """Raises SchemaMismatch, OSError, OutOfTime; then the workers are gone too."""
        metrics_listen = self.settings.listen.metrics_listen
        try:
            self._exposition = Exposition(metrics_listen, self.metrics) if metrics_listen else None
            self._store = self._open_store()
            self._runner, server = self._build()
            address = self._bind(server)
            await self._set_health(_NOT_SERVING)
            await server.start()
            await self._pool.ready()
        except BaseException:
            await self._pool.close()
            if self._exposition:
                self._exposition.close()
            raise
        self._server = server
        self._runner.start()
        await self._set_health(_SERVING)
        self._watch = asyncio.get_running_loop().create_task(self._watch_health())
        found = Addresses(address, self._exposition.address if self._exposition else "")
        self._log.info("serving", listen=found.listen, metrics=found.metrics_listen, version=VERSION)
        return found

    async def stop(self) -> None:
        """Stop gracefully; calls in flight get `drain_seconds`."""
        async with self._stopping:
            if self._stopped:
                return
            self._stopped = True
            self._log.info("stopping")
            self._watch.cancel()
            await self._health.enter_graceful_shutdown()
            await self._server.stop(self.settings.limits.drain_seconds)
            await self._runner.stop()
            closing = [self._pool.close(), asyncio.to_thread(self._store.close)]
            if self._exposition:
                closing.append(asyncio.to_thread(self._exposition.close))
            await asyncio.gather(*closing)
            self._log.info("stopped")

    def _open_store(self) -> Store:
        try:
            return self._migrated(Store(self.settings.store.url, self.metrics))
        except DBAPIError as error:
            raise CannotServe(f"the store {self.settings.store.masked} cannot be used: {error.orig}") from error

    def _migrated(self, store: Store) -> Store:
        if self.settings.store.is_sqlite:
            before = migrate.migrate(store.engine)
            if before != HEAD:
                found = f"schema {before}" if before else "empty"
                self._log.info("store migrated", store=self.settings.store.masked, found=found, now=HEAD)
        else:
            migrate.require_head(store.engine)
        return store

    def _build(self) -> tuple[OperationRunner, grpc.aio.Server]:
        limits, execution, metrics = self.settings.limits, self.settings.execution, self.metrics
        library, own = Library(self._store), OwnHardware(self._store)
        kinds: dict[str, Work] = {
            "FitLaw": FitWork(self._store),
            **{kind.name: ComparisonWork(self._store, kind) for kind in COMPARISONS},
            "DesignExperiment": DesignWork(library),
            "Calibrate": CalibrationWork(own),
            "ComputeFront": FrontWork(library, own, metrics),
        }
        runner = OperationRunner(self._store, self._pool, execution, metrics, kinds)
        server = grpc.aio.server(
            interceptors=[
                RequestId(),
                CallMetrics(metrics),
                CallLog(self.settings.log.slow_call_seconds),
                Errors(),
                Admission(limits.max_concurrent_calls, metrics),
                Deadline(limits.default_deadline_seconds, limits.max_deadline_seconds),
            ],
            options=[
                ("grpc.max_receive_message_length", limits.max_request_bytes),
                ("grpc.max_send_message_length", 4 * limits.max_request_bytes),
                ("grpc.max_metadata_size", _MAX_METADATA_BYTES),
                ("grpc.max_concurrent_streams", 100),
                ("grpc.so_reuseport", 0),
                ("grpc.keepalive_time_ms", 60_000),
                ("grpc.http2.min_recv_ping_interval_without_data_ms", 10_000),
            ],
        )
        laws = LawsService(self._store, self._pool, runner, library, metrics, limits.max_table_cells)
        planning = PlanningService(
            self._store, self._pool, runner, library, own, PlanCache(execution.plan_cache_entries), metrics
        )
        laws_service_pb2_grpc.add_LawsServicer_to_server(laws, server)
        planning_service_pb2_grpc.add_PlanningServicer_to_server(planning, server)
        calibrations = Calibrations(self._store, self._pool, runner, own)
        hardware = HardwareService(self._store, own, calibrations, limits.max_table_cells)
        hardware_service_pb2_grpc.add_HardwareServicer_to_server(hardware, server)
        sensitivity = SensitivityService(self._pool, limits.max_table_cells)
        sensitivity_service_pb2_grpc.add_SensitivityServicer_to_server(sensitivity, server)
        operations_grpc_pb2.add_OperationsServicer_to_server(OperationsService(self._store, runner), server)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, server)
        if self.settings.listen.reflection:
            reflection.enable_server_reflection((*SERVICES, health.SERVICE_NAME, reflection.SERVICE_NAME), server)
        return runner, server

    def _bind(self, server: grpc.aio.Server) -> str:
        address = self.settings.listen.listen
        try:
            port = server.add_insecure_port(address)
        except RuntimeError as error:
            raise OSError(f"cannot listen on {address}: {error}") from error
        if not port:
            raise OSError(f"cannot listen on {address}")
        host, _ = split_address(address)
        return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

    async def _watch_health(self) -> None:
        """Turn NOT_SERVING while the store does not answer, and back."""
        while True:
            await asyncio.sleep(_HEALTH_SECONDS)
            try:
                await self._store.read("health", answers)
            except StoreUnavailable:
                await self._set_health(_NOT_SERVING)
            else:
                await self._set_health(_SERVING)

    async def _set_health(self, status: health_pb2.HealthCheckResponse.ServingStatus) -> None:
        for service in ("", *SERVICES):
            await self._health.set(service, status)
