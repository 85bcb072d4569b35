"""Settings: from variables to values, what is refused, what a child process gets."""

from pathlib import Path

import pytest
from rich.pretty import pretty_repr

from app.errors import ConfigurationError
from app.settings import INSECURE_SECRET, Settings, child_environment, read_settings

PRODUCTION = {
    "HUSTINGS_ENV": "production",
    "HUSTINGS_SECRET_KEY": "s" * 32,
    "HUSTINGS_DATABASE_URL": "postgresql://app:pw@db.internal/hustings?sslmode=require",
    "HUSTINGS_STORE_URL": "file:///srv/hustings",
    "HUSTINGS_ALLOWED_HOSTS": "www.example.org",
}


def refusal(environ: dict[str, str]) -> str:
    with pytest.raises(ConfigurationError) as refused:
        read_settings(environ)
    return refused.value.detail


def test_without_variables_everything_has_its_default() -> None:
    assert read_settings({"HOME": "/home/ada", "HUSTINGS_PORT": ""}) == Settings()


def test_text_becomes_values() -> None:
    settings = read_settings(
        {"HUSTINGS_PORT": "9000", "HUSTINGS_DATA": "/srv", "HUSTINGS_LOG_LEVEL": "debug"}
    )
    assert (settings.port, settings.data, settings.log_level) == (9000, Path("/srv"), "debug")
    assert not settings.is_production


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("HUSTINGS_PROT", "HUSTINGS_PROT is not a setting. Did you mean HUSTINGS_PORT?"),
        ("HUSTINGS_QQQQQQ", "HUSTINGS_QQQQQQ is not a setting. README lists them; remove it."),
    ],
)
def test_an_unknown_variable_is_named_with_what_was_meant(name: str, sentence: str) -> None:
    assert refusal({name: "1"}) == sentence


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("PORT", "many", "HUSTINGS_PORT: Expected `int`, got `str`."),
        ("ENV", "test", "HUSTINGS_ENV: Invalid enum value 'test'."),
        ("PORT", "0", "HUSTINGS_PORT must lie between 1 and 65535."),
        ("PORT", "65536", "HUSTINGS_PORT must lie between 1 and 65535."),
        ("WORKERS", "65", "HUSTINGS_WORKERS must lie between 1 and 64."),
        ("DATABASE_POOL_SIZE", "0", "HUSTINGS_DATABASE_POOL_SIZE must lie between 1 and 500."),
        ("DATABASE_URL", "mysql://db/x", "HUSTINGS_DATABASE_URL must start with postgresql://"),
        ("DATABASE_OWNER_URL", "db", "HUSTINGS_DATABASE_OWNER_URL must start with postgresql://"),
        ("STORE_URL", "s3://bucket", "HUSTINGS_STORE_URL must start with file://, s3+http://, s3+https://"),
    ],
)
def test_a_bad_value_is_named_with_its_rule(name: str, value: str, sentence: str) -> None:
    assert refusal({f"HUSTINGS_{name}": value}) == sentence


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:s3cret/pw@127.0.0.1/db",
        "postgresql://u:s3cret#pw@127.0.0.1/db",
        "postgresql://u:1#s3cret@127.0.0.1/db",
        "postgresql://u:1?s3cret@127.0.0.1/db",
        "postgresql://u:s3cret@[::1/db",
        "postgresql://u:s3cret@[::1]:x/db",
        "postgresql://u:s3cret@db:65536/db",
    ],
)
@pytest.mark.parametrize("name", ["DATABASE_URL", "DATABASE_OWNER_URL", "DATABASE_DIRECT_URL"])
def test_a_url_that_cannot_be_read_is_refused_and_its_password_kept(name: str, url: str) -> None:
    sentence = refusal({f"HUSTINGS_{name}": url})
    assert sentence.startswith(f"HUSTINGS_{name} cannot be read. Percent-encode special characters")
    assert "s3cret" not in sentence


def test_production_starts_with_what_it_needs() -> None:
    assert read_settings(PRODUCTION).is_production


@pytest.mark.parametrize("name", ["DATABASE_URL", "STORE_URL", "ALLOWED_HOSTS"])
def test_production_needs_each_of_these(name: str) -> None:
    assert refusal(PRODUCTION | {f"HUSTINGS_{name}": ""}) == f"HUSTINGS_{name} is required in production."


@pytest.mark.parametrize("secret", ["", INSECURE_SECRET, "s" * 31])
def test_production_needs_a_secret_of_its_own(secret: str) -> None:
    assert "HUSTINGS_SECRET_KEY needs at least 32" in refusal(PRODUCTION | {"HUSTINGS_SECRET_KEY": secret})


OPEN = [
    "postgresql://app@db.internal/x",
    "postgresql://app@db.internal/x?sslmode=disable",
    "postgresql://app@db.internal/x?sslmode=prefer",
    "postgresql://app@db.internal/x?sslmode=require&sslmode=disable",
    "postgresql://app@db.internal/x?application_name=sslmode%3Drequire",
    "postgresql://app@localhost.example.org/x",
    "postgresql://app@127.0.0.1.example.org/x",
    "postgresql://app:@localhost@db.internal/x",
    "postgresql://app@localhost,db.internal/x",
    "postgresql://app@/x?host=db.internal",
    "postgresql://app@/x?host=/run/postgresql,db.internal",
    "postgresql://app@db.internal/x?host=/run/postgresql",
]
CLOSED = [
    "postgresql://app@db.internal:5432/x?sslmode=require",
    "postgresql://app@db.internal/x?sslmode=verify-ca",
    "postgresql://app@db.internal/x?sslmode=verify-full",
    "postgresql://app@localhost:5432/x",
    "postgresql://app@LOCALHOST/x",
    "postgresql://app@127.0.0.1/x",
    "postgresql://app@[::1]:5432/x",
    "postgresql://app@/x",
    "postgresql:///x?host=/run/postgresql",
    "postgresql://app@%2Frun%2Fpostgresql/x",
]


