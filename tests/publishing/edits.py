"""Every kind of edit, as SQL over one row: what random tests of publishing choose from."""

from datetime import timedelta

from tests.publishing.world import START

PATHS = (
    *(f"/campaigns/c{number}/" for number in range(5)),
    "/",
    "/campaigns/",
    "/campaigns/page/1/",
    "/campaigns/page/3/",
    "/robots.txt",
    "/sitemap.xml",
    "/sitemap/campaigns-1.xml",
    "/404.html",
    "/old/",
    "/older/",
)
"""Where redirects and takedowns strike: at pages that come and go, at files, at nothing."""

SOME_PATH = f"(ARRAY{list(PATHS)})[$2::int + 1]"

PICTURES = ("a" * 64, "b" * 64, "c" * 64)
"""Digests of the originals in the store."""
IMAGE = '<p>A <img src="media/p1.webp" alt="A shore"> b</p>'
OTHER_CAMPAIGN = """(
    SELECT id FROM campaigns ORDER BY locale, slug
    OFFSET $2::int % greatest((SELECT count(*) FROM campaigns), 1) LIMIT 1)"""
HOUR = f"timestamptz '{START.isoformat()}' + $2::int * interval '1 hour'"
DAY_BEFORE = f"timestamptz '{(START - timedelta(days=30)).isoformat()}' + $2::int * interval '1 day'"

OTHER_LOCALE = "CASE locale WHEN 'en' THEN 'de' ELSE 'en' END"

