"""The tables of the job queue"""

import sqlalchemy as sa
from alembic import op

from app.jobs.tables import install_statements, uninstall_statements

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

TABLES = "pgqueuer, pgqueuer_log, pgqueuer_schedules, pgqueuer_statistics"
SEQUENCES = "pgqueuer_id_seq, pgqueuer_log_id_seq, pgqueuer_schedules_id_seq, pgqueuer_statistics_id_seq"


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("SET LOCAL statement_timeout = '60s'")
    for statement in install_statements():
        op.execute(sa.text(statement.replace(":", "\\:").rstrip().rstrip(";")))
    # Any site's code may enqueue and any worker runs every site's jobs: these tables have no row level security.
    op.execute(f"GRANT SELECT, INSERT, UPDATE, DELETE ON {TABLES} TO hustings_app")
    op.execute(f"GRANT USAGE, SELECT ON SEQUENCE {SEQUENCES} TO hustings_app")
    # A job's payload is whatever its site needs: analysts have no business in it.
    op.execute(f"REVOKE ALL ON {TABLES} FROM hustings_readonly")


def downgrade() -> None:
    for statement in uninstall_statements():
        op.execute(statement.rstrip(";"))
