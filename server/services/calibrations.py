"""Calibrating: an operation that ends in the next version of a calibration; and the versions there are."""

from __future__ import annotations

from google.longrunning import operations_pb2
from google.protobuf.message import Message
from sqlalchemy import Connection

from apportion.v1 import calibration_pb2, hardware_service_pb2
from planner.errors import InvalidInput, Violation
from server import names
from server.execution.operations import OperationRunner
from server.execution.pool import WorkerPool
from server.execution.worker import Job
from server.interceptors import call
from server.pages import read_page
from server.services.once import Once
from server.services.operations import answer_or_raise
from server.services.own_hardware import OwnHardware, add_calibration, find_calibration, remove_calibration
from server.storage import resources
from server.storage.schema import calibrations
from server.storage.store import Store

KIND = "Calibrate"
_MOST_FILES = 1000


class Calibrations:
    """The methods of the Hardware service that are about calibrations."""

    def __init__(self, store: Store, pool: WorkerPool, operations: OperationRunner, own: OwnHardware) -> None:
        self._store, self._pool, self._operations, self._own = store, pool, operations, own

    async def begin(self, request: hardware_service_pb2.CalibrateRequest) -> operations_pb2.Operation:
        """Check the request, store the operation and start it, once per request id."""
        once = Once(self._store, KIND, request)
        if (earlier := await once.earlier()) is not None:
            return await self._operations.refreshed(operations_pb2.Operation.FromString(earlier))
        complete = hardware_service_pb2.CalibrateRequest()
        complete.CopyFrom(request)
        complete.calibration_id = names.new_identity("calibration_id", request.calibration_id, "calibration")
        if not 0 < len(request.measurements) <= _MOST_FILES:
            raise InvalidInput(Violation("measurements", f"{len(request.measurements)} files", f"1 to {_MOST_FILES}"))
        serialised = complete.SerializeToString()
        check = Job(f"Check{KIND}", serialised, await self._own.attachments())
        answer_or_raise(await self._pool.run(check, call.current().remaining_seconds()))
        if request.validate_only:
            return operations_pb2.Operation(done=True)
        target = names.full(names.CALIBRATIONS, complete.calibration_id)

        def start(connection: Connection) -> Message:
            identity = self._operations.create(connection, KIND, target, serialised)
            return self._operations.created(connection, identity)

        return await self._operations.begin(once, "start_calibration", start, KIND, serialised)

    async def get(self, name: str) -> calibration_pb2.Calibration:
        """One version, or the newest. Raises UnknownName, InvalidInput."""
        return await self._store.read("get_calibration", find_calibration, name)

    async def page(
        self, request: hardware_service_pb2.ListCalibrationsRequest
    ) -> hardware_service_pb2.ListCalibrationsResponse:
        """One page, newest first."""
        page = read_page(request, "calibrations")
        rows, token = await self._store.read("list_calibrations", resources.newest, calibrations, page, ("message",))
        found = [calibration_pb2.Calibration.FromString(row.message) for row in rows]
        return hardware_service_pb2.ListCalibrationsResponse(calibrations=found, next_page_token=token)

    async def remove(self, name: str) -> None:
        """Forget one version, or all. Raises UnknownName, InvalidInput."""
        await self._store.write("delete_calibration", remove_calibration, name)


class CalibrationWork:
    """How a Calibrate operation is run and ended."""

    def __init__(self, own: OwnHardware) -> None:
        self._own = own

    async def job(self, request: bytes) -> Job:
        return Job(KIND, request, await self._own.attachments())

    def commit(self, connection: Connection, request: bytes, parts: tuple[bytes, ...]) -> Message:
        identity = hardware_service_pb2.CalibrateRequest.FromString(request).calibration_id
        return add_calibration(connection, identity, calibration_pb2.Calibration.FromString(parts[0]))

    def stage(self, stage: str) -> Message:
        return hardware_service_pb2.CalibrateMetadata(stage=stage)
