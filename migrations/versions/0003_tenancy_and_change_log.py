"""Row level security, the two readings without a site, and the triggers"""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

SITE = "(SELECT nullif(current_setting('app.site_id', true), '')::uuid)"
TENANT_TABLES = (
    "campaigns",
    "content_blocks",
    "content_changes",
    "endorsements",
    "homepages",
    "media",
    "pages",
    "publications",
    "redirects",
    "release_pages",
    "releases",
    "site_hosts",
    "stakeholders",
    "tombstones",
)
TIMESTAMPED = (
    "sites",
    "campaigns",
    "content_blocks",
    "endorsements",
    "homepages",
    "media",
    "pages",
    "redirects",
    "stakeholders",
)
# What the page kinds need to know of a row that is gone or has moved.
LOGGED: dict[str, tuple[str, ...]] = {
    "sites": ("slug",),
    "homepages": ("locale", "is_active"),
    "content_blocks": ("homepage_id", "campaign_id", "page_id", "locale"),
    "campaigns": ("slug", "locale", "number", "active"),
    "endorsements": ("campaign_id", "stakeholder_id"),
    "stakeholders": (),
    "pages": ("slug", "locale", "parent_id"),
    "media": ("filename", "digest"),
    "redirects": ("from_path",),
}

FUNCTIONS = """
CREATE FUNCTION touch_updated_at() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  -- A generated column is not computed yet in a BEFORE trigger: it is left out of the comparison.
  IF TG_NARGS = 0 OR to_jsonb(OLD) - TG_ARGV[0] <> to_jsonb(NEW) - TG_ARGV[0] THEN
    NEW.updated_at := now();
  END IF;
  RETURN NEW;
END $$;

CREATE FUNCTION assign_campaign_number() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM pg_advisory_xact_lock(hashtextextended('campaign number ' || NEW.site_id::text, 0));
  SELECT coalesce(max(number), 0) + 1 INTO NEW.number
    FROM campaigns WHERE site_id = NEW.site_id AND locale = NEW.locale;
  RETURN NEW;
END $$;

CREATE FUNCTION record_content_change() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  site text := CASE TG_TABLE_NAME WHEN 'sites' THEN 'id' ELSE 'site_id' END;
  old_facts text := 'jsonb_build_object(' || coalesce(
    (SELECT string_agg(format('%L, o.%I', name, name), ', ') FROM unnest(TG_ARGV) AS name), '') || ')';
  new_facts text := replace(old_facts, ', o.', ', n.');
  source text;
  facts text;
  row_alias text := 'n';
BEGIN
  IF TG_OP = 'INSERT' THEN
    source := 'new_rows n';
    facts := format('jsonb_build_object(''new'', %s)', new_facts);
  ELSIF TG_OP = 'DELETE' THEN
    row_alias := 'o';
    source := 'old_rows o';
    facts := format('jsonb_build_object(''old'', %s)', old_facts);
  ELSE
    source := 'old_rows o JOIN new_rows n ON n.id = o.id AND o.* IS DISTINCT FROM n.*';
    facts := format('jsonb_build_object(''old'', %s, ''new'', %s)', old_facts, new_facts);
  END IF;
  EXECUTE format(
    'INSERT INTO content_changes (site_id, table_name, row_id, action, facts)
     SELECT %1$s.%2$I, %3$L, %1$s.id, %4$L, %5$s FROM %6$s',
    row_alias, site, TG_TABLE_NAME, lower(TG_OP), facts, source);
  RETURN NULL;
END $$;
"""

DIRECTORY = """
CREATE POLICY directory ON sites FOR SELECT TO CURRENT_USER USING (true);

CREATE POLICY directory ON site_hosts FOR SELECT TO CURRENT_USER USING (true);

CREATE FUNCTION site_directory()
  RETURNS TABLE (id uuid, slug text, name text, status text)
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
  AS $$ SELECT id, slug, name, status FROM sites ORDER BY id $$;

CREATE FUNCTION site_for_host(wanted text, fallback text DEFAULT NULL)
  RETURNS uuid LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
  AS $$
    SELECT coalesce(
      (SELECT h.site_id FROM site_hosts h JOIN sites s ON s.id = h.site_id
        WHERE h.host = wanted::citext AND s.status = 'active'),
      (SELECT id FROM sites WHERE slug || '.localhost' = lower(wanted) AND status = 'active'),
      (SELECT id FROM sites
        WHERE status = 'active' AND (fallback IS NULL OR slug = fallback) ORDER BY id LIMIT 1))
  $$;
"""


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("SET LOCAL statement_timeout = '60s'")
    for table in TENANT_TABLES:
        _protect(table, "site_id")
    _protect("sites", "id")
    _execute_each(DIRECTORY)
    _execute_each(FUNCTIONS)
    for table in TIMESTAMPED:
        generated = "'name'" if table == "stakeholders" else ""
        changed = "" if generated else "WHEN (OLD.* IS DISTINCT FROM NEW.*)"
        op.execute(
            f"CREATE TRIGGER touch_updated_at BEFORE UPDATE ON {table} FOR EACH ROW {changed} "
            f"EXECUTE FUNCTION touch_updated_at({generated})"
        )
    op.execute(
        "CREATE TRIGGER assign_campaign_number BEFORE INSERT ON campaigns FOR EACH ROW "
        "WHEN (NEW.number = 0) EXECUTE FUNCTION assign_campaign_number()"
    )
    for table, columns in LOGGED.items():
        _log_changes(table, columns)
    op.execute("REVOKE INSERT, UPDATE, DELETE ON schema_meta, schema_version FROM hustings_app")
    op.execute("INSERT INTO schema_meta (id, version) VALUES (1, '0.1.0')")


def downgrade() -> None:
    op.execute("DELETE FROM schema_meta")
    for table in LOGGED:
        for action in ("insert", "update", "delete"):
            op.execute(f"DROP TRIGGER content_changes_{action} ON {table}")
    for table in TIMESTAMPED:
        op.execute(f"DROP TRIGGER touch_updated_at ON {table}")
    op.execute("DROP TRIGGER assign_campaign_number ON campaigns")
    for function in ("record_content_change", "assign_campaign_number", "touch_updated_at", "site_directory"):
        op.execute(f"DROP FUNCTION {function}()")
    op.execute("DROP FUNCTION site_for_host(text, text)")
    op.execute("DROP POLICY directory ON sites")
    op.execute("DROP POLICY directory ON site_hosts")
    for table in (*TENANT_TABLES, "sites"):
        op.execute(f"DROP POLICY of_site ON {table}")
        op.execute(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY")
        op.execute(f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY")


def _protect(table: str, column: str) -> None:
    op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
    op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY of_site ON {table} USING ({column} = {SITE})")


def _log_changes(table: str, columns: tuple[str, ...]) -> None:
    arguments = ", ".join(f"'{column}'" for column in columns)
    seen = {
        "insert": "NEW TABLE AS new_rows",
        "update": "OLD TABLE AS old_rows NEW TABLE AS new_rows",
        "delete": "OLD TABLE AS old_rows",
    }
    for action, tables in seen.items():
        op.execute(
            f"CREATE TRIGGER content_changes_{action} AFTER {action.upper()} ON {table} REFERENCING {tables} "
            f"FOR EACH STATEMENT EXECUTE FUNCTION record_content_change({arguments})"
        )


def _execute_each(script: str) -> None:
    """asyncpg takes one statement at a time; statements here end with a blank line."""
    for statement in script.strip().split(";\n\n"):
        op.execute(statement.strip().rstrip(";"))
