"""Generated sites for the benchmarks: campaigns with 4 blocks and 20 endorsements, pages of about 8 kB."""

import asyncio

import asyncpg

from app.database.cluster import Cluster
from app.database.migrations import upgrade
from app.database.provision import provision

BLOCKS = 4
ENDORSEMENTS = 20
SITE_ID = "00000000-0000-7000-8000-000000000001"

# Triggers stay out: a log of a million changes is not what is measured.
SITE = """
INSERT INTO sites (id, slug, name, base_url, navigation, settings) VALUES
  ($1, 'bench', 'The river coalition', 'https://bench.example.org',
   '[{"label": "Home", "url": "/"}, {"label": "Campaigns", "url": "/campaigns/"}]',
   '{"footer_text": "We measure rivers, and publish what we find.", "contact_email": "hello@example.org"}')
"""
CAMPAIGNS = """
INSERT INTO campaigns (id, site_id, translation_group_id, number, title, slug, summary, description_html,
                       target_count, target_obligation, created_at, updated_at)
SELECT md5('campaign ' || n)::uuid, $1, md5('group ' || n)::uuid, n,
       'Clean water for district ' || n, 'clean-water-for-district-' || n,
       'The river & its banks in district ' || n || ' need a plan that "everybody" can read.',
       repeat('<p>What the river carries in spring decides what the fields can bear in summer, and no two '
              || 'districts agree on who has to measure it.</p>', 3),
       5000, 'At 5,000 the basin board must answer in public.',
       timestamptz '2026-01-01' + n * interval '1 second', timestamptz '2026-01-01' + n * interval '1 second'
  FROM generate_series($2::int, $3::int) n
"""
BLOCK_ROWS = f"""
INSERT INTO content_blocks (id, site_id, translation_group_id, campaign_id, title, content_html, position,
                            background_color)
SELECT md5('block ' || n || ' ' || b)::uuid, $1, md5('block group ' || n || ' ' || b)::uuid,
       md5('campaign ' || n)::uuid, 'Part ' || b || ' of the plan for district ' || n,
       '<p>Measured at <strong>' || (n * 7 + b) % 997 || '</strong> places, told in one table.</p>'
       || repeat('<p>It is read by those who live downstream, who were never asked.</p>', 1),
       b, (ARRAY['', '#eef4f4', '#d5e6e6', ''])[1 + b % 4]
  FROM generate_series($2::int, $3::int) n, generate_series(1, {BLOCKS}) b
"""
STAKEHOLDERS = """
INSERT INTO stakeholders (id, site_id, first_name, last_name, organization, stakeholder_type, city, state)
SELECT md5('stakeholder ' || n)::uuid, $1, 'Given ' || n, 'Family ' || n,
       CASE WHEN n % 3 = 0 THEN 'Organization ' || n ELSE '' END,
       (ARRAY['farmer', 'nonprofit', 'individual', 'scientist', 'business'])[1 + n % 5],
       'Town ' || n % 50, 'MD'
  FROM generate_series(1, 5000) n
"""
ENDORSEMENT_ROWS = f"""
INSERT INTO endorsements (id, site_id, stakeholder_id, campaign_id, statement, created_at, updated_at)
SELECT md5('endorsement ' || n || ' ' || e)::uuid, $1,
       md5('stakeholder ' || 1 + (n * {ENDORSEMENTS} + e) % 5000)::uuid, md5('campaign ' || n)::uuid,
       CASE WHEN e % 2 = 0 THEN 'We fish here & drink from it; reason ' || e || '.' ELSE '' END,
       timestamptz '2026-03-01' + e * interval '1 hour', timestamptz '2026-03-01' + e * interval '1 hour'
  FROM generate_series($2::int, $3::int) n, generate_series(1, {ENDORSEMENTS}) e
"""
TALLY = "INSERT INTO campaign_tallies (site_id, locale, class, count) VALUES ($1, 'en', 'open', $2)"
STEP = 10_000
"""Campaigns written by one statement."""


def generate(cluster: Cluster, database: str, campaigns: int) -> str:
    """A database with one site of so many campaigns; returns the URL that the application uses."""
    provision(cluster.url("superuser", "postgres"), database)
    upgrade(cluster.url("owner", database))
    asyncio.run(fill(cluster.url("superuser", database), campaigns))
    return cluster.url("app", database)


async def fill(url: str, campaigns: int) -> None:
    """Write the site into a migrated database, as its superuser."""
    connection = await asyncpg.connect(url)
    try:
        await connection.execute("SET session_replication_role = replica")
        await connection.execute(SITE, SITE_ID)
        await connection.execute(STAKEHOLDERS, SITE_ID)
        for first in range(1, campaigns + 1, STEP):
            last = min(first + STEP - 1, campaigns)
            for statement in (CAMPAIGNS, BLOCK_ROWS, ENDORSEMENT_ROWS):
                await connection.execute(statement, SITE_ID, first, last)
        await connection.execute(TALLY, SITE_ID, campaigns)
        await connection.execute("VACUUM ANALYZE")
    finally:
        await connection.close()
