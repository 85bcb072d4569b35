"""The configuration: the only reader of the environment."""

import difflib
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal
from urllib.parse import parse_qsl, unquote, urlsplit

import msgspec

from app.errors import ConfigurationError

PREFIX = "HUSTINGS_"
DATABASE_URLS = ("database_url", "database_owner_url", "database_direct_url")
ENCRYPTED = frozenset({"require", "verify-ca", "verify-full"})
LOCAL_HOSTS = frozenset({"", "localhost", "127.0.0.1", "::1"})
UNREADABLE = "cannot be read. Percent-encode special characters of the password, such as %2F for /."
INSECURE_SECRET = "development-only-secret-key"  # noqa: S105 - refused in production

PURGES = ("webhook+https://", "webhook+http://", "fastly://", "cloudflare://", "cloudfront://")
STORES = ("file://", "s3+http://", "s3+https://")
_PASSWORD = re.compile(r"((?<=://)[^:/@]*:).*(?=@)|(\bpassword=)[^&]*")


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Every setting, with the default that `./dev up` works with.

    The name of a variable is `HUSTINGS_` and the field in capitals. README lists them; a test compares.
    """

    env: Literal["development", "production"] = "development"
    data: Path = Path(".local")
    """The folder that holds everything the program writes: the private cluster, logs, mail."""
    host: str = "127.0.0.1"
    port: int = 8000
    workers: int = 1
    """Server processes of `up` and `serve`."""
    database_url: str | None = None
    """`postgresql://` as the application role; without it a private cluster is started in `data`."""
    database_owner_url: str | None = None
    """The same database as the owner of its tables; only `db upgrade` and `db downgrade` use it."""
    database_direct_url: str | None = None
    """Where to LISTEN when `database_url` leads to a pooler in transaction mode."""
    database_pooler: Literal["none", "transaction"] = "none"
    database_pool_size: int = 10
    """Connections for each server process."""
    store_url: str | None = None
    """`file:///path` or `s3+https://KEY:SECRET@HOST/BUCKET` (`app.storage.urls`).

    Without it the folder `build/` of the project, or `DATA/build` with `--data`.
    """
    purge_url: str | None = None
    """What is told to forget changed pages, with its secrets (`app.publishing.afterwards.urls`)."""
    mirror_url: str | None = None
    """Where `releases mirror` copies the live release to; addresses as of `store_url`."""
    secret_key: str = INSECURE_SECRET
    """Signs cursors; at least 32 characters in production."""
    default_site: str | None = None
    """Slug of the site that answers for unknown hosts; without it the oldest."""
    allowed_hosts: str = ""
    """Hosts of the API, separated by commas; required in production, empty means any."""
    refresh_minutes: int = 0
    """How often workers publish what moved without an editor; 0: never."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["auto", "console", "json"] = "auto"

    @property
    def is_production(self) -> bool:
        return self.env == "production"

    def __repr__(self) -> str:
        """Without secrets, so that no log and no traceback shows them."""
        told = ", ".join(f"{name}={value!r}" for name, value in self.__rich_repr__())
        return f"Settings({told})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [(field, _without_secret(field, getattr(self, field))) for field in self.__struct_fields__]


def read_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """Settings from `environ` (default: the process's own).

    Raises ConfigurationError naming the first variable that is unknown or has a bad value.
    """
    values = {
        name: value
        for name, value in (os.environ if environ is None else environ).items()
        if name.startswith(PREFIX)
    }
    known = {PREFIX + field.upper(): field for field in Settings.__struct_fields__}
    fields: dict[str, str] = {}
    for name, value in values.items():
        if name not in known:
            raise ConfigurationError(f"{name} is not a setting.{_suggestion(name, known)}")
        if value != "":
            fields[known[name]] = value
    settings = _convert(fields)
    _check_values(settings)
    if settings.is_production:
        _check_production(settings)
    return settings


