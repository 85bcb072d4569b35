"""Releases, the log of content changes, tombstones"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from app.publishing.models import PgSnapshot, Xid8

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "content_changes",
        sa.Column("site_id", sa.UUID(), nullable=False),
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("table_name", sa.Text(), nullable=False),
        sa.Column("row_id", sa.UUID(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column(
            "facts", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'"), nullable=False
        ),
        sa.Column("transaction_id", Xid8(), server_default=sa.text("pg_current_xact_id()"), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("action IN ('insert', 'update', 'delete')", name=op.f("valid_action")),
        sa.PrimaryKeyConstraint("id", name=op.f("content_changes_pkey")),
    )
    op.create_index(
        "idx_content_change_transaction", "content_changes", ["site_id", "transaction_id"], unique=False
    )
    op.create_table(
        "releases",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("site_id", sa.UUID(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("generation", sa.BigInteger(), nullable=False),
        sa.Column("base_id", sa.UUID(), nullable=True),
        sa.Column("state", sa.Text(), server_default=sa.text("'planned'"), nullable=False),
        sa.Column("root_key", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("content_snapshot", PgSnapshot(), nullable=True),
        sa.Column("database_id", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("frozen_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("recipe", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column(
            "counts", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'"), nullable=False
        ),
        sa.Column("error", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("live_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "state IN ('planned', 'rendering', 'checking', 'uploading', 'live', 'superseded', 'failed', 'rolled_back')",
            name=op.f("valid_release_state"),
        ),
        sa.ForeignKeyConstraint(
            ["site_id", "base_id"],
            ["releases.site_id", "releases.id"],
            name=op.f("releases_site_id_base_id_fkey"),
            ondelete="NO ACTION",
        ),
        sa.ForeignKeyConstraint(["site_id"], ["sites.id"], name="releases_site_id_fkey", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("releases_pkey")),
        sa.UniqueConstraint("site_id", "id", name="releases_site_id_id_key"),
        sa.UniqueConstraint("site_id", "number", name=op.f("releases_site_id_number_key")),
    )
    op.create_index("idx_release_base", "releases", ["site_id", "base_id"], unique=False)
    op.create_table(
        "tombstones",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("site_id", sa.UUID(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["site_id"], ["sites.id"], name="tombstones_site_id_fkey", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("tombstones_pkey")),
        sa.UniqueConstraint("site_id", "id", name="tombstones_site_id_id_key"),
        sa.UniqueConstraint("site_id", "path", name=op.f("tombstones_site_id_path_key")),
    )
    op.create_table(
        "publications",
        sa.Column("site_id", sa.UUID(), nullable=False),
        sa.Column("last_number", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("last_generation", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("live_release_id", sa.UUID(), nullable=True),
        sa.Column("live_generation", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.ForeignKeyConstraint(
            ["site_id", "live_release_id"],
            ["releases.site_id", "releases.id"],
            name=op.f("publications_site_id_live_release_id_fkey"),
            ondelete="NO ACTION",
        ),
        sa.ForeignKeyConstraint(
            ["site_id"], ["sites.id"], name=op.f("publications_site_id_fkey"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("site_id", name=op.f("publications_pkey")),
    )
    op.create_index("idx_publication_live", "publications", ["site_id", "live_release_id"], unique=False)
    op.create_table(
        "release_pages",
        sa.Column("site_id", sa.UUID(), nullable=False),
        sa.Column("release_id", sa.UUID(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("change", sa.Text(), nullable=False),
        sa.Column("blob", sa.Text(), nullable=True),
        sa.CheckConstraint("change IN ('added', 'changed', 'removed')", name=op.f("valid_change")),
        sa.ForeignKeyConstraint(
            ["site_id", "release_id"],
            ["releases.site_id", "releases.id"],
            name=op.f("release_pages_site_id_release_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["site_id"], ["sites.id"], name=op.f("release_pages_site_id_fkey"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("release_id", "path", name=op.f("release_pages_pkey")),
    )
    op.create_index("idx_release_page_release", "release_pages", ["site_id", "release_id"], unique=False)


def downgrade() -> None:
    op.drop_table("release_pages")
    op.drop_table("publications")
    op.drop_table("tombstones")
    op.drop_table("releases")
    op.drop_table("content_changes")
