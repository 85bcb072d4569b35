"""One struct for each look that a page can have, rendered without a database."""

from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import msgspec

from app.campaigns.published import CampaignListing, CampaignPage, StateCount
from app.campaigns.schemas import Endorser, Snapshot
from app.pages.published import GonePage, HomePage, NotFoundPage, SocialLink
from app.pages.schemas import Block, Image, Row, Tally
from app.publishing.templating import Shared, make_environment
from app.sites.contours import contours, icon
from app.sites.schemas import NavigationItem, Shell, Theme
from app.sites.theme import stylesheet
from app.wiring import read_css

TEMPLATES = Path(__file__).parents[2] / "templates"
MOMENT = datetime(2026, 11, 21, 19, 0, tzinfo=UTC)
PICTURE = Image(url="/assets/icon.svg", alt="A drawn river", width=1600, height=1000, credit="Drawing: N. A.")
LONG = "Donaudampfschifffahrtsgesellschaft"

SHELL = Shell(
    slug="demo",
    name="Larkspur River Alliance",
    locale="en",
    base_url="https://demo.example",
    timezone="America/New_York",
    navigation=(
        NavigationItem(label="Campaigns", url="/campaigns/"),
        NavigationItem(label="Road salt", url="/campaigns/open/"),
    ),
    footer_text="Towns that share one river.",
    contact_email="office@larkspur.example",
    stylesheet="/assets/site.css",
    contours="/assets/contours.svg",
    favicon="/assets/icon.svg",
)
ROWS = (
    Row(
        title=f"Keep salt out of the {LONG}",
        url="/campaigns/open/",
        summary="It is in the tap by June.",
        state="open",
        closes_on=date(2027, 2, 26),
        count=5214,
        image=PICTURE,
        as_of=MOMENT,
    ),
    Row(
        title="Mend the pumps",
        url="/campaigns/won/",
        summary="There is a date.",
        state="won",
        closes_on=None,
        count=1,
        image=None,
    ),
    Row(
        title="Bring the reeds back",
        url="/campaigns/closed/",
        summary="Ten years.",
        state="closed",
        closes_on=date(2026, 1, 30),
        count=0,
        image=None,
    ),
)
BLOCKS = (
    Block(
        block_type="text",
        title="Why",
        html="<p>Because of <a href='/'>this</a>.</p><h3>And</h3><ul><li>that</li></ul>",
        image=None,
        band="wash",
        css_classes=("narrow",),
    ),
    *(
        Block(
            block_type="text_image",
            title=f"Beside {side}",
            html="<p>Words beside it.</p>",
            image=PICTURE,
            band="paper",
            css_classes=(),
        )
        for side in ("left", "right")
    ),
    Block(
        block_type="quote",
        title="Ada Orme, Miller",
        html="<p>It is the whole argument.</p>",
        image=None,
        band="paper",
        css_classes=(),
    ),
    Block(block_type="image", title="", html="<p>A valley.</p>", image=PICTURE, band="deep", css_classes=()),
    Block(
        block_type="text",
        title="Loud",
        html="<p><a href='/'>Go</a></p>",
        image=None,
        band="accent",
        css_classes=(),
    ),
)
HOME = HomePage(
    is_holding=False,
    organization_name="Larkspur River Alliance",
    tagline="One river, eleven towns",
    hero_title="Everybody lives\ndownstream of somebody.",
    hero_subtitle="Farmers and watermen agree here.",
    hero_image=None,
    about_section_title="What we work on",
    about_section_html="<p>A river does not care.</p><p>So we decide.</p>",
    blocks=BLOCKS,
    show_campaigns_section=True,
    campaigns_section_title="Campaigns",
    campaigns_section_subtitle="What we ask for",
    campaigns=ROWS,
    campaigns_total=8,
    tally=Tally(people=14382, organizations=61, as_of=MOMENT),
    cta_title="Your name",
    cta_html="<p>Where it counts.</p>",
    cta_button_text="Choose",
    cta_button_url="/campaigns/",
    contact_email="office@larkspur.example",
    contact_phone="410 555 0142",
    social_links=(SocialLink(label="Mastodon", url="https://social.example/@larkspur"),),
    changed_at=MOMENT,
)
HOLDING = HomePage(
    is_holding=True,
    organization_name="Larkspur River Alliance",
    tagline="",
    hero_title="",
    hero_subtitle="",
    hero_image=None,
    about_section_title="",
    about_section_html="",
    blocks=(),
    show_campaigns_section=False,
    campaigns_section_title="",
    campaigns_section_subtitle="",
    campaigns=(),
    campaigns_total=0,
    tally=None,
    cta_title="",
    cta_html="",
    cta_button_text="",
    cta_button_url="",
    contact_email="",
    contact_phone="",
    social_links=(),
    changed_at=None,
)
ENDORSERS = tuple(
    Endorser(
        name="Ada Orme",
        organization="Orme Mill",
        role="Owner",
        stakeholder_type=kind,
        place="Marlow Bridge",
        statement=statement,
        endorsed_on=date(2026, 11, 20),
    )
    for kind, statement in (
        ("business", "Two\nlines & <b>no markup</b>."),
        ("nonprofit", ""),
        ("government", ""),
        ("farmer", "Yes."),
    )
) + tuple(
    Endorser(
        name="Bo Lund",
        organization="",
        role="",
        stakeholder_type=kind,
        place=place,
        statement="",
        endorsed_on=date(2026, 11, 19),
    )
    for kind, place in (("waterman", "Gull Neck"), ("individual", ""), ("other", "Pellham"))
)
OPEN = CampaignPage(
    title="Keep salt out of our wells",
    slug="open",
    summary="It is in the tap by June.",
    html="<p>Salt stays.</p><h2>What we ask</h2><ol><li>Weigh it.</li><li>Say so.</li></ol>",
    state="open",
    closes_on=date(2027, 2, 26),
    outcome_html="",
    image=PICTURE,
    blocks=(),
    endorsements=Snapshot(count=5214, as_of=MOMENT, newest=ENDORSERS),
    target_count=6000,
    target_obligation="At 6,000 the county council must put it on its agenda.",
    changed_at=MOMENT,
)
WON = msgspec.structs.replace(OPEN, state="won", outcome_html="<p>They voted.</p>", blocks=BLOCKS)
NOBODY = Snapshot(count=0, as_of=None, newest=())
LISTING = CampaignListing(
    number=None,
    rows=ROWS,
    total=120,
    states=(StateCount(state="open", count=100), StateCount(state="won", count=20)),
    newer_url=None,
    older_url="/campaigns/page/2/",
    page_numbers=(1, 2),
)
replace = msgspec.structs.replace
PAGES: dict[str, tuple[str, msgspec.Struct]] = {
    "/": ("home", HOME),
    "/pictured/": ("home", replace(HOME, hero_image=PICTURE, campaigns=ROWS[:1], campaigns_total=1)),
    "/bare/": ("home", replace(HOLDING, is_holding=False)),
    "/holding/": ("home", HOLDING),
    "/campaigns/": ("campaigns", LISTING),
    "/campaigns/page/1/": ("campaigns", replace(LISTING, number=1, total=None, states=(), page_numbers=())),
    "/campaigns/none/": (
        "campaigns",
        replace(LISTING, rows=(), total=0, states=(), older_url=None, page_numbers=()),
    ),
    "/campaigns/open/": ("campaign", OPEN),
    "/campaigns/won/": (
        "campaign",
        replace(OPEN, state="won", outcome_html="<p>They voted.</p>", blocks=BLOCKS),
    ),
    "/campaigns/closed/": ("campaign", replace(OPEN, state="closed", closes_on=None, image=None)),
    "/campaigns/new/": ("campaign", replace(OPEN, endorsements=NOBODY, closes_on=None, target_count=None)),
    "/404.html": ("404", NotFoundPage(campaigns=ROWS)),
    "/gone/": ("410", GonePage(gone_on=date(2026, 11, 2))),
}


def files() -> Iterator[tuple[str, str, str]]:
    """Path, content type and text of every page and asset."""
    environment = make_environment(TEMPLATES)
    shared = Shared(environment, SHELL)
    css = read_css(TEMPLATES)
    yield "/assets/site.css", "text/css", stylesheet(Theme(), css)
    yield "/assets/contours.svg", "image/svg+xml", contours("demo", "#f0a830")
    yield "/assets/icon.svg", "image/svg+xml", icon(Theme(), SHELL.name)
    for path, (name, page) in PAGES.items():
        template = environment.get_template(f"site/{name}.html")
        yield path, "text/html", template.render(page=page, site=SHELL, path=path, shared=shared)
