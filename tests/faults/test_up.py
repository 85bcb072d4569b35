"""`hustings up` as a person runs it: started, disturbed, killed and started again."""

import http.client
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from app.database import keeper
from app.database.cluster import remove_cluster
from tests.ports import free_port

SECONDS = 120


@dataclass(frozen=True)
class Place:
    """A data folder and a port; `processes` finds whatever runs for them, by what its environment says."""

    data: Path
    port: int

    def command(self, *words: str) -> list[str]:
        return [sys.executable, "-m", "app.cli", *words, "--data", str(self.data)]

    def processes(self) -> list[int]:
        wanted = f"HUSTINGS_PORT={self.port}".encode()
        found = keeper.server_processes((self.data / "cluster").resolve())
        for path in Path("/proc").glob("[0-9]*/environ"):
            try:
                if wanted in path.read_bytes().split(b"\0"):
                    found.append(int(path.parent.name))
            except OSError:
                continue
        return found

    def get(self, path: str = "/") -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def answers(self, path: str, status: int) -> bool:
        try:
            return self.get(path)[0] == status
        except OSError:
            return False


@dataclass(frozen=True)
class Up:
    """A running `up`; what it says goes to files, so that nothing it leaves behind could block the test."""

    process: subprocess.Popen[bytes]
    output: Path
    notices: Path

    def end(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(SECONDS)


def come_true(condition: Callable[[], bool]) -> bool:
    return keeper.wait_for(condition, SECONDS)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """One data folder for the tests of this file, in which each finds what the one before left."""
    place = Place(tmp_path_factory.mktemp("up") / "data", free_port())
    yield place
    remove_cluster(place.data)


@contextmanager
def running(place: Place, *words: str) -> Iterator[Up]:
    """An `up` that has said `ready`; it is killed at the end if it still runs."""
    place.data.parent.mkdir(exist_ok=True)
    output, notices = place.data.parent / "output", place.data.parent / "notices"
    command = place.command("up", "--port", str(place.port), *words)
    with output.open("wb") as out, notices.open("wb") as err:
        process = subprocess.Popen(command, stdout=out, stderr=err, stdin=subprocess.DEVNULL)
    try:
        assert come_true(lambda: output.read_bytes() != b"" or process.poll() is not None)
        assert output.read_text() == f"ready http://127.0.0.1:{place.port}/\n", notices.read_text()
        yield Up(process, output, notices)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait()


def refusal(place: Place, *words: str, **variables: str) -> str:
    """What `up` says on standard error when it must not start."""
    result = subprocess.run(
        place.command("up", "--port", str(place.port), *words),
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    assert (result.returncode, result.stdout) == (1, "")
    assert "Traceback" not in result.stderr
    return result.stderr


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_publishes_the_demo_and_stops_with_nothing_left(place: Place, number: int) -> None:
    with running(place) as up:
        status, page = place.get()
        assert (status, b"<h1" in page) == (200, True)
        assert len(place.processes()) > 5
        assert up.end(number) == 0
    assert place.processes() == []


def test_killed_it_leaves_nothing_and_starts_again_with_its_data(place: Place) -> None:
    with running(place) as up:
        before = place.get()
        assert up.end(signal.SIGKILL) == -signal.SIGKILL
    assert come_true(lambda: place.processes() == [])
    with running(place) as up:
        assert place.get() == before
        assert up.end() == 0
    assert place.processes() == []


def test_while_it_runs_no_second_one_takes_its_data_or_its_port(place: Place, tmp_path: Path) -> None:
    with running(place):
        other = Place(tmp_path / "data", free_port())
        assert "already runs over the data folder" in refusal(Place(place.data, other.port))
        sentence = f"Port {place.port} is in use. Stop the other program or start with --port.\n"
        assert refusal(Place(other.data, place.port)) == sentence
        assert not (other.data / "cluster").exists()
        result = subprocess.run(place.command("db", "current"), capture_output=True, text=True, check=True)
        assert result.stderr == ""


def test_what_is_killed_below_it_comes_back(place: Place) -> None:
    with running(place) as up:
        serve = children_of(up.process.pid, b"serve")
        assert len(serve) == 1
        os.kill(serve[0], signal.SIGKILL)
        assert come_true(lambda: children_of(up.process.pid, b"serve") not in ([], serve))
        assert come_true(lambda: place.answers("/", 200))
        for process in keeper_of(place):
            os.kill(process, signal.SIGKILL)
        assert come_true(lambda: "The database had stopped and runs again" in up.notices.read_text())
        assert come_true(lambda: place.answers("/readyz", 200))
        assert up.end() == 0
    assert place.processes() == []


def children_of(parent: int, word: bytes) -> list[int]:
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rpartition(")")[2].split()
            command = path.with_name("cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if int(fields[1]) == parent and word in command:
            found.append(int(path.parent.name))
    return found


def keeper_of(place: Place) -> list[int]:
    folder = bytes((place.data / "cluster").resolve())
    return [
        int(path.parent.name)
        for path in Path("/proc").glob("[0-9]*/cmdline")
        if b"app.database.keeper" in (words := read(path).split(b"\0")) and folder in words
    ]


def read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def test_without_the_demo_it_says_that_nothing_is_published(tmp_path: Path) -> None:
    place = Place(tmp_path / "data", free_port())
    with running(place, "--no-demo") as up:
        status, page = place.get()
        assert (status, b"Nothing is published here yet" in page) == (503, True)
        assert up.end() == 0
    remove_cluster(place.data)


def test_it_stops_while_it_still_prepares(tmp_path: Path) -> None:
    place = Place(tmp_path / "data", free_port())
    process = subprocess.Popen(
        place.command("up", "--port", str(place.port)), stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert come_true((place.data / "cluster" / "complete").exists)
    process.terminate()
    output, _ = process.communicate(timeout=SECONDS)
    assert (process.returncode, output) == (0, b"")
    assert come_true(lambda: place.processes() == [])
    remove_cluster(place.data)


def test_a_folder_that_cannot_be_written_is_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert "cannot be written" in refusal(Place(tmp_path / "file" / "data", free_port()))


def test_an_unknown_variable_is_a_sentence(tmp_path: Path) -> None:
    sentence = refusal(Place(tmp_path / "data", free_port()), HUSTINGS_PROT="1")
    assert "HUSTINGS_PROT is not a setting" in sentence


def can_hide_folders() -> bool:
    return os.getuid() == 0 and shutil.which("unshare") is not None and hide("true").returncode == 0


def hide(*command: str) -> subprocess.CompletedProcess[str]:
    """Run a command that sees an empty folder where PostgreSQL's programs are."""
    script = 'mount -t tmpfs none /usr/lib/postgresql && exec "$@"'
    wrapped = ["unshare", "--mount", "sh", "-c", script, "sh", *command]
    environment = {**os.environ, "PATH": "/usr/bin:/bin"}
    return subprocess.run(wrapped, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.skipif(not can_hide_folders(), reason="needs a root that may mount")
def test_a_missing_server_is_a_sentence(tmp_path: Path) -> None:
    place = Place(tmp_path / "data", free_port())
    result = hide(*place.command("up", "--port", str(place.port)))
    assert result.returncode == 1
    assert "PostgreSQL's server programs were not found" in result.stderr
    remove_cluster(place.data)
