"""Row level security as the catalogue tells it."""

from app.database.engine import Connection

# As pg_get_expr prints it; {column} is site_id, and id in the table of sites itself.
OF_SITE = (
    "({column} = ( SELECT (NULLIF(current_setting('app.site_id'::text, true), ''::text))::uuid"
    ' AS "nullif"))'
)

# Permissive policies are joined by OR: one that is wider than the site's undoes it. Only the owner, whose
# functions tell the directory of sites, may read more.
UNPROTECTED = """
WITH tenant AS (
  SELECT c.oid, c.relname, c.relowner, c.relrowsecurity AND c.relforcerowsecurity AS is_forced,
         replace($1, '{column}', CASE c.relname WHEN 'sites' THEN 'id' ELSE 'site_id' END) AS of_site
    FROM pg_class c
   WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
     AND (c.relname = 'sites' OR EXISTS (
       SELECT FROM pg_attribute a
        WHERE a.attrelid = c.oid AND a.attname = 'site_id' AND NOT a.attisdropped))
), policy AS (
  SELECT t.oid,
         p.polcmd = 'r' AND p.polroles = ARRAY[t.relowner] AS is_of_owner,
         p.polcmd = '*' AND coalesce(pg_get_expr(p.polqual, p.polrelid) = t.of_site, false)
           AND coalesce(pg_get_expr(p.polwithcheck, p.polrelid), t.of_site) = t.of_site AS is_of_site
    FROM tenant t JOIN pg_policy p ON p.polrelid = t.oid AND p.polpermissive
)
SELECT t.relname FROM tenant t
 WHERE NOT t.is_forced
    OR NOT EXISTS (SELECT FROM policy p WHERE p.oid = t.oid AND p.is_of_site)
    OR EXISTS (SELECT FROM policy p WHERE p.oid = t.oid AND NOT p.is_of_site AND NOT p.is_of_owner)
 ORDER BY t.relname
"""


async def unprotected_tables(connection: Connection) -> list[str]:
    """Tables and partitions that a site's transaction may see or write beyond its own site.

    Those with a `site_id`, and `sites`: they lack forced row level security or the site's policy, or have
    another permissive policy that is not only for their owner to read.
    """
    return [row["relname"] for row in await connection.fetch(UNPROTECTED, OF_SITE)]
