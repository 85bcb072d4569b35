"""The log of content changes tells of tombstones that were lifted"""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

SEEN = {"update": "OLD TABLE AS old_rows NEW TABLE AS new_rows", "delete": "OLD TABLE AS old_rows"}


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("SET LOCAL statement_timeout = '60s'")
    for action, tables in SEEN.items():
        op.execute(
            f"CREATE TRIGGER content_changes_{action} AFTER {action.upper()} ON tombstones REFERENCING {tables} "
            "FOR EACH STATEMENT EXECUTE FUNCTION record_content_change('path')"
        )


def downgrade() -> None:
    for action in SEEN:
        op.execute(f"DROP TRIGGER content_changes_{action} ON tombstones")
