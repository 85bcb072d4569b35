"""From the setting HUSTINGS_PURGE_URL to the service that is told of purges."""

import re
from typing import NoReturn
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from app.errors import ConfigurationError
from app.kit.clock import Clock, system_clock
from app.publishing.afterwards import cloudflare, cloudfront, fastly
from app.publishing.afterwards.calls import Calls
from app.publishing.afterwards.cloudflare import Cloudflare
from app.publishing.afterwards.cloudfront import CloudFront
from app.publishing.afterwards.fastly import Fastly
from app.publishing.afterwards.purger import Purger
from app.publishing.afterwards.webhook import Webhook

FORMS = {
    "webhook+https": "webhook+https://:SECRET@HOST/PATH",
    "webhook+http": "webhook+http://:SECRET@HOST/PATH",
    "fastly": "fastly://TOKEN@SERVICE",
    "cloudflare": "cloudflare://TOKEN@ZONE",
    "cloudfront": "cloudfront://KEY:SECRET@DISTRIBUTION",
}
_ID = re.compile(r"[A-Za-z0-9_-]{1,64}")


def open_purger(url: str | None, calls: Calls, clock: Clock = system_clock) -> Purger | None:
    """None without a URL. Secrets are percent-decoded.

    `?api=https://HOST` names another address of Fastly's, Cloudflare's or CloudFront's API. Raises
    ConfigurationError, which never repeats the URL.
    """
    if url is None:
        return None
    scheme = url.partition("://")[0]
    if scheme not in FORMS:
        raise ConfigurationError(f"HUSTINGS_PURGE_URL must look like {' or '.join(FORMS.values())}.")
    try:
        parts = urlsplit(url)
        _ = parts.port if scheme.startswith("webhook") else None
    except ValueError:
        _refuse(scheme, "its host or port cannot be read; write / in a secret as %2F")
    if scheme.startswith("webhook"):
        return _webhook(parts, calls, clock)
    secrets, _, name = parts.netloc.rpartition("@")
    user, _, password = (unquote(part) for part in secrets.partition(":"))
    if not _ID.fullmatch(name) or parts.path.strip("/"):
        _refuse(scheme, "what stands after the @ is not an id: letters, digits, hyphens, nothing behind it")
    if scheme == "cloudfront":
        if not _ID.fullmatch(user) or not password:
            _refuse(scheme, "it has no key or no secret")
        api = _api(parts, cloudfront.API)
        return CloudFront(calls, name, cloudfront.signer_of(user, password), clock, api)
    token = user or password
    if not token or not token.isascii() or not token.isprintable():
        _refuse(scheme, "it has no token that could be sent")
    if scheme == "fastly":
        return Fastly(calls, name, token, _api(parts, fastly.API))
    return Cloudflare(calls, name, token, _api(parts, cloudflare.API))


def _webhook(parts: SplitResult, calls: Calls, clock: Clock) -> Webhook:
    secret = unquote(parts.password or parts.username or "")
    if not parts.hostname or not secret:
        _refuse(parts.scheme, "it names no host, or has no secret to sign with")
    query = f"?{parts.query}" if parts.query else ""
    place = parts.netloc.rpartition("@")[2]
    url = f"{parts.scheme.removeprefix('webhook+')}://{place}{parts.path or '/'}{query}"
    try:
        return Webhook(calls, url, secret, clock)
    except ValueError:
        _refuse(parts.scheme, "what stands behind whsec_ is not base64; write / as %2F, + as %2B")


def _api(parts: SplitResult, default: str) -> str:
    if not parts.query:
        return default
    told = dict(parse_qsl(parts.query))
    api = urlsplit(told.get("api", ""))
    if set(told) != {"api"} or api.scheme not in {"http", "https"} or not api.netloc:
        _refuse(parts.scheme, "behind the id only ?api=https://HOST may stand")
    return f"{api.scheme}://{api.netloc}"


def _refuse(scheme: str, reason: str) -> NoReturn:
    raise ConfigurationError(f"HUSTINGS_PURGE_URL must look like {FORMS[scheme]}, but {reason}.")
