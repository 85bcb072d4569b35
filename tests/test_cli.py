import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import rich_click as click
from click.testing import CliRunner, Result

from app.cli import main
from app.commands.context import command_settings, notice, run
from app.commands.groups import Command, Group, Program
from app.database.cluster import Role, is_running, remove_cluster, running_cluster
from app.errors import FieldError, Unprocessable
from app.settings import Settings
from tests.conftest import Database


@pytest.fixture
def data(tmp_path: Path) -> Iterator[Path]:
    yield tmp_path / "data"
    remove_cluster(tmp_path / "data")


def hustings(*arguments: str | Path, **variables: str) -> Result:
    environment = {f"HUSTINGS_{name.upper()}": value for name, value in variables.items()}
    return CliRunner().invoke(main, [str(argument) for argument in arguments], env=environment)


def program() -> click.Group:
    """A command line of the same make, with a command for each case."""

    @click.group("program", cls=Program)
    def outer() -> None:
        pass

    @click.group("inner", cls=Group)
    def inner() -> None:
        pass

    @inner.command("show")
    def show() -> None:
        settings = command_settings()
        click.echo(json.dumps([str(settings.data), settings.store_url]))

    @click.command("refuse", cls=Command)
    def refuse() -> None:
        raise Unprocessable(
            "Two values are bad.", errors=(FieldError("a.b", "is bad"), FieldError("c", "too"))
        )

    @click.command("break", cls=Command)
    def break_() -> None:
        raise ZeroDivisionError

    @click.command("database", cls=Command)
    def database() -> None:
        async def role(settings: Settings) -> str:
            return str(settings.database_url)

        notice("to the side")
        click.echo(run(role))

    outer.add_command(inner)
    inner.add_command(refuse)
    inner.add_command(break_)
    outer.add_command(database)
    return outer


@pytest.mark.parametrize("place", [0, 1, 2])
def test_the_data_folder_may_be_named_before_or_after_any_command(tmp_path: Path, place: int) -> None:
    words = ["inner", "show"]
    words[place:place] = ["--data", str(tmp_path)]
    result = CliRunner().invoke(program(), words)
    assert json.loads(result.stdout) == [str(tmp_path), (tmp_path / "build").as_uri()]


@pytest.mark.parametrize("words", [[], ["--data", ".local"]])
def test_the_usual_data_folder_goes_with_the_projects_build_folder(words: list[str]) -> None:
    result = CliRunner().invoke(program(), ["inner", "show", *words])
    assert json.loads(result.stdout) == [".local", Path("build").absolute().as_uri()]


def test_a_configured_store_stays_where_it_is(tmp_path: Path) -> None:
    environment = {"HUSTINGS_STORE_URL": "file:///elsewhere"}
    result = CliRunner().invoke(program(), ["inner", "show", "--data", str(tmp_path)], env=environment)
    assert json.loads(result.stdout)[1] == "file:///elsewhere"


def test_a_refusal_is_a_sentence_with_its_fields_and_status_1() -> None:
    result = CliRunner().invoke(program(), ["inner", "refuse"])
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr == "Two values are bad.\n  a.b: is bad\n  c: too\n"


def test_a_bug_is_not_dressed_up_as_a_refusal() -> None:
    assert isinstance(CliRunner().invoke(program(), ["inner", "break"]).exception, ZeroDivisionError)


def test_a_command_gets_the_configured_database(database: Database) -> None:
    result = CliRunner().invoke(program(), ["database"], env={"HUSTINGS_DATABASE_URL": database.url()})
    assert (result.stdout, result.stderr) == (database.url() + "\n", "to the side\n")


def test_a_database_that_is_away_is_a_sentence() -> None:
    url = "postgresql://hustings_app@/hustings?host=/nowhere"
    result = CliRunner().invoke(program(), ["database"], env={"HUSTINGS_DATABASE_URL": url})
    assert result.exit_code == 1
    assert "HUSTINGS_DATABASE_URL cannot be used" in result.stderr


@pytest.mark.parametrize(
    "url", ["postgresql://u:s3cret/pw@db/x", "postgresql://u:s3cret@db/x?sslmode=s3cret"]
)
def test_a_database_url_that_cannot_be_read_keeps_its_password(url: str) -> None:
    result = CliRunner().invoke(program(), ["database"], env={"HUSTINGS_DATABASE_URL": url})
    assert result.exit_code == 1
    assert "HUSTINGS_DATABASE_URL cannot be read." in result.stderr
    assert "s3cret" not in result.stderr


