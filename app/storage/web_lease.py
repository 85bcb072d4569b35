"""One writer at a time in a bucket: an object that names its holder, compared before it is written.

It runs out, because nobody tells a bucket that a process has died. The holder renews it while it writes.
"""

import os
import secrets
import socket
import threading
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

import msgspec

from app.kit.clock import Clock
from app.storage.s3 import S3Store
from app.storage.store import ObjectNotFound, PreconditionFailed, StoreUnavailable
from app.storage.web import PRIVATE, Taken

KEY = f"{PRIVATE}/lock.json"
LIFETIME = timedelta(minutes=10)
RENEWED_AFTER = timedelta(minutes=1)
"""Much shorter than the lifetime, so that clocks may differ by some minutes."""


class Holder(msgspec.Struct, frozen=True, kw_only=True):
    host: str
    """For people."""
    space: str
    """Where the number of the process means something."""
    process: int
    nonce: str
    until: datetime


class BucketLease:
    """Raises Taken when another holder's has not run out, unless that was a process beside this one and died.

    At a service that ignores conditions a second writer that comes in the same moment is only found out at
    the next renewal.
    """

    def __init__(self, notes: S3Store, *, clock: Clock) -> None:
        self._notes = notes
        self._clock = clock
        self._lock = threading.Lock()
        self._nonce = secrets.token_hex(8)
        self._compares = notes.compares()
        self._renewed = clock()
        self._etag = self._take()

    def keep(self) -> None:
        with self._lock:
            if self._clock() - self._renewed < RENEWED_AFTER:
                return
            now = self._clock()
            found = self._read()
            if found is None or found[0].nonce != self._nonce:
                raise _lost(found[0] if found else None)
            self._etag, self._renewed = self._write(self._etag), now

    def release(self) -> None:
        with suppress(StoreUnavailable):
            found = self._read()
            if found is not None and found[0].nonce == self._nonce:
                self._notes.delete(KEY)

    def _take(self) -> str:
        found = self._read()
        if found is not None and not self._is_over(found[0]):
            raise _taken(found[0])
        return self._write(found[1] if found else None)

    def _write(self, over: str | None) -> str:
        until = self._clock() + LIFETIME
        holder = Holder(
            host=socket.gethostname(), space=space(), process=os.getpid(), nonce=self._nonce, until=until
        )
        body = msgspec.json.encode(holder)
        try:
            if not self._compares:
                return self._notes.put(KEY, body, content_type="application/json")
            return self._notes.put(
                KEY, body, content_type="application/json", if_match=over, if_none_match=over is None
            )
        except PreconditionFailed:
            raise _lost(None) from None

    def _read(self) -> tuple[Holder, str] | None:
        try:
            body, etag = self._notes.get_with_etag(KEY)
        except ObjectNotFound:
            return None
        try:
            return msgspec.json.decode(body, type=Holder), etag
        except (msgspec.DecodeError, msgspec.ValidationError):
            raise Taken(f"{KEY} in the bucket cannot be read. Delete it if no mirror is at work.") from None

    def _is_over(self, holder: Holder) -> bool:
        is_dead = holder.space == space() and not Path(f"/proc/{holder.process}").exists()
        return self._clock() >= holder.until or is_dead


def space() -> str:
    """One start of one machine, and in it one container: hosts may share a name."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return secrets.token_hex(8)


def _taken(holder: Holder) -> Taken:
    return Taken(
        f"Another mirror writes to this bucket (process {holder.process} on {holder.host}). Nothing was "
        f"changed. If it was killed, its lock runs out at {holder.until:%H:%M:%S} UTC; try again then."
    )


def _lost(holder: Holder | None) -> Taken:
    who = f" (process {holder.process} on {holder.host})" if holder else ""
    return Taken(f"Another mirror took over this bucket{who}. This one stopped; let the other finish.")
