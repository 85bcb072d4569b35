"""A site of N campaigns published, beside the bare sketch of the limit; and one edit of it in a warm process.

Everything lies in memory (tmpfs): what is measured is the program, not the disk. Processes are timed from
their start, imports included, on both sides. Yardstick and program alternate; a ratio is that of a pair.
"""

import asyncio
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

import msgspec

from app.database.cluster import Cluster, remove_cluster, running_cluster
from app.database.engine import make_pool
from app.kit.clock import system_clock
from app.publishing.content import freeze
from app.storage.memory import MemoryStore
from app.wiring import make_workshop
from tests.bench.check import Check, at_least, at_most
from tests.bench.edits import edits
from tests.bench.sites import SITE_ID, generate

SIZES = (1_000, 10_000, 100_000)
PAIRED = 10_000
"""Campaigns of the site whose full publish is held to the limit."""
ROUNDS = 5
OF_LIMIT = 0.65
PROCESSES = 2
PARENT, WORKER = 200.0, 100.0
"""MiB at the largest site."""
MEMORY = Path("/dev/shm")  # noqa: S108 - a folder of its own is made in it


class Full(msgspec.Struct, frozen=True):
    """One publish of a whole site by the command line."""

    seconds: float
    parent: float
    """Peak MiB of the publisher, what it shares with its children included."""
    worker: float
    """Peak MiB of the largest rendering process."""


def run() -> list[Check]:
    with _folder() as folder:
        try:
            with running_cluster(folder / "data", safe=False) as cluster:
                return _measure(folder, cluster)
        finally:
            remove_cluster(folder / "data")


def _measure(folder: Path, cluster: Cluster) -> list[Check]:
    checks: list[Check] = []
    urls = {}
    for size in SIZES:
        sys.stderr.write(f"A site of {size:,} campaigns.\n")
        urls[size] = generate(cluster, f"bench_{size}", size)
        shell = folder / "shell.json"
        shell.write_bytes(asyncio.run(_shell(urls[size])))
        pairs = ROUNDS if size == PAIRED else 1
        checks += _full(folder, urls[size], shell, size, pairs)
    checks += edits({size: (urls[size], folder / f"store-{size}") for size in SIZES[1:]})
    return checks


def _full(folder: Path, url: str, shell: Path, size: int, rounds: int) -> list[Check]:
    limits, fulls = [], []
    for _ in range(rounds):
        limits.append(_sketch(url, folder / "sketch", shell))
        fulls.append(_publish(url, folder / f"store-{size}"))
        sys.stderr.write(f"sketch {limits[-1]:.2f} s, publish {fulls[-1]}\n")
    ratios = [limit / full.seconds for limit, full in zip(limits, fulls, strict=True)]
    ratio = statistics.median(ratios)
    name = f"{size:,} campaigns"
    checks = [
        Check(f"the sketch, {PROCESSES} processes, {name}", size / statistics.median(limits), "pages/s"),
        Check(f"full publish, {name}", size / statistics.median(full.seconds for full in fulls), "pages/s"),
        at_least(f"of the limit, paired, {name}", ratio, "", OF_LIMIT)
        if size == PAIRED
        else Check(f"of the limit, {name}", ratio, ""),
    ]
    if size == SIZES[-1]:
        checks.append(at_most(f"peak of the publisher, {name}", max(f.parent for f in fulls), "MiB", PARENT))
        checks.append(at_most(f"peak of a process, {name}", max(f.worker for f in fulls), "MiB", WORKER))
    return checks


def _sketch(url: str, out: Path, shell: Path) -> float:
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    # As the owner of everything: row level security is no part of the limit.
    superuser = url.replace("hustings_app", "postgres")
    command = [sys.executable, "-m", "tests.bench.sketch", superuser, str(out), str(shell), str(PROCESSES)]
    start = time.monotonic()
    subprocess.run(command, check=True)
    seconds = time.monotonic() - start
    shutil.rmtree(out)
    return seconds


def _publish(url: str, store: Path) -> Full:
    shutil.rmtree(store, ignore_errors=True)
    store.mkdir()
    asyncio.run(_forget(url))
    environment = {**os.environ, "HUSTINGS_DATABASE_URL": url, "HUSTINGS_STORE_URL": store.as_uri()}
    command = [sys.executable, "-m", "app.cli", "publish", "--site", "bench", "--json"]
    start = time.monotonic()
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    peaks = _peaks(process)
    if process.wait() != 0:
        raise RuntimeError("`hustings publish` failed")
    seconds = time.monotonic() - start
    parent = peaks.pop(process.pid, 0.0)
    return Full(seconds, parent, max(peaks.values(), default=0.0))


def _peaks(process: "subprocess.Popen[bytes]") -> dict[int, float]:
    """Peak MiB of each process of the publish, as the kernel keeps it, read until the end."""
    peaks: dict[int, float] = {}
    while process.poll() is None:
        for pid in (process.pid, *_children(process.pid)):
            peaks[pid] = max(peaks.get(pid, 0.0), _peak(pid))
        time.sleep(0.1)
    return peaks


def _children(pid: int) -> list[int]:
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def _peak(pid: int) -> float:
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0.0
    found = [line for line in lines if line.startswith("VmHWM")]
    return int(found[0].split()[1]) / 1024 if found else 0.0


async def _forget(url: str) -> None:
    """As if nothing had ever been published."""
    pool = await make_pool(url.replace("hustings_app", "postgres"), size=1)
    for table in ("publications", "release_pages", "releases"):
        await pool.execute(f"DELETE FROM {table}")
    await pool.close()


async def _shell(url: str) -> bytes:
    """What every page shares, for the sketch."""
    pool = await make_pool(url, size=1)
    async with pool.acquire() as connection, freeze(connection, UUID(SITE_ID), system_clock()) as content:
        site = await make_workshop(MemoryStore()).load_site(content)
    await pool.close()
    return msgspec.json.encode(site.shell)


@contextmanager
def _folder() -> Iterator[Path]:
    place = MEMORY if MEMORY.is_dir() else None
    with tempfile.TemporaryDirectory(prefix="hustings-bench-", dir=place) as folder:
        (Path(folder) / "data").mkdir()
        yield Path(folder)
