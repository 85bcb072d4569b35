"""How long after a publish has returned the last server process still answers with the release before it."""

import http.client
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from app.database.cluster import remove_cluster
from tests.bench.check import Check, at_most

GOAL = 1.0
ROUNDS = 5
WORKERS = 2
ANSWERS = 60
"""So many new connections in a row have to answer with the new release: granian spreads them."""
EDIT = """
SELECT set_config('app.site_id', id::text, false) FROM site_directory() WHERE slug = 'demo';
UPDATE campaigns SET summary = summary || '.';
"""


def run() -> list[Check]:
    with tempfile.TemporaryDirectory(prefix="hustings-bench-") as folder, _product(Path(folder)) as port:
        waits = [_round(Path(folder), port) for _ in range(ROUNDS)]
    return [
        at_most(f"seconds until all of {WORKERS} workers answer anew, worst", max(waits), "s", GOAL),
        Check("the same, median", statistics.median(waits), "s"),
    ]


def _round(data: Path, port: int) -> float:
    """Seconds from the return of `hustings publish` to the last answer of the release before."""
    url = _hustings(data, "db", "url").strip()
    subprocess.run(["psql", "-q", url, "-c", EDIT], check=True, stdout=subprocess.DEVNULL)
    told = msgspec.json.decode(_hustings(data, "publish", "--site", "demo", "--json"))
    start = time.monotonic()
    last_old, in_a_row = 0.0, 0
    while in_a_row < ANSWERS:
        is_new = _release(port) == told["release"]
        in_a_row = in_a_row + 1 if is_new else 0
        last_old = last_old if is_new else time.monotonic() - start
    return last_old


def _release(port: int) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", "/campaigns/")
        return int(connection.getresponse().headers["Hustings-Release"])
    finally:
        connection.close()


@contextmanager
def _product(data: Path) -> Iterator[int]:
    port = free_port()
    environment = {**os.environ, "HUSTINGS_WORKERS": str(WORKERS), "HUSTINGS_LOG_LEVEL": "error"}
    command = [*_program(data), "up", "--port", str(port)]
    up = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    try:
        if up.stdout is None or not up.stdout.readline():
            raise RuntimeError("`hustings up` did not get ready")
        yield port
    finally:
        up.terminate()
        up.wait(60)
        remove_cluster(data)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _hustings(data: Path, *words: str) -> str:
    return subprocess.run([*_program(data), *words], check=True, capture_output=True, text=True).stdout


def _program(data: Path) -> list[str]:
    return [sys.executable, "-m", "app.cli", "--data", str(data)]