# $1 is the key of a row that is there, $2 a small number.
UPDATES: dict[str, tuple[str, ...]] = {
    "campaigns": (
        "summary = 'Words ' || $2::int",
        "title = 'Title ' || $2::int",
        "slug = 'c' || $2::int % 6",
        "number = $2::int + 1",
        "active = NOT active",
        "active = NOT active",
        "allow_endorsements = NOT allow_endorsements",
        "outcome = 'Done ' || $2::int, outcome_html = '<p>Done</p>'",
        "outcome = '', outcome_html = ''",
        f"closes_at = {HOUR}",
        "closes_at = NULL",
        f"created_at = {DAY_BEFORE}",
        f"locale = {OTHER_LOCALE}, number = (SELECT max(number) FROM campaigns) + 1",
        "image_url = 'media/p' || $2::int % 3 || '.webp', image_alt_text = 'The shore'",
        "image_alt_text = 'Picture ' || $2::int",
        f"description_html = '{IMAGE}'",
        "description_html = '<p>Text ' || $2::int || '</p>'",
        f"outcome = 'Won', outcome_html = '{IMAGE}'",
        "target_count = $2::int + 1",
        "translation_group_id = gen_random_uuid()",
    ),
    "content_blocks": (
        "position = $2::int",
        "is_visible = NOT is_visible",
        f"locale = {OTHER_LOCALE}",
        "title = 'Block ' || $2::int",
        f"content_html = '{IMAGE}'",
        "content_html = '<p>Block ' || $2::int || '</p>'",
        "block_type = 'image', image_url = 'media/p' || $2::int % 3 || '.webp', image_alt_text = 'Reeds'",
        f"campaign_id = {OTHER_CAMPAIGN}, homepage_id = NULL",
        "campaign_id = NULL, homepage_id = (SELECT id FROM homepages ORDER BY id LIMIT 1)",
        "background_color = '#0b5563'",
    ),
    "homepages": (
        "tagline = 'Tag ' || $2::int",
        "is_active = NOT is_active",
        f"locale = {OTHER_LOCALE}",
        "show_campaigns_section = NOT show_campaigns_section",
        "hero_background_image = 'media/p' || $2::int % 3 || '.webp'",
        f"about_section_html = '{IMAGE}'",
        "contact_phone = '+1 ' || $2::int",
    ),
    "endorsements": (
        "is_public = NOT is_public",
        "statement = 'Because ' || $2::int",
        f"campaign_id = {OTHER_CAMPAIGN}",
        f"created_at = {DAY_BEFORE}",
    ),
    "stakeholders": (
        "first_name = 'Ada ' || $2::int",
        "organization = CASE $2::int % 2 WHEN 0 THEN '' ELSE 'Wells ' || $2::int END",
        "is_public = NOT is_public",
        "city = 'Farrow ' || $2::int",
        "bio = 'Nobody sees this ' || $2::int",
    ),
    "media": (
        "alt_text = 'Alt ' || $2::int",
        "credit = 'By ' || $2::int",
        "filename = 'p' || $2::int % 4 || '.webp'",
        f"digest = (ARRAY['{PICTURES[0]}', '{PICTURES[1]}', '{PICTURES[2]}'])[$2::int % 3 + 1]",
        "width = $2::int + 10",
    ),
    "redirects": (
        "to_path = '/campaigns/c' || $2::int || '/'",
        "to_path = '/old/'",
        f"from_path = {SOME_PATH}",
    ),
    "sites": (
        "name = 'Site ' || $2::int",
        "base_url = 'https://www' || $2::int || '.example'",
        "theme = jsonb_build_object('primary', '#7a1f3' || to_hex($2::int % 2))",
        "theme = '{}'",
        f"locale = {OTHER_LOCALE}",
        "timezone = CASE timezone WHEN 'UTC' THEN 'Pacific/Kiritimati' ELSE 'UTC' END",
        "settings = jsonb_build_object('footer_text', 'Foot ' || $2::int)",
        "navigation = jsonb_build_array(jsonb_build_object('label', 'N' || $2::int, 'url', '/'))",
        "kind = 'city'",
    ),
}
# $1 is the site, $2 a small number.
INSERTS = (
    """INSERT INTO campaigns (id, site_id, translation_group_id, slug, title, summary)
       SELECT gen_random_uuid(), $1, gen_random_uuid(), 'c' || $2::int % 6, 'Title ' || $2::int, 'About'""",
    """INSERT INTO campaigns (id, site_id, translation_group_id, slug, title, summary)
       SELECT gen_random_uuid(), $1, gen_random_uuid(), 'd' || n, 'Many ' || n, 'About'
         FROM generate_series($2::int, $2::int + 3) n ON CONFLICT DO NOTHING""",
    """INSERT INTO campaigns (id, site_id, locale, translation_group_id, slug, title, summary)
       SELECT gen_random_uuid(), $1, CASE locale WHEN 'en' THEN 'de' ELSE 'en' END, translation_group_id,
              slug, 'Translated ' || $2::int, summary
         FROM campaigns ORDER BY locale, slug LIMIT 3 ON CONFLICT DO NOTHING""",
    """INSERT INTO homepages
         (id, site_id, locale, translation_group_id, organization_name, contact_email, is_active)
       SELECT gen_random_uuid(), $1, CASE $2::int % 2 WHEN 0 THEN 'en' ELSE 'de' END, gen_random_uuid(), 'Us',
              'a@b.example', $2::int < 8""",
    """INSERT INTO content_blocks (id, site_id, translation_group_id, campaign_id, content_html, position)
       SELECT gen_random_uuid(), $1, gen_random_uuid(), id, '<p>Block</p>', $2::int
         FROM campaigns ORDER BY locale, slug OFFSET $2::int % 3 LIMIT 1""",
    """INSERT INTO content_blocks (id, site_id, translation_group_id, homepage_id, content_html, position)
       SELECT gen_random_uuid(), $1, gen_random_uuid(), id, '<p>Home block</p>', $2::int
         FROM homepages LIMIT 1""",
    """WITH person AS (
         INSERT INTO stakeholders (id, site_id, first_name, last_name)
         VALUES (gen_random_uuid(), $1, 'Bo ' || $2::int, 'Brook') ON CONFLICT DO NOTHING RETURNING id)
       INSERT INTO endorsements (id, site_id, campaign_id, stakeholder_id)
       SELECT gen_random_uuid(), $1, c.id, person.id
         FROM person, (SELECT id FROM campaigns ORDER BY locale, slug LIMIT 4) c""",
    f"""INSERT INTO media (id, site_id, filename, digest, content_type, size, width, height, alt_text)
        VALUES (gen_random_uuid(), $1, 'p' || $2::int % 3 || '.webp', '{PICTURES[0]}', 'image/webp', 7,
                8 + $2::int, 6, 'Reeds')""",
    f"""INSERT INTO redirects (id, site_id, from_path, to_path)
        SELECT gen_random_uuid(), $1, {SOME_PATH},
               '/campaigns/c' || ($2::int + 1) % 5 || '/'""",
    """INSERT INTO redirects (id, site_id, from_path, to_path)
       VALUES (gen_random_uuid(), $1, '/older/', '/old/')""",
    """INSERT INTO site_hosts (site_id, host) VALUES ($1, 'h' || $2::int || '.' || ($1::uuid)::text)""",
    f"""INSERT INTO tombstones (id, site_id, path, reason)
        SELECT gen_random_uuid(), $1, {SOME_PATH}, 'odd'""",
)
DELETES = tuple(
    f"DELETE FROM {table} WHERE id = $1"
    for table in (
        "campaigns",
        "homepages",
        "content_blocks",
        "endorsements",
        "stakeholders",
        "media",
        "redirects",
        "tombstones",
    )
)
SWITCH_ALL = "UPDATE campaigns SET active = $2::int % 2 = 1 WHERE site_id = $1"
