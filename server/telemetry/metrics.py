"""Every metric of the server, in one registry of its own.

Names follow Prometheus' conventions (base units, `_total` on counters); `grpc_server_*` are the names that dashboards
for gRPC services expect. Labels take few values: methods that do not exist are `unknown`, no names of laws, plans or
callers appear. Worker processes return their timings with their answers, so nothing has to be shared between processes.
"""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
LONG_SECONDS = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0)
GAPS = (1e-12, 1e-10, 1e-9, 1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1.0)
RATIOS = (1.0, 1.5, 2.0, 3.0, 5.0, 10.0, 30.0, 100.0, 1e3, 1e4, 1e6)
_METHOD = ("grpc_service", "grpc_method", "grpc_type")


class Metrics:
    """The metrics as attributes; `registry` is what the exposition reads."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        self._calls()
        self._planning()
        self._execution()

    def _calls(self) -> None:
        r = self.registry
        self.started = Counter("grpc_server_started_total", "Calls begun.", _METHOD, registry=r)
        self.handled = Counter("grpc_server_handled_total", "Calls ended.", (*_METHOD, "grpc_code"), registry=r)
        self.handling_seconds = Histogram(
            "grpc_server_handling_seconds", "Time to answer a call.", _METHOD, buckets=SECONDS, registry=r
        )
        self.in_flight = Gauge("apportion_calls_in_flight", "Calls being answered.", registry=r)
        self.rejected = Counter("apportion_rejected_total", "Calls refused before work.", ("reason",), registry=r)
        self.build_info = Gauge(
            "apportion_build_info", "Versions, as labels; always 1.", ("version", "python", "grpc"), registry=r
        )

    def _planning(self) -> None:
        r = self.registry
        self.solve_seconds = Histogram(
            "apportion_solve_seconds", "Planning time of a request.", ("kind", "outcome"), buckets=SECONDS, registry=r
        )
        self.solves = Counter("apportion_solves_total", "Planning requests solved.", ("kind", "outcome"), registry=r)
        self.convex_programs = Counter(
            "apportion_convex_programs_total", "Convex programs solved.", ("kind",), registry=r
        )
        self.cells = Counter("apportion_cells_total", "Discrete configurations considered.", ("kind",), registry=r)
        self.certificate_failures = Counter(
            "apportion_certificate_failures_total", "Answers whose certificate did not hold.", ("check",), registry=r
        )
        for check in ("gap", "feasibility", "no_answer"):  # at 0 from the start, or the first failure is no increase
            self.certificate_failures.labels(check)
        self.duality_gap = Histogram(
            "apportion_duality_gap_ratio", "Certified relative gap.", ("kind",), buckets=GAPS, registry=r
        )
        self.extrapolation = Histogram(
            "apportion_extrapolation_ratio",
            "How far outside its runs a law was asked, as a factor.",
            ("source",),
            buckets=RATIOS,
            registry=r,
        )
        self.infeasible = Counter(
            "apportion_infeasible_total", "Limits found in conflict.", ("constraint",), registry=r
        )
        self.cache_hits = Counter("apportion_plan_cache_hits_total", "Plans answered from the cache.", registry=r)
        self.cache_misses = Counter("apportion_plan_cache_misses_total", "Plans that had to be solved.", registry=r)

    def _execution(self) -> None:
        r = self.registry
        self.queue_depth = Gauge("apportion_queue_depth", "Jobs waiting for a worker.", registry=r)
        self.queue_wait_seconds = Histogram(
            "apportion_queue_wait_seconds", "Time a job waited for a worker.", buckets=SECONDS, registry=r
        )
        self.job_seconds = Histogram(
            "apportion_job_seconds", "Time a worker spent on a job.", ("job",), buckets=LONG_SECONDS, registry=r
        )
        self.workers = Gauge("apportion_workers", "Worker processes.", ("state",), registry=r)
        self.worker_restarts = Counter(
            "apportion_worker_restarts_total", "Worker processes replaced.", ("cause",), registry=r
        )
        self.operations = Gauge(
            "apportion_operations", "Long-running operations of this process.", ("state",), registry=r
        )
        self.operations_ended = Counter(
            "apportion_operations_ended_total", "Long-running operations that ended.", ("kind", "code"), registry=r
        )
        self.store_seconds = Histogram(
            "apportion_store_seconds", "Time of a store transaction.", ("operation",), buckets=SECONDS, registry=r
        )
        self.store_errors = Counter(
            "apportion_store_errors_total", "Store transactions that failed.", ("operation",), registry=r
        )
