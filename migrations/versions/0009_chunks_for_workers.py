"""Chunks of a build that workers on any machine make"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

SITE = "(SELECT nullif(current_setting('app.site_id', true), '')::uuid)"


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("SET LOCAL statement_timeout = '60s'")
    op.create_table(
        "build_chunks",
        sa.Column("site_id", sa.UUID(), nullable=False),
        sa.Column("build_id", sa.UUID(), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("request", sa.LargeBinary(), nullable=False),
        sa.Column("reply", sa.LargeBinary(), nullable=True),
        sa.ForeignKeyConstraint(
            ["site_id"], ["sites.id"], name="build_chunks_site_id_fkey", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("site_id", "build_id", "number", name=op.f("build_chunks_pkey")),
    )
    op.execute("ALTER TABLE build_chunks ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE build_chunks FORCE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY of_site ON build_chunks USING (site_id = {SITE})")


def downgrade() -> None:
    op.drop_table("build_chunks")
