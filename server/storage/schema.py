"""The tables. Columns are what is queried, the resource itself is its serialised message.

Times are microseconds since 1970 (UTC), so that they sort, compare and move between databases as they are. Migrations
stand in `migrations/versions`; `HEAD` is the newest.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, LargeBinary, MetaData, String, Table, Text

HEAD = "0002"

metadata = MetaData()

run_sets = Table(
    "run_sets",
    metadata,
    Column("id", String(62), primary_key=True),
    Column("create_time_us", BigInteger, nullable=False),
    Column("message", LargeBinary, nullable=False),
    Column("content", LargeBinary, nullable=False),  # the Table message, zlib
)

laws = Table(
    "laws",
    metadata,
    Column("id", String(62), primary_key=True),
    Column("create_time_us", BigInteger, nullable=False),
    Column("message", LargeBinary, nullable=False),  # without its draws
    Column("draws", LargeBinary, nullable=False),  # the LawDraws message, zlib
    Column("residuals", LargeBinary, nullable=False),  # the NumberCells message, zlib
)

plans = Table(
    "plans",
    metadata,
    Column("id", String(62), primary_key=True),
    Column("create_time_us", BigInteger, nullable=False),
    Column("kind", String(20), nullable=False),
    Column("outcome", String(20), nullable=False),
    Column("message", LargeBinary, nullable=False),  # without its explanation
    Column("explanation", Text, nullable=False),
)

operations = Table(
    "operations",
    metadata,
    Column("id", String(62), primary_key=True),
    Column("create_time_us", BigInteger, nullable=False),
    Column("kind", String(40), nullable=False),
    Column("target", String(80), nullable=False),  # the resource it will create, or empty
    Column("request", LargeBinary, nullable=False),
    Column("metadata", LargeBinary, nullable=False),  # an Any
    Column("done", Boolean, nullable=False),
    Column("response", LargeBinary),  # an Any
    Column("error", LargeBinary),  # a google.rpc.Status
    Column("owner", String(120), nullable=False),  # the process that runs it
    Column("heartbeat_time_us", BigInteger, nullable=False),
    Column("attempts", Integer, nullable=False),
    Index("operations_open", "done", "heartbeat_time_us"),
)

requests = Table(
    "requests",
    metadata,
    Column("caller", String(200), primary_key=True),
    Column("request_id", String(64), primary_key=True),
    Column("create_time_us", BigInteger, nullable=False),
    Column("body_sha256", String(64), nullable=False),
    Column("response", LargeBinary, nullable=False),
    Index("requests_age", "create_time_us"),
)

accelerators, model_shapes, price_books = (
    Table(
        name,
        metadata,
        Column("id", String(62), primary_key=True),
        Column("create_time_us", BigInteger, nullable=False),
        Column("message", LargeBinary, nullable=False),
    )
    for name in ("accelerators", "model_shapes", "price_books")
)

calibrations = Table(
    "calibrations",
    metadata,
    Column("id", String(80), primary_key=True),  # with its version, as in the resource's name
    Column("create_time_us", BigInteger, nullable=False),
    Column("calibration", String(62), nullable=False),
    Column("version", Integer, nullable=False),
    Column("message", LargeBinary, nullable=False),
    Index("calibrations_versions", "calibration", "version", unique=True),
)

for _table in (run_sets, laws, plans, operations, accelerators, model_shapes, price_books, calibrations):
    Index(f"{_table.name}_newest", _table.c.create_time_us, _table.c.id)
