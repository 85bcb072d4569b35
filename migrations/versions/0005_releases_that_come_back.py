"""Releases that come back, the pause after it, and how far the log of changes is pruned"""

import sqlalchemy as sa
from alembic import op

from app.publishing.models import Xid8

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("SET LOCAL statement_timeout = '60s'")
    op.add_column("releases", sa.Column("content_number", sa.Integer(), nullable=True))
    op.add_column("releases", sa.Column("actor", sa.Text(), server_default=sa.text("''"), nullable=False))
    op.add_column(
        "publications", sa.Column("is_paused", sa.Boolean(), server_default=sa.text("false"), nullable=False)
    )
    op.add_column("publications", sa.Column("pruned_below", Xid8(), nullable=True))
    op.add_column(
        "publications", sa.Column("pruned_in", sa.Text(), server_default=sa.text("''"), nullable=False)
    )


def downgrade() -> None:
    op.drop_column("publications", "pruned_in")
    op.drop_column("publications", "pruned_below")
    op.drop_column("publications", "is_paused")
    op.drop_column("releases", "actor")
    op.drop_column("releases", "content_number")
