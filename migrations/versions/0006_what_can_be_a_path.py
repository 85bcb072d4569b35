"""Lifted tombstones in the log of changes; redirects, tombstones and pages only at what can be a path"""

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

SEEN = {"update": "OLD TABLE AS old_rows NEW TABLE AS new_rows", "delete": "OLD TABLE AS old_rows"}
UNSEEN = r"[\u0080-\u00a0\u00ad\u200b-\u200f\u2028-\u202f\u205f-\u206f\u3000\ufeff]"
TAKEN = "{api,assets,campaigns,desk,healthz,legal,media,metrics,news,readyz,sitemap,widgets}"
RULES = {
    "redirects": (
        "valid_redirect_from_spelling",
        f"from_path !~ '//|/[.]{{1,2}}(/|$)|[%]|{UNSEEN}' AND from_path IS NFC NORMALIZED",
    ),
    "tombstones": (
        "valid_tombstone_path",
        "path ~ '^/([^/]|$)' AND path !~ '//|/[.]{1,2}(/|$)|[[:cntrl:]\\\\]'",
    ),
    "pages": (
        "page_slug_not_taken",
        f"parent_id IS NOT NULL OR slug <> ALL ('{TAKEN}'::text[])",
    ),
}


def upgrade() -> None:
    op.execute("SET LOCAL lock_timeout = '5s'")
    op.execute("SET LOCAL statement_timeout = '60s'")
    for action, tables in SEEN.items():
        op.execute(
            f"CREATE TRIGGER content_changes_{action} AFTER {action.upper()} ON tombstones REFERENCING {tables} "
            "FOR EACH STATEMENT EXECUTE FUNCTION record_content_change('path')"
        )
    # Three small tables: reading them once more under the lock takes no time worth a transaction of its own.
    for table, (name, rule) in RULES.items():
        op.execute(f"ALTER TABLE {table} ADD CONSTRAINT {name} CHECK ({rule}) NOT VALID".replace(":", "\\:"))
        ignore = "-- squawk-ignore constraint-missing-not-valid"
        op.execute(f"{ignore}\nALTER TABLE {table} VALIDATE CONSTRAINT {name}")


def downgrade() -> None:
    for table, (name, _) in RULES.items():
        op.execute(f"ALTER TABLE {table} DROP CONSTRAINT {name}")
    for action in SEEN:
        op.execute(f"DROP TRIGGER content_changes_{action} ON tombstones")
