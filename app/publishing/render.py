"""From a struct to the bytes of a page, and what is stored of them."""

import hashlib
from typing import Literal

import jinja2
import msgspec
from isal import isal_zlib

from app.errors import PublishError
from app.publishing import checks
from app.publishing.checks import Frame, PageFacts, examine
from app.publishing.kinds import HTML, Loaded, PageKind, Raw, Redirect, SiteFacts
from app.publishing.manifest import NOT_FOUND_PATH, Encoding, Entry, blob_digest, blob_key
from app.publishing.templating import FRAGMENTS, Shared
from app.storage.facade import Item

# For a page of 10 kB gzip at level 3 costs 40 microseconds, brotli at level 9 4,000 for a tenth fewer bytes:
# brotli is made after the flip, see `app.publishing.compress`.
GZIP_LEVEL = 3
GZIP_FORMAT = 31
FEWEST_FOR_BROTLI = 512
"""Bytes; below it the savings would not be worth an object."""
COMPRESSIBLE = ("text/", "application/xml", "application/json", "application/javascript", "image/svg+xml")

_encoder = msgspec.json.Encoder(order="deterministic")


class Output(msgspec.Struct, frozen=True):
    """A made path: its entry in the manifest, and the objects that the entry needs in the store."""

    path: str
    entry: Entry
    items: tuple[Item, ...]
    facts: PageFacts | None = None
    """What its examination found; None for what is not examined."""


class Recipe:
    """All that is not content: templates, their digests, the shell of the site."""

    def __init__(
        self, environment: jinja2.Environment, digests: dict[str, str], site: SiteFacts, program: str
    ) -> None:
        """`program` is a digest of the code: it decides what is looked at, not what is made anew."""
        self.environment = environment
        self.shell = site.shell
        self.frame = Frame(site.base_url, frozenset(site.links))
        self._program = program
        self._digests = digests
        self._shared = Shared(environment, site.shell)
        fragments = [digests.get(name, "") for name in FRAGMENTS.values()]
        shell = (site.shell, site.base_url, sorted(self.frame.links), checks.VERSION)
        self._shell_digest = _digest(_encoder.encode(shell), *fragments)

    def fingerprint(self, kind: PageKind, loaded: Loaded) -> str:
        """Equal for equal input: the encoded struct, the template with all it includes, the shell."""
        how = f"{kind.name} {kind.cache} {GZIP_LEVEL} {FEWEST_FOR_BROTLI}"
        if kind.template is None:
            return _digest(how, _raw(loaded))
        return _digest(how, self._digests[kind.template], self._shell_digest, _encoder.encode(loaded))

    def digest(self, kinds: tuple[PageKind, ...]) -> str:
        """Changes when any page might look different with the same content."""
        parts = [f"{kind.name} {self._digests.get(kind.template or '', '')}" for kind in kinds]
        return _digest(self._program, self._shell_digest, *parts)

    def render(self, kind: PageKind, path: str, loaded: Loaded) -> tuple[bytes, str]:
        """Body and content type. Raises PublishError that names the page."""
        if isinstance(loaded, Raw):
            return loaded.body, loaded.content_type
        assert kind.template is not None  # noqa: S101 - without a template a kind gives Raw or Redirect
        try:
            template = self.environment.get_template(kind.template)
            return template.render(
                page=loaded, site=self.shell, path=path, shared=self._shared
            ).encode(), HTML
        except Exception as error:
            where = f"{kind.template}:{_line(error, kind.template)}"
            raise PublishError(f"The page {path} cannot be rendered: {where} {error}") from error


def output(recipe: Recipe, kind: PageKind, path: str, loaded: Loaded, fingerprint: str) -> Output:
    """What to store and what to answer at one path that is there."""
    if isinstance(loaded, Redirect):
        return Output(path, Entry(status=301, location=loaded.location, fingerprint=fingerprint), ())
    body, content_type = recipe.render(kind, path, loaded)
    if not body:
        raise PublishError(f"The page {path} is empty. Nobody wants to publish that: look at its content.")
    facts = examine(path, body, content_type, recipe.frame)
    made = stored(path, body, content_type, kind, fingerprint)
    entry = msgspec.structs.replace(made.entry, links=facts.links) if facts else made.entry
    return Output(path, entry, made.items, facts)


def stored(path: str, body: bytes, content_type: str, kind: PageKind, fingerprint: str) -> Output:
    name = blob_digest(content_type, body)
    items = [Item(blob_key(name), body, content_type)]
    encodings: tuple[Encoding, ...] = ()
    if content_type.startswith(COMPRESSIBLE):
        packed = isal_zlib.compress(body, GZIP_LEVEL, GZIP_FORMAT)
        if len(packed) < len(body):
            items.append(Item(blob_key(name, "gz"), packed, content_type))
            encodings = ("br", "gz") if len(body) >= FEWEST_FOR_BROTLI else ("gz",)
    entry = Entry(
        status=status_of(path),
        blob=name,
        content_type=content_type,
        cache=kind.cache,
        size=len(body),
        encodings=encodings,
        fingerprint=fingerprint,
    )
    return Output(path, entry, tuple(items))


def status_of(path: str) -> Literal[200, 404]:
    """The page for unknown paths answers 404 wherever it is shown."""
    return 404 if path == NOT_FOUND_PATH else 200


def _raw(loaded: Loaded) -> bytes:
    if isinstance(loaded, Raw):
        return loaded.content_type.encode() + b"\0" + loaded.body
    return _encoder.encode(loaded)


def _digest(*parts: str | bytes) -> str:
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode() if isinstance(part, str) else part
        digest.update(len(data).to_bytes(8, "big"))
        digest.update(data)
    return digest.hexdigest()


def _line(error: Exception, template: str) -> int | str:
    """The line in the template where it went wrong, from the traceback that Jinja2 rewrites."""
    line: int | str = getattr(error, "lineno", None) or "?"
    step = error.__traceback__
    while step is not None:
        if step.tb_frame.f_code.co_filename.endswith(template):
            line = step.tb_lineno
        step = step.tb_next
    return line