def test_without_a_database_a_private_one_is_made_ready_for_the_command(data: Path) -> None:
    first = CliRunner().invoke(program(), ["database", "--data", str(data)])
    assert first.stdout.startswith("postgresql://hustings_app@/hustings?host=/")
    assert not is_running(data)
    assert hustings("db", "current", "--data", data).stdout.strip() not in {"", "base"}
    second = CliRunner().invoke(program(), ["database", "--data", str(data)])
    assert second.stdout == first.stdout


def test_the_schema_goes_up_and_down_where_it_is_told(data: Path) -> None:
    newest = hustings("db", "upgrade", "--data", data).stdout
    assert hustings("db", "downgrade", "0001", "--data", data).stdout == "0001\n"
    assert hustings("db", "downgrade", "base", "--data", data).stdout == "base\n"
    assert hustings("db", "current", "--data", data).stdout == "base\n"
    assert hustings("db", "upgrade", "--data", data).stdout == newest


def test_the_url_is_for_psql_and_the_command_says_when_nobody_answers(data: Path) -> None:
    result = hustings("db", "url", "--role", "owner", "--data", data)
    assert result.stdout.startswith("postgresql://hustings_owner@/hustings?host=/")
    assert "Nobody answers there now" in result.stderr
    with running_cluster(data, safe=False) as cluster:
        again = hustings("db", "url", "--role", "owner", "--data", data)
    assert again.stdout == cluster.url("owner") + "\n" == result.stdout
    assert again.stderr == ""


def test_urls_of_a_configured_database_are_those_configured() -> None:
    urls = {"database_url": "postgresql://app@db/x", "database_owner_url": "postgresql://owner@db/x"}
    assert hustings("db", "url", **urls).stdout == "postgresql://app@db/x\n"
    assert hustings("db", "url", "--role", "owner", **urls).stdout == "postgresql://owner@db/x\n"


@pytest.mark.parametrize(
    ("role", "sentence"), [("owner", "HUSTINGS_DATABASE_OWNER_URL is not set"), ("backup", "role backup")]
)
def test_an_unknown_url_of_a_configured_database_is_refused(role: Role, sentence: str) -> None:
    result = hustings("db", "url", "--role", role, database_url="postgresql://app@db/x")
    assert result.exit_code == 1
    assert sentence in result.stderr


def test_a_configured_database_is_migrated_as_its_owner(database: Database) -> None:
    urls = {"database_url": database.url(), "database_owner_url": database.url("owner")}
    before = hustings("db", "current", **urls).stdout
    assert hustings("db", "downgrade", "base", **urls).stdout == "base\n"
    assert hustings("db", "upgrade", **urls).stdout == before


def test_production_is_not_taken_back() -> None:
    result = hustings(
        "db",
        "downgrade",
        "base",
        env="production",
        secret_key="s" * 40,
        database_url="postgresql://app@localhost/x",
        allowed_hosts="example.org",
        store_url="file:///srv/hustings",
    )
    assert result.exit_code == 1
    assert "forward only" in result.stderr


def test_provisioning_prints_its_sql_or_does_it(data: Path) -> None:
    assert "CREATE ROLE hustings_app" in hustings("db", "provision").stdout
    with running_cluster(data, safe=False) as cluster:
        url = cluster.url("superuser", "postgres")
        result = hustings("db", "provision", "--superuser-url", url, "--database", "other")
    assert (result.exit_code, result.stdout) == (0, "")
    assert "other is ready" in result.stderr


@pytest.mark.parametrize("words", [["nothing"], ["db", "url", "--role", "king"], ["up", "--port", "0"]])
def test_wrong_usage_is_status_2(words: list[str]) -> None:
    assert hustings(*words).exit_code == 2


def test_an_unknown_variable_is_named_before_anything_happens(data: Path) -> None:
    result = hustings("db", "url", "--data", data, prot="8000")
    assert result.exit_code == 1
    assert "HUSTINGS_PROT is not a setting. Did you mean HUSTINGS_PORT?" in result.stderr
    assert not data.exists()


def test_the_program_is_installed_under_its_name() -> None:
    command = [str(Path(sys.executable).parent / "hustings"), "--version"]
    assert "hustings" in subprocess.run(command, capture_output=True, text=True, check=True).stdout
