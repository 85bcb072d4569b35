"""How long `./dev up` takes until it is ready: the first time with the demo, and again with its data."""

import os
import subprocess
import tempfile
import time
from pathlib import Path

from app.database.cluster import remove_cluster
from tests.bench.check import Check, at_most
from tests.bench.flip import free_port

ROOT = Path(__file__).resolve().parent.parent.parent
GOAL = 10.0
ROUNDS = 3


def run() -> list[Check]:
    with tempfile.TemporaryDirectory(prefix="hustings-bench-") as folder:
        try:
            first = _seconds(Path(folder))
            again = sorted(_seconds(Path(folder)) for _ in range(ROUNDS))
        finally:
            remove_cluster(Path(folder))
    return [
        at_most(f"a second `./dev up`, median of {ROUNDS}", again[ROUNDS // 2], "s", GOAL),
        Check("the first `./dev up`, everything installed, with the demo", first, "s"),
    ]


def _seconds(data: Path) -> float:
    start = time.monotonic()
    up = subprocess.Popen(
        [ROOT / "dev", "up", "--data", str(data), "--port", str(free_port())],
        env=dict(os.environ),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    if up.stdout is None or not up.stdout.readline().startswith(b"ready"):
        raise RuntimeError("`./dev up` did not get ready")
    seconds = time.monotonic() - start
    up.terminate()
    up.wait(60)
    return seconds
