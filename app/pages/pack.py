"""What a content pack holds of this domain: media, home page, tree of pages, redirects."""

from collections.abc import Sequence

from app.packs.parts import Content, Dumping, Loading, Part, Reading
from app.pages.pack_home import dump_home, read_home
from app.pages.pack_media import check_pictures, dump_media, read_media
from app.pages.pack_redirects import dump_redirects, read_redirects
from app.pages.pack_tree import dump_tree, read_tree


class PagesContent:
    """Several contents as one; they are pruned from the last to the first."""

    def __init__(self, contents: Sequence[Content]) -> None:
        self._contents = contents

    async def check(self, load: Loading) -> None:
        for content in self._contents:
            await content.check(load)

    async def prune(self, load: Loading) -> None:
        for content in reversed(self._contents):
            await content.prune(load)

    async def save(self, load: Loading) -> None:
        for content in self._contents:
            await content.save(load)


def read(pack: Reading) -> PagesContent:
    return PagesContent([read_media(pack), read_home(pack), read_tree(pack), read_redirects(pack)])


async def dump(pack: Dumping) -> None:
    await dump_media(pack)
    await dump_home(pack)
    await dump_tree(pack)
    await dump_redirects(pack)


PACK = Part(read=read, dump=dump, check_references=check_pictures)
