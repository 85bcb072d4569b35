"""A real S3 service for the tests: a Ceph of one monitor, one OSD in memory and one radosgw, on loopback.

All of it is children of this process, in a folder that goes with it; it works as root and as anybody else.
"""

import os
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from itertools import count
from pathlib import Path
from urllib.parse import quote

import urllib3
from minio import Minio

from app.kit.process import die_with_parent
from app.storage.s3_address import Address, parse_address
from tests.ports import free_port

KEY, SECRET = "AKHUSTINGS", "a+secret/with%signs"
PROGRAMS = ("ceph", "ceph-authtool", "ceph-mon", "ceph-osd", "monmaptool", "radosgw", "radosgw-admin")
SECONDS = 120
PATH = "/usr/bin:/bin:/usr/sbin:/sbin"

CONFIGURATION = """
[global]
fsid = {cluster}
mon host = v2:127.0.0.1:{monitor_port}
mon initial members = a
public addr = 127.0.0.1
cluster addr = 127.0.0.1
keyring = {folder}/keyring
auth allow insecure global id reclaim = false
run dir = {folder}
admin socket = ""
log file = {folder}/$name.log
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 1
osd crush chooseleaf type = 0
mon allow pool size one = true
mon max pg per osd = 1000
mon data = {folder}/monitor
mon data avail warn = 1
mon data avail crit = 1
osd data = {folder}/osd
osd objectstore = memstore
memstore device bytes = 2147483648
[client.rgw]
rgw data = {folder}/gateway
rgw frontends = beast endpoint=127.0.0.1:{port}
rgw bucket quota ttl = 0
"""

ALLOWED = {
    "mon.": {"mon": "allow *"},
    "client.admin": {"mon": "allow *", "osd": "allow *", "mgr": "allow *"},
    "client.rgw": {"mon": "allow rwx", "osd": "allow rwx"},
    "osd.0": {"mon": "allow profile osd", "osd": "allow *"},
}
"""Who takes part, and what each may do."""


OPEN = """{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "s3:*",
 "Resource": ["arn:aws:s3:::%s", "arn:aws:s3:::%s/*"]}]}"""
OPEN_BUT = """{"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "s3:*",
 "Resource": ["arn:aws:s3:::%s", "arn:aws:s3:::%s/*"]}, {"Effect": "Deny", "Principal": "*",
 "Action": "s3:PutObject", "Resource": "arn:aws:s3:::%s/%s*"}]}"""


class Ceph:
    """Running as long as the context of `running_ceph` is open."""

    def __init__(self, folder: Path, port: int) -> None:
        self.folder = folder
        self.port = port
        self._buckets = count(1)
        self._users: set[str] = set()
        pool = urllib3.PoolManager(timeout=10, retries=False)
        self._client = Minio(
            f"127.0.0.1:{port}",
            access_key=KEY,
            secret_key=SECRET,
            secure=False,
            region="us-east-1",
            http_client=pool,
        )

    def new_bucket(self, *, is_open: bool = False) -> str:
        """An open one may be read and written without a signature."""
        name = f"bucket-{next(self._buckets)}"
        self._client.make_bucket(name)
        if is_open:
            self.allow_all(name)
        return name

    def allow_all(self, bucket: str, *, but: str = "") -> None:
        """Anybody may read and write, but nobody may write below the prefix `but`."""
        policy = OPEN_BUT % (bucket, bucket, bucket, but) if but else OPEN % (bucket, bucket)
        self._client.set_bucket_policy(bucket, policy)

    def limit(self, bucket: str, *, objects: int | None) -> None:
        """How many objects the bucket may hold from now on; None: any number."""
        quota = ("--quota-scope=bucket", f"--bucket={bucket}")
        if objects is None:
            self.administer("quota", "disable", *quota)
            return
        self.administer("quota", "set", *quota, f"--max-objects={objects}")
        self.administer("quota", "enable", *quota)

    def new_key(self, user: str) -> str:
        """An access key of a user, who is made when need be; its secret is SECRET."""
        key = f"AK{secrets.token_hex(8).upper()}"
        verb = ("key", "create") if user in self._users else ("user", "create", f"--display-name={user}")
        self._users.add(user)
        self.administer(*verb, f"--uid={user}", f"--access-key={key}", f"--secret={SECRET}")
        return key

    def remove_key(self, user: str, key: str) -> None:
        self.administer("key", "rm", f"--uid={user}", f"--access-key={key}")

    def url(self, bucket: str, *, port: int | None = None, key: str = KEY, secret: str = SECRET) -> str:
        return f"s3+http://{key}:{quote(secret, safe='')}@127.0.0.1:{port or self.port}/{bucket}"

    def address(self, bucket: str, *, port: int | None = None) -> Address:
        return parse_address(self.url(bucket, port=port))

    def administer(self, *words: str) -> None:
        """Runs radosgw-admin."""
        _run(self.folder, "radosgw-admin", *words)


