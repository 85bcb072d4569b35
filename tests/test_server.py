import errno
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.database import keeper
from app.database.cluster import is_running, remove_cluster
from app.errors import ConfigurationError
from app.server import _refusal, reserved_port
from tests.conftest import Database
from tests.faults.test_up import Place, come_true
from tests.ports import free_port


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    yield Place(tmp_path / "data", free_port())
    remove_cluster(tmp_path / "data")


def start(place: Place, **variables: str) -> subprocess.Popen[str]:
    names = {f"HUSTINGS_{name.upper()}": value for name, value in variables.items()}
    environment = {**os.environ, **names, "HUSTINGS_PORT": str(place.port)}
    command = [sys.executable, "-m", "app.cli", "serve", "--data", str(place.data)]
    return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)


def test_a_port_is_held_for_one_server_and_free_again_afterwards() -> None:
    port = free_port()
    for _ in range(2):
        with reserved_port("127.0.0.1", port):
            with pytest.raises(ConfigurationError, match=f"Port {port} is in use"):
                reserved_port("127.0.0.1", port).__enter__()
            with socket.socket() as server:  # as granian binds
                server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
                server.bind(("127.0.0.1", port))


def test_a_port_where_somebody_listens_cannot_be_held() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        with pytest.raises(ConfigurationError, match="is in use"):
            reserved_port("127.0.0.1", other.getsockname()[1]).__enter__()


def test_an_address_of_another_machine_cannot_be_held() -> None:
    with pytest.raises(ConfigurationError, match=r"HUSTINGS_HOST 192\.0\.2\.1 is no address"):
        reserved_port("192.0.2.1", free_port()).__enter__()


def test_a_low_port_says_who_may_have_it() -> None:
    assert "reserved for root" in _refusal("127.0.0.1", 80, OSError(errno.EACCES, "no"))


def test_alone_it_brings_its_database_and_takes_it_away(place: Place) -> None:
    server = start(place)
    try:
        assert come_true(lambda: place.answers("/readyz", 200) or server.poll() is not None)
        assert is_running(place.data)
        server.terminate()
        assert server.wait(60) == 0
    finally:
        server.kill()
        server.communicate()
    assert place.processes() == []


def test_it_starts_while_the_database_is_away(place: Place) -> None:
    server = start(place, database_url="postgresql://hustings_app@/hustings?host=/nowhere")
    try:
        assert come_true(lambda: place.answers("/healthz", 200) or server.poll() is not None)
        assert place.get("/readyz")[0] == 503
    finally:
        server.terminate()
        server.communicate()


def test_killed_it_leaves_no_process_that_goes_on_serving(place: Place, database: Database) -> None:
    server = start(place, database_url=database.url())
    assert come_true(lambda: place.answers("/healthz", 200) or server.poll() is not None)
    assert len(place.processes()) == 2
    server.send_signal(signal.SIGKILL)
    server.communicate()
    assert come_true(lambda: place.processes() == [])


def test_an_application_that_cannot_start_ends_it_with_a_sentence(place: Place, database: Database) -> None:
    server = start(place, database_url=database.url(), store_url="file:///proc/nowhere")
    _, notices = server.communicate(timeout=120)
    assert server.returncode == 1
    assert "object store's folder" in notices
    assert "keep ending" in notices
    assert "Traceback" not in notices


def test_waiting_for_what_never_comes_ends() -> None:
    assert not keeper.wait_for(lambda: False, 0)
