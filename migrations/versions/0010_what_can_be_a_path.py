"""Redirects, tombstones and pages only at what can be a path"""

from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

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
    # Three small tables: reading them once more under the lock takes no time worth a transaction of its own.
    for table, (name, rule) in RULES.items():
        op.execute(f"ALTER TABLE {table} ADD CONSTRAINT {name} CHECK ({rule}) NOT VALID".replace(":", "\\:"))
        ignore = "-- squawk-ignore constraint-missing-not-valid"
        op.execute(f"{ignore}\nALTER TABLE {table} VALIDATE CONSTRAINT {name}")


def downgrade() -> None:
    for table, (name, _) in RULES.items():
        op.execute(f"ALTER TABLE {table} DROP CONSTRAINT {name}")