@contextmanager
def running_ceph() -> Iterator[Ceph]:
    """Takes about ten seconds to start. Raises RuntimeError, with the end of a log, when it does not."""
    missing = [name for name in PROGRAMS if shutil.which(name, path=PATH) is None]
    if missing:
        raise RuntimeError(f"{', '.join(missing)} are missing. Run ./dev install test.")
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ceph-")))
        port, monitor_port = free_port(), free_port()
        cluster = str(uuid.uuid4())
        text = CONFIGURATION.format(folder=folder, cluster=cluster, port=port, monitor_port=monitor_port)
        (folder / "ceph.conf").write_text(text)
        for name in ("monitor", "osd", "gateway"):
            (folder / name).mkdir()
        _make_keys(folder)
        _make_monitor(folder, cluster, monitor_port)
        stack.enter_context(_daemon(folder, "ceph-mon", "-i", "a"))
        _make_osd(folder)
        stack.enter_context(_daemon(folder, "ceph-osd", "-i", "0"))
        gateway = stack.enter_context(_daemon(folder, "radosgw", "-n", "client.rgw"))
        ceph = Ceph(folder, port)
        ceph.administer(
            "user",
            "create",
            "--uid=tests",
            "--display-name=tests",
            f"--access-key={KEY}",
            f"--secret={SECRET}",
        )
        _wait_for(port, gateway, folder)
        yield ceph


def _make_keys(folder: Path) -> None:
    _run(folder, "ceph-authtool", str(folder / "keyring"), "--create-keyring")
    for name, rights in ALLOWED.items():
        caps = [word for area, right in rights.items() for word in ("--cap", area, right)]
        _run(folder, "ceph-authtool", str(folder / "keyring"), "--gen-key", "-n", name, *caps)


def _make_monitor(folder: Path, cluster: str, port: int) -> None:
    place = f"[v2:127.0.0.1:{port}]"
    _run(folder, "monmaptool", "--create", "--fsid", cluster, "--addv", "a", place, str(folder / "map"))
    _run(
        folder,
        "ceph-mon",
        "--mkfs",
        "-i",
        "a",
        "--monmap",
        str(folder / "map"),
        "--keyring",
        str(folder / "keyring"),
    )


def _make_osd(folder: Path) -> None:
    identity = str(uuid.uuid4())
    _run(folder, "ceph", "osd", "new", identity, "0")
    _run(folder, "ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", identity)


def _environment(folder: Path) -> dict[str, str]:
    return {"PATH": PATH, "CEPH_CONF": str(folder / "ceph.conf"), "HOME": str(folder)}


def _run(folder: Path, *command: str) -> None:
    done = subprocess.run(
        command, env=_environment(folder), capture_output=True, text=True, timeout=SECONDS, check=False
    )
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command[:3])} failed: {done.stderr[-800:]}")


@contextmanager
def _daemon(folder: Path, *command: str) -> Iterator[subprocess.Popen[bytes]]:
    with (folder / f"{command[0]}.out").open("wb") as output:
        process = subprocess.Popen(
            [*command, "-f"],
            env=_environment(folder),
            stdout=output,
            stderr=subprocess.STDOUT,
            preexec_fn=partial(die_with_parent, os.getpid()),  # noqa: PLW1509 - started before any thread
        )
    try:
        yield process
    finally:
        process.kill()  # everything is in memory and goes anyway
        process.wait()


def _wait_for(port: int, gateway: subprocess.Popen[bytes], folder: Path) -> None:
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline and gateway.poll() is None:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=1):
                return
        except OSError:
            time.sleep(0.1)
    log = (folder / "radosgw.out").read_text(errors="replace")[-800:]
    raise RuntimeError(f"radosgw does not answer: {log}")
