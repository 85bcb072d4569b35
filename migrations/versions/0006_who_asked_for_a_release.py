"""What set off a release, takedowns that can be lifted, and both in the log of changes"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("SET LOCAL statement_timeout = '60s'")
    op.execute(
        "ALTER TABLE releases ADD COLUMN trigger text DEFAULT 'editor' NOT NULL "
        "CONSTRAINT valid_release_trigger CHECK (trigger IN ('editor', 'schedule', 'refresh'))"
    )
    op.add_column("tombstones", sa.Column("actor", sa.Text(), server_default=sa.text("''"), nullable=False))
    op.add_column("tombstones", sa.Column("lifted_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column(
        "tombstones", sa.Column("lifted_by", sa.Text(), server_default=sa.text("''"), nullable=False)
    )
    # A site has few tombstones: nobody waits for this index. It holds what the constraint held.
    op.execute(
        "-- squawk-ignore require-concurrent-index-creation\n"
        "CREATE UNIQUE INDEX unique_tombstone ON tombstones (site_id, path) WHERE lifted_at IS NULL"
    )
    op.execute(
        "-- squawk-ignore ban-drop-constraint\n"
        "ALTER TABLE tombstones DROP CONSTRAINT tombstones_site_id_path_key"
    )
    seen = {
        "insert": "NEW TABLE AS new_rows",
        "update": "OLD TABLE AS old_rows NEW TABLE AS new_rows",
        "delete": "OLD TABLE AS old_rows",
    }
    for action, tables in seen.items():
        op.execute(
            f"CREATE TRIGGER content_changes_{action} AFTER {action.upper()} ON tombstones "
            f"REFERENCING {tables} FOR EACH STATEMENT EXECUTE FUNCTION record_content_change('path')"
        )


def downgrade() -> None:
    for action in ("insert", "update", "delete"):
        op.execute(f"DROP TRIGGER content_changes_{action} ON tombstones")
    # What was lifted is history that the older schema has no place for; its owner sees no rows by itself.
    op.execute("ALTER TABLE tombstones NO FORCE ROW LEVEL SECURITY")
    op.execute("DELETE FROM tombstones WHERE lifted_at IS NOT NULL")
    op.execute("ALTER TABLE tombstones FORCE ROW LEVEL SECURITY")
    op.create_unique_constraint("tombstones_site_id_path_key", "tombstones", ["site_id", "path"])
    op.drop_index("unique_tombstone", "tombstones")
    op.drop_column("tombstones", "lifted_by")
    op.drop_column("tombstones", "lifted_at")
    op.drop_column("tombstones", "actor")
    op.drop_column("releases", "trigger")
