"""The schema's own version."""

from datetime import datetime

from sqlalchemy import CheckConstraint, func
from sqlalchemy.orm import Mapped, mapped_column

from app.database.base import Base


class SchemaMeta(Base):
    """One row: the semantic version of the schema, written by migrations and checked at every start."""

    __tablename__ = "schema_meta"
    __table_args__ = (CheckConstraint("id = 1", name="one_row"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    version: Mapped[str]
    applied_at: Mapped[datetime] = mapped_column(server_default=func.now())
