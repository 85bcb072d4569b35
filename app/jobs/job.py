"""What a job is: a frozen struct with a name, queued as JSON with the version of its shape."""

from typing import ClassVar, TypeVar
from uuid import UUID

import msgspec

from app.errors import JobRefused


class Job(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Work for later. A subclass sets `name` (`noun.verb`, never changed once jobs of it are waiting).

    Raise `version` when its fields change their meaning: jobs of another version are refused, not misread.
    """

    name: ClassVar[str]
    version: ClassVar[int] = 1


class SiteJob(Job, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A job of one site: its handler's transactions see the rows of that site and no other."""

    site_id: UUID


J = TypeVar("J", bound=Job)


class _Envelope(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    version: int
    job: msgspec.Raw


def encode(job: Job) -> bytes:
    return msgspec.json.encode(_Envelope(version=job.version, job=msgspec.Raw(msgspec.json.encode(job))))


def decode(kind: type[J], payload: bytes | None) -> J:
    """The job in `payload`. Raises JobRefused when it is not a job of this kind and version."""
    try:
        envelope = msgspec.json.decode(payload or b"", type=_Envelope)
        if envelope.version != kind.version:
            raise JobRefused(
                f"The job {kind.name} was written in version {envelope.version}; this worker reads version "
                f"{kind.version}. Enqueue it again, or start the worker of that version."
            )
        return msgspec.json.decode(envelope.job, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise JobRefused(f"The payload of the job {kind.name} cannot be read: {error}.") from None


def site_of(job: Job) -> UUID | None:
    return job.site_id if isinstance(job, SiteJob) else None
