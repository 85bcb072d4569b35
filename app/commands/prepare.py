"""What `hustings up` does between the database and the server: content for the first visitor."""

from collections.abc import Callable
from pathlib import Path

from app.commands.publish import Options, publish_sites
from app.commands.sites import all_sites
from app.kit.resources import resource
from app.packing import PACKS
from app.packs.load import load_pack
from app.publishing.engine import Engine
from app.settings import Settings
from app.wiring import open_engine

MARKER = "demo-loaded"
"""Written into the data folder last: a start that was killed in the middle begins again."""


async def prepare(settings: Settings, *, demo: bool, say: Callable[[str], None]) -> None:
    """Load the packs of `content/` and publish them, on the first start only (with `demo`).

    A database with sites of its own is left alone.
    """
    if not demo or (settings.data / MARKER).exists():
        return
    async with open_engine(settings) as engine:
        packs = demo_packs()
        if not set(await all_sites(engine)) <= {pack.name for pack in packs}:
            return
        await _load(engine, packs, say)
        await publish_sites(engine, await all_sites(engine), Options())
    (settings.data / MARKER).write_text("")


def demo_packs() -> list[Path]:
    """`demo` first: the oldest site answers for unknown hosts."""
    folders = [path.parent for path in resource("content").glob("*/site.toml")]
    return sorted(folders, key=lambda folder: (folder.name != "demo", folder.name))


async def _load(engine: Engine, packs: list[Path], say: Callable[[str], None]) -> None:
    async with engine.pool.acquire() as connection:
        for pack in packs:
            await load_pack(connection, engine.store, pack, PACKS, say=say)
