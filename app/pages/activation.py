"""Which home page is the active one."""

from uuid import UUID

from app.database.engine import Connection

# The count makes PostgreSQL finish the first update before it writes a row of the second: the partial unique
# index is looked at row by row and would refuse two active ones even within one statement.
_ACTIVATE = """
WITH wanted AS (SELECT id, locale FROM homepages WHERE id = $1),
     retired AS (
       UPDATE homepages SET is_active = false
        WHERE is_active AND id <> $1 AND locale = (SELECT locale FROM wanted)
       RETURNING id)
UPDATE homepages SET is_active = true
 WHERE id = $1 AND NOT is_active AND (SELECT count(*) FROM retired) >= 0
RETURNING id
"""


async def activate(connection: Connection, homepage_id: UUID) -> bool:
    """Make this home page the active one of its site and language, and the one before it inactive.

    False when it was active already, or is not there. Runs in the caller's transaction, which has set
    the site.
    """
    return await connection.fetchval(_ACTIVATE, homepage_id) is not None
