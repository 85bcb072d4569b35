"""Flips of the pointer, and what followed each: the purge of caches, a sample of the pages"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

SITE = "(SELECT nullif(current_setting('app.site_id', true), '')::uuid)"


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("SET LOCAL statement_timeout = '60s'")
    empty = sa.text("''")
    pending = sa.text("'pending'")
    op.create_table(
        "flips",
        sa.Column("site_id", sa.UUID(), nullable=False),
        sa.Column("generation", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("release_id", sa.UUID(), nullable=False),
        sa.Column("replaced_root", sa.Text(), nullable=True),
        sa.Column("flipped_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("purge", sa.Text(), server_default=pending, nullable=False),
        sa.Column("purge_note", sa.Text(), server_default=empty, nullable=False),
        sa.Column("purged_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("sample", sa.Text(), server_default=pending, nullable=False),
        sa.Column("sample_note", sa.Text(), server_default=empty, nullable=False),
        sa.Column(
            "findings",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'[]'"),
            nullable=False,
        ),
        sa.Column("sampled_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("purge IN ('pending', 'done', 'failed', 'skipped')", name=op.f("valid_purge")),
        sa.CheckConstraint(
            "sample IN ('pending', 'same', 'different', 'skipped')", name=op.f("valid_sample")
        ),
        sa.ForeignKeyConstraint(
            ["site_id", "release_id"],
            ["releases.site_id", "releases.id"],
            name=op.f("flips_site_id_release_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["site_id"], ["sites.id"], name=op.f("flips_site_id_fkey"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("site_id", "generation", name=op.f("flips_pkey")),
    )
    op.create_index("idx_flip_release", "flips", ["site_id", "release_id"], unique=False)
    op.execute("ALTER TABLE flips ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE flips FORCE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY of_site ON flips USING (site_id = {SITE})")


def downgrade() -> None:
    op.drop_table("flips")
