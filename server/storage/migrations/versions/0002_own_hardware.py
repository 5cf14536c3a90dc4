"""Own accelerators, models and price books, and calibrations in their versions."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    for name in ("accelerators", "model_shapes", "price_books"):
        op.create_table(
            name,
            sa.Column("id", sa.String(62), primary_key=True),
            sa.Column("create_time_us", sa.BigInteger, nullable=False),
            sa.Column("message", sa.LargeBinary, nullable=False),
        )
        op.create_index(f"{name}_newest", name, ["create_time_us", "id"])
    op.create_table(
        "calibrations",
        sa.Column("id", sa.String(80), primary_key=True),
        sa.Column("create_time_us", sa.BigInteger, nullable=False),
        sa.Column("calibration", sa.String(62), nullable=False),
        sa.Column("version", sa.Integer, nullable=False),
        sa.Column("message", sa.LargeBinary, nullable=False),
    )
    op.create_index("calibrations_newest", "calibrations", ["create_time_us", "id"])
    op.create_index("calibrations_versions", "calibrations", ["calibration", "version"], unique=True)


def downgrade() -> None:
    for name in ("accelerators", "model_shapes", "price_books", "calibrations"):
        op.drop_table(name)
