"""The process round the planner: gRPC services, a store, worker processes, telemetry.

Services answer in `apportion.v1` messages, `planner` does the mathematics in worker processes that can be killed,
and everything acknowledged is committed to the store first.
"""

VERSION = "0.1.0"
