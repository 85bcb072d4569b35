"""The first schema"""

import sqlalchemy as sa
from alembic import op
from geoalchemy2 import Geography
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "schema_meta",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("applied_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("one_row")),
        sa.PrimaryKeyConstraint("id", name=op.f("schema_meta_pkey")),
    )
    op.create_table(
        "sites",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("kind", sa.Text(), server_default=sa.text("'organization'"), nullable=False),
        sa.Column("slug", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("base_url", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("timezone", sa.Text(), server_default=sa.text("'UTC'"), nullable=False),
        sa.Column("locale", sa.Text(), server_default=sa.text("'en'"), nullable=False),
        sa.Column(
            "theme", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'"), nullable=False
        ),
        sa.Column(
            "navigation",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'[]'"),
            nullable=False,
        ),
        sa.Column(
            "settings",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'"),
            nullable=False,
        ),
        sa.Column("status", sa.Text(), server_default=sa.text("'active'"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("kind IN ('organization', 'city', 'department')", name=op.f("valid_site_kind")),
        sa.CheckConstraint(
            "slug ~ '^[a-z0-9]+(?:-[a-z0-9]+)*$' AND length(slug) <= 100", name=op.f("valid_site_slug")
        ),
        sa.CheckConstraint("status IN ('active', 'inactive')", name=op.f("valid_site_status")),
        sa.PrimaryKeyConstraint("id", name=op.f("sites_pkey")),
        sa.UniqueConstraint("slug", name=op.f("sites_slug_key")),
    )
    op.create_table(
        "campaigns",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("site_id", sa.UUID(), nullable=False),
        sa.Column("locale", sa.Text(), server_default=sa.text("'en'"), nullable=False),
        sa.Column("translation_group_id", sa.UUID(), nullable=False),
        sa.Column("number", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("slug", sa.Text(), nullable=False),
        sa.Column("summary", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("description_html", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("endorsement_statement", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("endorsement_form_instructions", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("target_count", sa.Integer(), nullable=True),
        sa.Column("target_obligation", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("closes_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("outcome", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("outcome_html", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("image_url", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("image_alt_text", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("active", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("allow_endorsements", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "slug ~ '^[a-z0-9]+(?:-[a-z0-9]+)*$' AND length(slug) <= 100", name=op.f("valid_campaign_slug")
        ),
        sa.CheckConstraint("target_count > 0", name=op.f("positive_target")),
        sa.ForeignKeyConstraint(["site_id"], ["sites.id"], name="campaigns_site_id_fkey", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("campaigns_pkey")),
        sa.UniqueConstraint("site_id", "id", name="campaigns_site_id_id_key"),
        sa.UniqueConstraint("site_id", "locale", "number", name="unique_number"),
        sa.UniqueConstraint("site_id", "locale", "slug", name="unique_slug"),
        sa.UniqueConstraint("site_id", "locale", "title", name="unique_title"),
        sa.UniqueConstraint(
            "site_id",
            "translation_group_id",
            "locale",
            name=op.f("campaigns_site_id_translation_group_id_locale_key"),
        ),
    )
    op.create_index("idx_campaign_active", "campaigns", ["site_id", "active"], unique=False)
    op.create_index(
        "idx_campaign_created", "campaigns", ["site_id", sa.literal_column("created_at DESC")], unique=False
    )
    op.create_index("idx_campaign_slug", "campaigns", ["site_id", "slug"], unique=False)
    op.create_table(
        "homepages",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("site_id", sa.UUID(), nullable=False),
        sa.Column("locale", sa.Text(), server_default=sa.text("'en'"), nullable=False),
        sa.Column("translation_group_id", sa.UUID(), nullable=False),
        sa.Column("organization_name", sa.Text(), nullable=False),
        sa.Column("tagline", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("hero_title", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("hero_subtitle", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("hero_background_image", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("about_section_title", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("about_section_content", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("about_section_html", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("cta_title", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("cta_content", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("cta_html", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("cta_button_text", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("cta_button_url", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("contact_email", sa.Text(), nullable=False),
        sa.Column("contact_phone", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column(
            "social_media_urls",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'"),
            nullable=False,
        ),
        sa.Column("campaigns_section_title", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("campaigns_section_subtitle", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("show_campaigns_section", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("is_active", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["site_id"], ["sites.id"], name="homepages_site_id_fkey", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("homepages_pkey")),
        sa.UniqueConstraint("site_id", "id", name="homepages_site_id_id_key"),
        sa.UniqueConstraint(
            "site_id",
            "translation_group_id",
            "locale",
            name=op.f("homepages_site_id_translation_group_id_locale_key"),
        ),
    )
    op.create_index(
        "unique_active_homepage",
        "homepages",
        ["site_id", "locale"],
        unique=True,
        postgresql_where=sa.text("is_active"),
    )
    op.create_table(
        "media",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("site_id", sa.UUID(), nullable=False),
        sa.Column("filename", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("content_type", sa.Text(), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.Column("alt_text", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("credit", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("licence", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("digest ~ '^[0-9a-f]{64}$'", name=op.f("valid_digest")),
        sa.CheckConstraint("width > 0 AND height > 0 AND size > 0", name=op.f("positive_measures")),
        sa.ForeignKeyConstraint(["site_id"], ["sites.id"], name="media_site_id_fkey", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("media_pkey")),
        sa.UniqueConstraint("site_id", "filename", name=op.f("media_site_id_filename_key")),
        sa.UniqueConstraint("site_id", "id", name="media_site_id_id_key"),
    )
    op.create_table(
        "pages",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("site_id", sa.UUID(), nullable=False),
        sa.Column("locale", sa.Text(), server_default=sa.text("'en'"), nullable=False),
        sa.Column("translation_group_id", sa.UUID(), nullable=False),
        sa.Column("parent_id", sa.UUID(), nullable=True),
        sa.Column("slug", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("summary", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("content", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("content_html", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("position", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "slug ~ '^[a-z0-9]+(?:-[a-z0-9]+)*$' AND length(slug) <= 100", name=op.f("valid_page_slug")
        ),
        sa.CheckConstraint("parent_id <> id", name=op.f("page_not_its_own_parent")),
        sa.ForeignKeyConstraint(
            ["site_id", "parent_id"],
            ["pages.site_id", "pages.id"],
            name=op.f("pages_site_id_parent_id_fkey"),
            ondelete="RESTRICT",
        ),
        sa.ForeignKeyConstraint(["site_id"], ["sites.id"], name="pages_site_id_fkey", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pages_pkey")),
        sa.UniqueConstraint("site_id", "id", name="pages_site_id_id_key"),
        sa.UniqueConstraint(
            "site_id",
            "locale",
            "parent_id",
            "slug",
            name=op.f("pages_site_id_locale_parent_id_slug_key"),
            postgresql_nulls_not_distinct=True,
        ),
    )
    op.create_index("idx_page_parent", "pages", ["site_id", "parent_id"], unique=False)
    op.create_table(
        "redirects",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("site_id", sa.UUID(), nullable=False),
        sa.Column("from_path", sa.Text(), nullable=False),
        sa.Column("to_path", sa.Text(), nullable=False),
        sa.Column("status", sa.Integer(), server_default=sa.text("301"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("from_path <> to_path", name=op.f("valid_redirect")),
        sa.CheckConstraint(
            "from_path ~ '^/([^/]|$)' AND from_path !~ '[[:cntrl:]\\\\?#]' AND length(from_path) <= 1000",
            name=op.f("valid_redirect_from_path"),
        ),
        sa.CheckConstraint(
            "to_path ~ '^/([^/]|$)' AND to_path !~ '[[:cntrl:]\\\\]' AND length(to_path) <= 1000",
            name=op.f("valid_redirect_to_path"),
        ),
        sa.CheckConstraint("status = 301", name=op.f("valid_redirect_status")),
        sa.ForeignKeyConstraint(["site_id"], ["sites.id"], name="redirects_site_id_fkey", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("redirects_pkey")),
        sa.UniqueConstraint("site_id", "from_path", name=op.f("redirects_site_id_from_path_key")),
        sa.UniqueConstraint("site_id", "id", name="redirects_site_id_id_key"),
    )
    op.create_table(
        "site_hosts",
        sa.Column("host", postgresql.CITEXT(), nullable=False),
        sa.Column("site_id", sa.UUID(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["site_id"], ["sites.id"], name=op.f("site_hosts_site_id_fkey"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("host", name=op.f("site_hosts_pkey")),
    )
    op.create_index(op.f("site_hosts_site_id_idx"), "site_hosts", ["site_id"], unique=False)
    op.create_table(
        "stakeholders",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("site_id", sa.UUID(), nullable=False),
        sa.Column("first_name", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("last_name", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column(
            "name",
            sa.Text(),
            sa.Computed("btrim(first_name || ' ' || last_name)", persisted=True),
            nullable=False,
        ),
        sa.Column("organization", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("title", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("stakeholder_type", sa.Text(), server_default=sa.text("'individual'"), nullable=False),
        sa.Column("email", postgresql.CITEXT(), nullable=True),
        sa.Column("phone", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("street_address", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("city", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("county", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("state", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("zip_code", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column(
            "location",
            Geography(
                geometry_type="POINT",
                srid=4326,
                dimension=2,
                spatial_index=False,
                from_text="ST_GeogFromText",
                name="geography",
            ),
            nullable=True,
        ),
        sa.Column("website", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("bio", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("is_public", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("first_name <> '' OR last_name <> ''", name=op.f("has_a_name")),
        sa.CheckConstraint(
            "stakeholder_type IN ('farmer', 'waterman', 'business', 'nonprofit', 'individual', 'government', 'scientist', 'healthcare', 'other')",
            name=op.f("valid_stakeholder_type"),
        ),
        sa.ForeignKeyConstraint(
            ["site_id"], ["sites.id"], name="stakeholders_site_id_fkey", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("stakeholders_pkey")),
        sa.UniqueConstraint("site_id", "email", name=op.f("stakeholders_site_id_email_key")),
        sa.UniqueConstraint("site_id", "id", name="stakeholders_site_id_id_key"),
    )
    op.create_index(
        "idx_stakeholder_location", "stakeholders", ["location"], unique=False, postgresql_using="gist"
    )
    op.create_index("idx_stakeholder_public", "stakeholders", ["site_id", "is_public"], unique=False)
    op.create_index("idx_stakeholder_type", "stakeholders", ["site_id", "stakeholder_type"], unique=False)
    op.create_index(
        "unique_stakeholder_without_email",
        "stakeholders",
        ["site_id", "name", "organization"],
        unique=True,
        postgresql_where=sa.text("email IS NULL"),
    )
    op.create_table(
        "content_blocks",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("site_id", sa.UUID(), nullable=False),
        sa.Column("locale", sa.Text(), server_default=sa.text("'en'"), nullable=False),
        sa.Column("translation_group_id", sa.UUID(), nullable=False),
        sa.Column("homepage_id", sa.UUID(), nullable=True),
        sa.Column("campaign_id", sa.UUID(), nullable=True),
        sa.Column("page_id", sa.UUID(), nullable=True),
        sa.Column("name", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("title", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("block_type", sa.Text(), server_default=sa.text("'text'"), nullable=False),
        sa.Column("content", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("content_html", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("image_url", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("image_alt_text", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("css_classes", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("background_color", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("position", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("is_visible", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint("background_color ~ '^(#[0-9a-f]{6})?$'", name=op.f("valid_background_color")),
        sa.CheckConstraint(
            "block_type IN ('text', 'image', 'text_image', 'quote')", name=op.f("valid_block_type")
        ),
        sa.CheckConstraint("num_nonnulls(homepage_id, campaign_id, page_id) = 1", name=op.f("one_owner")),
        sa.CheckConstraint("position >= 0", name=op.f("positive_order")),
        sa.ForeignKeyConstraint(
            ["site_id", "campaign_id"],
            ["campaigns.site_id", "campaigns.id"],
            name=op.f("content_blocks_site_id_campaign_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["site_id", "homepage_id"],
            ["homepages.site_id", "homepages.id"],
            name=op.f("content_blocks_site_id_homepage_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["site_id", "page_id"],
            ["pages.site_id", "pages.id"],
            name=op.f("content_blocks_site_id_page_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["site_id"], ["sites.id"], name="content_blocks_site_id_fkey", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("content_blocks_pkey")),
        sa.UniqueConstraint("site_id", "id", name="content_blocks_site_id_id_key"),
    )
    op.create_index(
        "idx_contentblock_campaign_order",
        "content_blocks",
        ["site_id", "campaign_id", "position"],
        unique=False,
    )
    op.create_index(
        "idx_contentblock_homepage_order",
        "content_blocks",
        ["site_id", "homepage_id", "position"],
        unique=False,
    )
    op.create_index(
        "idx_contentblock_page_order", "content_blocks", ["site_id", "page_id", "position"], unique=False
    )
    op.create_index(
        "idx_contentblock_visible", "content_blocks", ["site_id", "is_visible", "position"], unique=False
    )
    op.create_index(
        "unique_contentblock_name",
        "content_blocks",
        ["site_id", "locale", "homepage_id", "campaign_id", "page_id", "name"],
        unique=True,
        postgresql_nulls_not_distinct=True,
        postgresql_where=sa.text("name <> ''"),
    )
    op.create_table(
        "endorsements",
        sa.Column("id", sa.UUID(), nullable=False),
        sa.Column("site_id", sa.UUID(), nullable=False),
        sa.Column("stakeholder_id", sa.UUID(), nullable=False),
        sa.Column("campaign_id", sa.UUID(), nullable=False),
        sa.Column("statement", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("is_public", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(
            ["site_id", "campaign_id"],
            ["campaigns.site_id", "campaigns.id"],
            name=op.f("endorsements_site_id_campaign_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["site_id", "stakeholder_id"],
            ["stakeholders.site_id", "stakeholders.id"],
            name=op.f("endorsements_site_id_stakeholder_id_fkey"),
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(
            ["site_id"], ["sites.id"], name="endorsements_site_id_fkey", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("endorsements_pkey")),
        sa.UniqueConstraint("site_id", "id", name="endorsements_site_id_id_key"),
        sa.UniqueConstraint("site_id", "stakeholder_id", "campaign_id", name="unique_stakeholder_campaign"),
    )
    op.create_index("idx_endorsement_campaign", "endorsements", ["site_id", "campaign_id"], unique=False)
    op.create_index(
        "idx_endorsement_created",
        "endorsements",
        ["site_id", sa.literal_column("created_at DESC")],
        unique=False,
    )
    op.create_index("idx_endorsement_public", "endorsements", ["site_id", "is_public"], unique=False)
    op.create_index(
        "idx_endorsement_stakeholder", "endorsements", ["site_id", "stakeholder_id"], unique=False
    )


def downgrade() -> None:
    op.drop_table("endorsements")
    op.drop_table("content_blocks")
    op.drop_table("stakeholders")
    op.drop_table("site_hosts")
    op.drop_table("redirects")
    op.drop_table("pages")
    op.drop_table("media")
    op.drop_table("homepages")
    op.drop_table("campaigns")
    op.drop_table("sites")
    op.drop_table("schema_meta")