@pytest.mark.parametrize("url", OPEN)
@pytest.mark.parametrize("name", ["DATABASE_URL", "DATABASE_OWNER_URL", "DATABASE_DIRECT_URL"])
def test_production_reaches_another_machine_only_encrypted(name: str, url: str) -> None:
    sentence = f"HUSTINGS_{name} needs sslmode=require, verify-ca or verify-full in production."
    assert refusal(PRODUCTION | {f"HUSTINGS_{name}": url}) == sentence


@pytest.mark.parametrize("url", CLOSED)
def test_production_accepts_encryption_sockets_and_its_own_machine(url: str) -> None:
    assert read_settings(PRODUCTION | {"HUSTINGS_DATABASE_URL": url}).database_url == url


@pytest.mark.parametrize("url", OPEN)
def test_development_may_reach_any_database(url: str) -> None:
    assert read_settings({"HUSTINGS_DATABASE_URL": url}).database_url == url


@pytest.mark.parametrize("environ", [{}, PRODUCTION, {"HUSTINGS_PORT": "9000", "HUSTINGS_DATA": "x y"}])
def test_a_child_process_reads_the_same_settings(environ: dict[str, str]) -> None:
    settings = read_settings(environ)
    assert read_settings(child_environment(settings)) == settings


@pytest.mark.parametrize("url", ["file:///srv/store", "s3+http://k:s@h/bucket", "s3+https://k:s@h/bucket"])
def test_every_kind_of_store_is_accepted(url: str) -> None:
    assert read_settings({"HUSTINGS_STORE_URL": url}).store_url == url


def test_another_kind_of_store_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="HUSTINGS_STORE_URL must start with file://, s3"):
        read_settings({"HUSTINGS_STORE_URL": "ftp://host/store"})


@pytest.mark.parametrize("host", ["s3.example.org", "10.0.0.7:9000", "a/b@localhost"])
def test_production_refuses_a_store_in_clear(host: str) -> None:
    with pytest.raises(ConfigurationError, match=r"needs s3\+https:// in production") as caught:
        read_settings({**PRODUCTION, "HUSTINGS_STORE_URL": f"s3+http://key:topsecret@{host}/bucket"})
    assert "topsecret" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "s3+https://k:s@s3.example.org/bucket",
        "s3+http://k:s@localhost:9000/bucket",
        "s3+http://k:s@[::1]:9000/bucket",
        "s3+http://k:s@127.0.0.1/bucket",
    ],
)
def test_production_accepts_a_store_over_tls_or_on_this_machine(url: str) -> None:
    assert read_settings({**PRODUCTION, "HUSTINGS_STORE_URL": url}).store_url == url


@pytest.mark.parametrize(
    "url", ["webhook+https://:s@h/x", "fastly://t@S", "cloudflare://t@Z", "cloudfront://k:s@D"]
)
def test_every_kind_of_purge_is_accepted(url: str) -> None:
    assert read_settings({**PRODUCTION, "HUSTINGS_PURGE_URL": url}).purge_url == url


def test_another_kind_of_purge_is_refused() -> None:
    said = refusal({"HUSTINGS_PURGE_URL": "https://topsecret@cdn.example/"})
    assert said.startswith("HUSTINGS_PURGE_URL must start with webhook+https://, webhook+http://, fastly://")
    assert "topsecret" not in said


@pytest.mark.parametrize(
    ("url", "is_accepted"),
    [
        ("webhook+http://:topsecret@hooks.example/", False),
        ("webhook+http://:topsecret@[::1/", False),
        ("webhook+http://:topsecret@127.0.0.1:9000/", True),
        ("fastly://topsecret@ID?api=http://proxy.example", False),
        ("fastly://topsecret@ID?api=http://localhost:9000", True),
        ("fastly://topsecret@ID?api=https://proxy.example", True),
    ],
)
def test_production_tells_purges_only_in_secret(url: str, is_accepted: bool) -> None:
    environ = {**PRODUCTION, "HUSTINGS_PURGE_URL": url}
    if is_accepted:
        assert read_settings(environ).purge_url == url
    else:
        assert refusal(environ).startswith("HUSTINGS_PURGE_URL needs https in production")


def test_settings_show_no_secret() -> None:
    settings = Settings(
        secret_key="a-topsecret-key",
        store_url="s3+https://key:topsecret%2F1@host/bucket",
        purge_url="webhook+https://topsecret@hooks.example/topsecret?topsecret",
        database_url="postgresql://app:topsecret:2@host/hustings",
        database_owner_url="postgresql:///hustings?user=owner&password=topsecret&host=/run",
    )
    for shown in (repr(settings), str(settings), pretty_repr(settings)):
        assert "topsecret" not in shown
        assert "s3+https://key:...@host/bucket" in shown
        assert "port=8000" in shown
