from typing import ClassVar
from uuid import UUID

import pytest

from app.errors import JobRefused
from app.jobs.job import Job, SiteJob, decode, encode, site_of


class Greet(SiteJob, frozen=True, kw_only=True, forbid_unknown_fields=True):
    name: ClassVar[str] = "test.greet"
    version: ClassVar[int] = 2
    who: str


class Tidy(Job, frozen=True, kw_only=True, forbid_unknown_fields=True):
    name: ClassVar[str] = "test.tidy"


SITE = UUID("01890000-0000-7000-8000-000000000001")


def test_a_job_is_read_as_it_was_written() -> None:
    job = Greet(site_id=SITE, who="the electors")
    assert decode(Greet, encode(job)) == job


def test_a_job_carries_its_site_or_has_none() -> None:
    assert site_of(Greet(site_id=SITE, who="you")) == SITE
    assert site_of(Tidy()) is None


def test_a_job_of_another_version_is_refused_by_name_and_version() -> None:
    payload = encode(Greet(site_id=SITE, who="you")).replace(b'"version":2', b'"version":1')
    with pytest.raises(
        JobRefused, match=r"test\.greet was written in version 1; this worker reads version 2"
    ):
        decode(Greet, payload)


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (None, "Input data was truncated"),
        (b"", "Input data was truncated"),
        (b"\xff\xfe", "malformed"),
        (b'{"version":2}', "missing required field `job`"),
        (b'{"version":2,"job":{"who":"you"}}', "missing required field `site_id`"),
        (b'{"version":2,"job":{"site_id":"x","who":"you"}}', "Invalid UUID"),
        (b'{"version":2,"job":{},"more":1}', "unknown field `more`"),
        (
            b'{"version":2,"job":{"site_id":"01890000-0000-7000-8000-000000000001","who":"you","tone":"kind"}}',
            "unknown field `tone`",
        ),
    ],
)
def test_a_payload_that_is_no_job_is_refused_with_a_sentence(payload: bytes | None, reason: str) -> None:
    with pytest.raises(JobRefused, match=rf"^The payload of the job test\.greet cannot be read: .*{reason}"):
        decode(Greet, payload)
