"""One page from the gateway on one worker, beside nginx with one worker serving the same bytes.

Both answer with the same headers and body, from memory or the page cache, in alternating rounds.
"""

import http.client
import os
import random
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from app.publishing.manifest import JSON_GZ, Entry, Manifest, blob_digest, blob_key, pack, root_key
from app.publishing.pointer import Pointer, flip
from app.storage.file import FileStore
from app.storage.store import ObjectStore
from tests.bench.check import Check, MissingTool, at_least

GOAL = 0.45
ROUNDS = 5
SECONDS = 3
CONNECTIONS = 128
PATH = "/campaigns/clean-water/"
HTML = "text/html; charset=utf-8"
_ROUND = re.compile(r"99%\s+([0-9.]+)(us|ms|s).*?(\d+) requests in.*Requests/sec:\s+([0-9.]+)", re.DOTALL)
_TICKS = os.sysconf("SC_CLK_TCK")
_MILLISECONDS = {"us": 0.001, "ms": 1.0, "s": 1000.0}


class Round(msgspec.Struct, frozen=True):
    requests: float
    """A second."""
    p99: float
    """Milliseconds."""
    processor: float
    """Microseconds of the server for each request: steadier than the rest on a busy machine."""


class Server(msgspec.Struct, frozen=True):
    port: int
    pid: int


def run() -> list[Check]:
    for tool, package in (("wrk", "wrk"), ("nginx", "nginx-light")):
        if shutil.which(tool) is None:
            raise MissingTool(f"The gateway's benchmark needs {tool}: apt-get install {package}")
    with tempfile.TemporaryDirectory(prefix="hustings-bench-") as folder:
        page = a_page()
        build_store(FileStore(Path(folder)), page)
        with the_gateway(Path(folder)) as ours, the_nginx(Path(folder) / "nginx", page, ours) as theirs:
            return [check for coding in ("gzip", "identity") for check in compare(ours, theirs, coding)]


def compare(ours: Server, theirs: Server, coding: str) -> list[Check]:
    if ask(ours.port, coding) != ask(theirs.port, coding):
        raise AssertionError("the two servers do not answer the same bytes")
    rounds = [(load(ours, coding), load(theirs, coding)) for _ in range(ROUNDS)]
    gateway, nginx = (list(side) for side in zip(*rounds, strict=True))
    ratio = statistics.median(mine.requests / yardstick.requests for mine, yardstick in rounds)
    return [
        Check(f"gateway, {coding}", statistics.median(turn.requests for turn in gateway), "requests/s"),
        Check(f"nginx, {coding}", statistics.median(turn.requests for turn in nginx), "requests/s"),
        at_least(f"gateway of nginx, {coding}", ratio, "ratio", GOAL),
        Check(f"gateway p99, {coding}", statistics.median(turn.p99 for turn in gateway), "ms"),
        Check(f"nginx p99, {coding}", statistics.median(turn.p99 for turn in nginx), "ms"),
        Check(
            f"gateway processor, {coding}",
            statistics.median(turn.processor for turn in gateway),
            "us/request",
        ),
        Check(
            f"nginx processor, {coding}", statistics.median(turn.processor for turn in nginx), "us/request"
        ),
    ]


def load(server: Server, coding: str) -> Round:
    before = processor_seconds(server.pid)
    result = subprocess.run(
        [
            *("wrk", "-t1", f"-c{CONNECTIONS}", f"-d{SECONDS}s", "--latency"),
            *("-H", f"Accept-Encoding: {coding}", f"http://127.0.0.1:{server.port}{PATH}"),
        ],
        check=True,
        capture_output=True,
        text=True,
    )
    found = _ROUND.search(result.stdout)
    if found is None or "Non-2xx" in result.stdout or "Socket errors" in result.stdout:
        raise AssertionError(result.stdout)
    spent = processor_seconds(server.pid) - before
    requests = int(found[3])
    return Round(float(found[4]), float(found[1]) * _MILLISECONDS[found[2]], spent / requests * 1_000_000)


