"""A real nginx with the configuration of README, at another port and over another folder."""

import http.client
import os
import re
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

README = Path(__file__).resolve().parents[3] / "README.md"


class Answer(msgspec.Struct, frozen=True):
    status: int
    headers: dict[str, str]
    """Names in small letters."""
    body: bytes


class Nginx:
    def __init__(self, port: int) -> None:
        self.port = port
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)

    def get(self, path: str, **headers: str) -> Answer:
        """`path` is percent-encoded; `_` in the name of a header stands for a hyphen."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        self._connection.request("GET", path, headers=named)
        found = self._connection.getresponse()
        told = {name.lower(): value for name, value in found.getheaders()}
        return Answer(found.status, told, found.read())

    def close(self) -> None:
        self._connection.close()


def configuration() -> str:
    """What README says to put into conf.d."""
    found = re.search(r"^```nginx\n(.*?)^```", README.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    assert found is not None
    return found[1]


@contextmanager
def running_nginx(folder: Path, root: Path) -> Iterator[int]:
    """The port at which it answers for the trees below `root`. Nothing may be in its error log at the end."""
    folder.mkdir()
    port = free_port()
    text = configuration()
    assert "listen 80;" in text
    assert "/srv/hustings/mirror" in text
    text = text.replace("listen 80;", f"listen 127.0.0.1:{port};").replace("/srv/hustings/mirror", str(root))
    user = "user root;" if os.geteuid() == 0 else ""
    kept = "".join(
        f"{kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (folder / "nginx.conf").write_text(
        f"{user} daemon off; worker_processes 2; pid {folder}/pid; error_log {folder}/error.log warn;"
        f"events {{ }} http {{ access_log off; {kept}\n{text}\n}}"
    )
    command = ["nginx", "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", str(folder / "error.log")]
    process = subprocess.Popen(command)
    try:
        wait_for(port, process, folder)
        yield port
    finally:
        process.terminate()
        process.wait(10)
    told = (folder / "error.log").read_text()
    assert told == "", told


def wait_for(port: int, process: "subprocess.Popen[bytes]", folder: Path) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and process.poll() is None:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    raise AssertionError((folder / "error.log").read_text())


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
