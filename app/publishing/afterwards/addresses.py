"""Where visitors find what a release holds."""

from urllib.parse import quote, urlsplit

from app.publishing.manifest import Root

SAFE = "/-._~!$&'()+,;=:@"
"""What browsers leave as it is in a path."""


def public_url(root: Root) -> str:
    """Scheme and host without a slash at the end; "" when the release was made for this machine alone.

    A site without a base_url is published under a name in `.localhost`.
    """
    host = urlsplit(root.base_url).hostname or ""
    return "" if host == "localhost" or host.endswith(".localhost") else root.base_url.rstrip("/")


def quoted(path: str) -> str:
    """A path of the manifest as a browser asks for it."""
    return quote(path, safe=SAFE)