def processor_seconds(pid: int) -> float:
    """Of a process and its children, which both servers have."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    fields = [Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split() for one in (pid, *children)]
    return sum(int(user) + int(system) for user, system in (each[11:13] for each in fields)) / _TICKS


def a_page() -> bytes:
    """About 7 kB that compress like a page: markup around words."""
    draw = random.Random(7)
    words = [
        "water",
        "river",
        "council",
        "signed",
        "clean",
        "basin",
        "and",
        "the",
        "of",
        "people",
        "Wednesday",
    ]
    paragraphs = [" ".join(draw.choices(words, k=60)) + f" {draw.random()}" for _ in range(18)]
    body = "\n".join(f'<p class="prose-{number}">{text}</p>' for number, text in enumerate(paragraphs))
    return (
        f"<!doctype html><html lang=en><title>Clean water</title><h1>Clean water</h1>{body}</html>".encode()
    )


def build_store(store: ObjectStore, page: bytes) -> None:
    entry = Entry(
        blob=blob_digest(HTML, page),
        content_type=HTML,
        size=len(page),
        encodings=("gz",),
        fingerprint="0" * 64,
    )
    manifest = Manifest.empty().apply({PATH: entry, "/": entry})
    root = manifest.root_of(site_id="bench", slug="bench", hosts=(), base_url="http://bench.test", number=1)
    store.put(blob_key(entry.blob or ""), page, content_type=HTML)
    store.put(blob_key(entry.blob or "", "gz"), pack(page), content_type=HTML)
    for key, body in manifest.objects(root).items():
        store.put(key, body, content_type=JSON_GZ)
    at = datetime.now(UTC)
    flip(
        store,
        Pointer(site_id="bench", slug="bench", number=1, generation=1, root=root_key(root), activated_at=at),
    )


@contextmanager
def the_gateway(folder: Path) -> Iterator[Server]:
    port = free_port()
    command = [sys.executable, "-m", "tests.bench.gateway_server", str(port), str(folder)]
    with running(command, port) as server:
        yield server


@contextmanager
def the_nginx(folder: Path, page: bytes, ours: Server) -> Iterator[Server]:
    """With the headers that the gateway sends, and everything on that makes nginx fast."""
    port = free_port()
    site = folder / "site" / PATH.strip("/")
    site.mkdir(parents=True)
    (site / "index.html").write_bytes(page)
    (site / "index.html.gz").write_bytes(pack(page))
    configuration = folder / "nginx.conf"
    configuration.write_text(nginx_configuration(folder, port, headers_to_add(ours.port)))
    with running(["nginx", "-p", str(folder), "-c", str(configuration), "-e", "stderr"], port) as server:
        yield server


def nginx_configuration(folder: Path, port: int, headers: list[tuple[str, str]]) -> str:
    added = "\n".join(f'add_header {name} "{value}";' for name, value in headers)
    user = "user root;" if os.geteuid() == 0 else ""
    return f"""
        {user}
        daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log stderr crit;
        events {{ worker_connections 1024; }}
        http {{
            types {{ text/html html; }} charset utf-8; access_log off; server_tokens off;
            sendfile on; tcp_nopush on; keepalive_requests 1000000000; gzip_static on; gzip_vary on;
            open_file_cache max=1000 inactive=60s; open_file_cache_valid 60s;
            client_body_temp_path {folder}/a; proxy_temp_path {folder}/b; fastcgi_temp_path {folder}/c;
            uwsgi_temp_path {folder}/d; scgi_temp_path {folder}/e;
            server {{ listen 127.0.0.1:{port}; root {folder}/site; index index.html; {added} }}
        }}
    """


def headers_to_add(port: int) -> list[tuple[str, str]]:
    """What the gateway sends and nginx would not by itself."""
    own = {
        "content-type",
        "content-length",
        "etag",
        "date",
        "server",
        "vary",
        "accept-ranges",
        "content-encoding",
    }
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    connection.request("GET", PATH, headers={"Accept-Encoding": "gzip"})
    headers = connection.getresponse().getheaders()
    connection.close()
    return [(name, value) for name, value in headers if name.lower() not in own]


def ask(port: int, coding: str) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    connection.request("GET", PATH, headers={"Accept-Encoding": coding})
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    return answer.status, body


@contextmanager
def running(command: list[str], port: int) -> Iterator[Server]:
    """The server, from when it answers until it has ended."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        wait_for(port, process)
        yield Server(port, process.pid)
    finally:
        process.terminate()
        process.wait(10)


def wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    for _ in range(200):
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        if process.poll() is not None:
            raise AssertionError(f"{process.args!r} ended with {process.returncode}")
        time.sleep(0.05)
    raise AssertionError(f"{process.args!r} does not answer")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
