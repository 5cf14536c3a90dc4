"""Run sets, laws, plans, operations and request ids."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_RESOURCES = ("run_sets", "laws", "plans", "operations")


def _resource(name: str, *columns: sa.Column[object]) -> None:
    op.create_table(
        name,
        sa.Column("id", sa.String(62), primary_key=True),
        sa.Column("create_time_us", sa.BigInteger, nullable=False),
        *columns,
    )
    op.create_index(f"{name}_newest", name, ["create_time_us", "id"])


def upgrade() -> None:
    blob, text = sa.LargeBinary, sa.String
    _resource(
        "run_sets",
        sa.Column("message", blob, nullable=False),
        sa.Column("content", blob, nullable=False),
    )
    _resource(
        "laws",
        sa.Column("message", blob, nullable=False),
        sa.Column("draws", blob, nullable=False),
        sa.Column("residuals", blob, nullable=False),
    )
    _resource(
        "plans",
        sa.Column("kind", text(20), nullable=False),
        sa.Column("outcome", text(20), nullable=False),
        sa.Column("message", blob, nullable=False),
        sa.Column("explanation", sa.Text, nullable=False),
    )
    _resource(
        "operations",
        sa.Column("kind", text(40), nullable=False),
        sa.Column("target", text(80), nullable=False),
        sa.Column("request", blob, nullable=False),
        sa.Column("metadata", blob, nullable=False),
        sa.Column("done", sa.Boolean, nullable=False),
        sa.Column("response", blob),
        sa.Column("error", blob),
        sa.Column("owner", text(120), nullable=False),
        sa.Column("heartbeat_time_us", sa.BigInteger, nullable=False),
        sa.Column("attempts", sa.Integer, nullable=False),
    )
    op.create_index("operations_open", "operations", ["done", "heartbeat_time_us"])
    op.create_table(
        "requests",
        sa.Column("caller", text(200), primary_key=True),
        sa.Column("request_id", text(64), primary_key=True),
        sa.Column("create_time_us", sa.BigInteger, nullable=False),
        sa.Column("body_sha256", text(64), nullable=False),
        sa.Column("response", blob, nullable=False),
    )
    op.create_index("requests_age", "requests", ["create_time_us"])


def downgrade() -> None:
    for name in (*_RESOURCES, "requests"):
        op.drop_table(name)
