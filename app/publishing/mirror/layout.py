"""How a release lies in a tree that nginx serves without being told of anything but one link.

files/page|feed|immutable/…    by cache class, so that the tree and not the configuration says it
gone/<path>@                   the page of a path that answers 410
redirects/<path>@              a link to locations/<where it leads>@, which nginx reads as $realpath_root
"""

from collections.abc import Iterator

import msgspec

from app.publishing.gateway.answers import GONE, plain
from app.publishing.gateway.paths import location_of
from app.publishing.kinds import HTML
from app.publishing.manifest import Encoding, Manifest, blob_digest
from app.publishing.mirror.source import MirrorRefused, Placed
from app.storage.web import LONGEST, check_name

END = "@"
CLASSES = ("page", "feed", "immutable")
TYPES = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "txt": "text/plain; charset=utf-8",
    "xml": "application/xml; charset=utf-8",
    "atom": "application/atom+xml; charset=utf-8",
    "json": "application/json; charset=utf-8",
    "webmanifest": "application/manifest+json",
    "svg": "image/svg+xml",
    "webp": "image/webp",
    "avif": "image/avif",
    "png": "image/png",
    "jpg": "image/jpeg",
    "ico": "image/x-icon",
    "woff2": "font/woff2",
    "pdf": "application/pdf",
}
"""By the ending of a name, as the configuration in README has it: a plain server knows nothing else."""
GONE_BODY = plain(GONE, ()).body
GONE_BLOB = blob_digest(HTML, GONE_BODY)


class Blob(msgspec.Struct, frozen=True):
    name: str
    content_type: str
    size: int
    encodings: tuple[Encoding, ...]


def blobs_in(manifest: Manifest) -> dict[str, Blob]:
    found = {GONE_BLOB: Blob(GONE_BLOB, HTML, len(GONE_BODY), ())}
    served = (entry for _, entry in manifest.items() if entry.blob is not None)
    for entry in served:
        name = entry.blob or ""
        found[name] = Blob(name, entry.content_type, entry.size, entry.encodings)
    return found


def links(files: dict[str, Placed], manifest: Manifest) -> Iterator[tuple[str, str]]:
    """Name in the tree, and the blob that lies there: with compressed siblings, where there may be one."""
    for name, placed in files.items():
        yield f"files/{placed.cache}/{name}", placed.blob
        if f"{name}.gz" not in files:
            yield f"files/{placed.cache}/{name}.gz", f"{placed.blob}.gz"
    for path, entry in manifest.items():
        if entry.status == 410:
            yield f"gone{path}{END}", entry.blob or GONE_BLOB
            if entry.blob is not None:
                yield f"gone{path}{END}.gz", f"{entry.blob}.gz"


def check_layout(manifest: Manifest) -> None:
    """Raises MirrorRefused, NameRefused for what cannot lie in a tree, before anything is written."""
    for name, to in leads(manifest):
        check_name(name, LONGEST)
        check_name(to, LONGEST)
    for name, _ in links({}, manifest):
        check_name(name, LONGEST)


def leads(manifest: Manifest) -> Iterator[tuple[str, str]]:
    """Name of each redirect in the tree, and of the folder that says where it leads."""
    for path, entry in manifest.items():
        if entry.location is not None:
            yield f"redirects{path}{END}", f"locations{expressed(path, entry.location)}{END}"


def expressed(path: str, location: str) -> str:
    """The location as the path of a folder, or MirrorRefused. A browser reads it as the same address."""
    quoted = location_of(location, b"").decode()
    if not quoted.startswith("/") or quoted.startswith("//"):
        raise MirrorRefused(f"{path} leads to {location[:80]}, which is no path of this site.")
    split = min((quoted.find(mark) for mark in "?#" if mark in quoted), default=len(quoted))
    front, rest = quoted[:split], quoted[split:].replace("/", "%2F")
    first, *segments = front.split("/")
    last = len(segments) - 1
    kept = [_dotless(segment) for place, segment in enumerate(segments) if segment or place == last]
    return "/".join([first, *kept]) + rest


def unknown_types(files: dict[str, Placed]) -> list[str]:
    """Files whose content type a plain server would get wrong."""
    return sorted(
        name for name, file in files.items() if TYPES.get(name.rpartition(".")[2]) != file.content_type
    )


def _dotless(segment: str) -> str:
    return segment.replace(".", "%2E") if segment in {".", ".."} else segment
