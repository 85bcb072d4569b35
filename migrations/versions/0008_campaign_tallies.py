"""Campaigns counted by state, indexes for what a publish asks of them, and when a campaign was created in the log"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

SITE = "(SELECT nullif(current_setting('app.site_id', true), '')::uuid)"
OLD_FACTS = ("slug", "locale", "number", "active")
NEW_FACTS = (*OLD_FACTS, "created_at")

INDEXES = (
    ("idx_campaign_closing", "site_id, locale, closes_at", "closes_at IS NOT NULL AND active"),
    ("idx_campaign_changed", "site_id, locale, updated_at", "active"),
)

# Sums of differences commute, so that it does not matter which of two transactions commits first.
TALLY = """
CREATE FUNCTION tally_campaigns() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  counted text := 'SELECT site_id, locale, campaign_class(r.outcome, r.allow_endorsements, r.closes_at) AS class,
                          %s AS difference FROM %I r WHERE active';
  added text := format(counted, 1, 'new_rows');
  taken text := format(counted, -1, 'old_rows');
  rows text := CASE TG_OP WHEN 'INSERT' THEN added WHEN 'DELETE' THEN taken ELSE added || ' UNION ALL ' || taken END;
BEGIN
  EXECUTE format(
    'INSERT INTO campaign_tallies AS t (site_id, locale, class, count)
     SELECT d.site_id, d.locale, d.class, sum(d.difference) FROM (%s) d
       JOIN sites s ON s.id = d.site_id
      GROUP BY 1, 2, 3 HAVING sum(d.difference) <> 0 ORDER BY 1, 2, 3
     ON CONFLICT (site_id, locale, class) DO UPDATE SET count = t.count + excluded.count', rows);
  RETURN NULL;
END $$
"""
CLASS = """
CREATE FUNCTION campaign_class(outcome text, allow_endorsements boolean, closes_at timestamptz) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT CASE WHEN outcome <> '' THEN 'won' WHEN NOT allow_endorsements THEN 'closed'
              WHEN closes_at IS NOT NULL THEN 'dated' ELSE 'open' END
$$
"""
COUNT = """
INSERT INTO campaign_tallies (site_id, locale, class, count)
SELECT site_id, locale, campaign_class(outcome, allow_endorsements, closes_at), count(*)
  FROM campaigns WHERE active GROUP BY 1, 2, 3
"""


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("SET LOCAL statement_timeout = '60s'")
    op.create_table(
        "campaign_tallies",
        sa.Column("site_id", sa.UUID(), nullable=False),
        sa.Column("locale", sa.Text(), nullable=False),
        sa.Column("class", sa.Text(), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.CheckConstraint("class IN ('won', 'closed', 'dated', 'open')", name=op.f("valid_campaign_class")),
        sa.ForeignKeyConstraint(
            ["site_id"], ["sites.id"], name="campaign_tallies_site_id_fkey", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("site_id", "locale", "class", name=op.f("campaign_tallies_pkey")),
    )
    op.execute(CLASS)
    op.execute(TALLY)
    op.execute(COUNT)
    op.execute("ALTER TABLE campaign_tallies ENABLE ROW LEVEL SECURITY")
    op.execute("ALTER TABLE campaign_tallies FORCE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY of_site ON campaign_tallies USING (site_id = {SITE})")
    for action, tables in _SEEN.items():
        op.execute(
            f"CREATE TRIGGER campaign_tallies_{action} AFTER {action.upper()} ON campaigns REFERENCING {tables} "
            "FOR EACH STATEMENT EXECUTE FUNCTION tally_campaigns()"
        )
    _log_changes(NEW_FACTS)
    # Within the time limits above: a site has thousands of campaigns, not millions.
    for name, columns, rule in INDEXES:
        op.execute(
            "-- squawk-ignore require-concurrent-index-creation\n"
            f"CREATE INDEX {name} ON campaigns ({columns}) WHERE {rule}"
        )


def downgrade() -> None:
    op.drop_index("idx_campaign_changed", "campaigns")
    op.drop_index("idx_campaign_closing", "campaigns")
    _log_changes(OLD_FACTS)
    for action in _SEEN:
        op.execute(f"DROP TRIGGER campaign_tallies_{action} ON campaigns")
    op.execute("DROP FUNCTION tally_campaigns()")
    op.execute("DROP FUNCTION campaign_class(text, boolean, timestamptz)")
    op.drop_table("campaign_tallies")


_SEEN = {
    "insert": "NEW TABLE AS new_rows",
    "update": "OLD TABLE AS old_rows NEW TABLE AS new_rows",
    "delete": "OLD TABLE AS old_rows",
}


def _log_changes(columns: tuple[str, ...]) -> None:
    arguments = ", ".join(f"'{column}'" for column in columns)
    for action, tables in _SEEN.items():
        op.execute(f"DROP TRIGGER content_changes_{action} ON campaigns")
        op.execute(
            f"CREATE TRIGGER content_changes_{action} AFTER {action.upper()} ON campaigns REFERENCING {tables} "
            f"FOR EACH STATEMENT EXECUTE FUNCTION record_content_change({arguments})"
        )
