"""Which site a command is about: `--site` before or after the subcommand."""

from collections.abc import Callable
from typing import Any, TypeVar
from uuid import UUID

import rich_click as click
from click import get_current_context

from app.errors import NotFound, Unprocessable
from app.publishing.engine import Engine

_SITE = "hustings.site"

F = TypeVar("F", bound=Callable[..., Any])


def site_option(function: F) -> F:
    """Adds `--site`, whose value `chosen_site` gives."""
    return click.option(
        "--site",
        metavar="SLUG",
        help="The site; needed when there are several.",
        expose_value=False,
        callback=_remember,
    )(function)


def chosen_site() -> str | None:
    """The slug given by `--site`, wherever it stood on the command line."""
    slug: str | None = get_current_context().meta.get(_SITE)
    return slug


async def all_sites(engine: Engine) -> dict[str, UUID]:
    """Slug to id of each active site, the oldest first."""
    rows = await engine.pool.fetch("SELECT slug, id FROM site_directory() WHERE status = 'active'")
    return {row["slug"]: row["id"] for row in rows}


async def sites_of(engine: Engine, slug: str | None) -> dict[str, UUID]:
    """The site of that slug, or each without one. Raises NotFound that names those there are."""
    sites = await all_sites(engine)
    if not sites:
        raise NotFound("There is no site yet. Load one with `hustings content load DIR`.")
    if slug is None:
        return sites
    if slug not in sites:
        raise NotFound(f"There is no site {slug}; the sites are: {', '.join(sites)}.")
    return {slug: sites[slug]}


async def one_site(engine: Engine, slug: str | None) -> tuple[str, UUID]:
    """Slug and id. Raises Unprocessable when there are several to choose from."""
    sites = await sites_of(engine, slug)
    if len(sites) > 1:
        raise Unprocessable(f"Name the site with --site; the sites are: {', '.join(sites)}.")
    return next(iter(sites.items()))


def _remember(context: click.Context, _: click.Parameter, value: str | None) -> None:
    if value is not None:
        context.meta[_SITE] = value
