"""What content packs consist of, in an explicit list; a publish needs none of it, nor `app.wiring`."""

from app.campaigns.pack import PACK as CAMPAIGNS
from app.endorsements.pack import PACK as ENDORSEMENTS
from app.packs.parts import Part
from app.pages.pack import PACK as PAGES
from app.sites.pack import PACK as SITE

PACKS: tuple[Part, ...] = (SITE, PAGES, CAMPAIGNS, ENDORSEMENTS)
"""In the order in which it is written."""