def child_environment(settings: Settings) -> dict[str, str]:
    """The environment that gives a child process exactly these settings."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    for field in Settings.__struct_fields__:
        value = getattr(settings, field)
        if value is not None:
            environment[PREFIX + field.upper()] = str(value)
    return environment


def _without_secret(field: str, value: Any) -> Any:
    if field == "secret_key" and value != INSECURE_SECRET:
        return "..."
    if field == "purge_url" and value is not None:  # a token has no place of its own, and a path may be one
        return f"{str(value).partition('://')[0]}://..."
    return _PASSWORD.sub(r"\1\2...", value) if isinstance(value, str) else value


def _suggestion(name: str, known: Mapping[str, str]) -> str:
    names = [setting.removeprefix(PREFIX) for setting in known]
    near = difflib.get_close_matches(name.removeprefix(PREFIX), names, n=1)
    return f" Did you mean {PREFIX}{near[0]}?" if near else " README lists them; remove it."


def _convert(fields: dict[str, str]) -> Settings:
    try:
        return msgspec.convert(fields, Settings, strict=False, dec_hook=_decode)
    except msgspec.ValidationError as error:
        message, _, path = str(error).partition(" - at `$.")
        field = path.rstrip("`")
        raise ConfigurationError(f"{PREFIX}{field.upper()}: {message}.") from None


def _decode(wanted: type, value: object) -> object:
    if wanted is Path:
        return Path(str(value))
    raise TypeError(f"no rule for {wanted}")


def _check_values(settings: Settings) -> None:
    ranges = {"port": (1, 65535), "workers": (1, 64), "database_pool_size": (1, 500)}
    ranges["refresh_minutes"] = (0, 60)
    for field, (low, high) in ranges.items():
        if not low <= getattr(settings, field) <= high:
            raise ConfigurationError(f"{PREFIX}{field.upper()} must lie between {low} and {high}.")
    for field in DATABASE_URLS:
        if (value := getattr(settings, field)) is not None:
            _hosts_and_options(PREFIX + field.upper(), value)
    if settings.purge_url is not None and not settings.purge_url.startswith(PURGES):
        raise ConfigurationError(f"HUSTINGS_PURGE_URL must start with {', '.join(PURGES)}")
    for field in ("store_url", "mirror_url"):
        if (url := getattr(settings, field)) is not None and not url.startswith(STORES):
            raise ConfigurationError(f"{PREFIX}{field.upper()} must start with {', '.join(STORES)}")


def _check_production(settings: Settings) -> None:
    if settings.secret_key == INSECURE_SECRET or len(settings.secret_key) < 32:
        raise ConfigurationError(
            "HUSTINGS_SECRET_KEY needs at least 32 characters of your own in production."
        )
    for field in ("database_url", "store_url", "allowed_hosts"):
        if not getattr(settings, field):
            raise ConfigurationError(f"{PREFIX}{field.upper()} is required in production.")
    for field in DATABASE_URLS:
        if (url := getattr(settings, field)) is not None:
            _check_encryption(PREFIX + field.upper(), url)
    if (settings.store_url or "").startswith("s3+http://") and not _is_local(settings.store_url):
        raise ConfigurationError(
            "HUSTINGS_STORE_URL needs s3+https:// in production, but for this machine's own."
        )
    if settings.purge_url is not None and not _is_told_in_secret(settings.purge_url):
        raise ConfigurationError("HUSTINGS_PURGE_URL needs https in production, but for this machine's own.")


def _is_told_in_secret(url: str) -> bool:
    """Tokens cross a network only encrypted; `api` is another address of a service's API."""
    query = url.partition("?")[2]
    api = dict(parse_qsl(query)).get("api", "") if not url.startswith("webhook+") else ""
    return all(
        not address.startswith(("http://", "webhook+http://")) or _is_local(address) for address in (url, api)
    )


def _check_encryption(name: str, url: str) -> None:
    """Passwords and people's addresses cross a network only encrypted."""
    hosts, options = _hosts_and_options(name, url)
    if not (hosts <= LOCAL_HOSTS or options.get("sslmode") in ENCRYPTED):
        raise ConfigurationError(f"{name} needs sslmode=require, verify-ca or verify-full in production.")


def _hosts_and_options(name: str, url: str) -> tuple[set[str], dict[str, str]]:
    """Hosts as the driver reads them, "" for a socket. Nothing of the URL is quoted: it holds a password."""
    if not url.startswith(("postgresql://", "postgres://")):
        raise ConfigurationError(f"{name} must start with postgresql://")
    try:
        parts = urlsplit(url)
        options = dict(parse_qsl(parts.query, strict_parsing=True)) if parts.query else {}
        addresses = [*parts.netloc.rpartition("@")[2].split(","), *options.get("host", "").split(",")]
        hosts = {_host(unquote(address)) for address in addresses}
    except ValueError:
        raise ConfigurationError(f"{name} {UNREADABLE}") from None
    if parts.fragment:
        raise ConfigurationError(f"{name} {UNREADABLE}")
    return hosts, options


def _host(address: str) -> str:
    """The host of `host:port`, "" for the folder of a socket. Raises ValueError for a bad port."""
    if address.startswith("/"):
        return ""
    host, _, port = address.rpartition("]") if address.startswith("[") else address.partition(":")
    if port.removeprefix(":") and not 1 <= int(port.removeprefix(":")) <= 65535:
        raise ValueError(port)
    return host.removeprefix("[").lower()


def _is_local(url: str | None) -> bool:
    try:
        return urlsplit(url or "").hostname in LOCAL_HOSTS - {""}
    except ValueError:
        return False
