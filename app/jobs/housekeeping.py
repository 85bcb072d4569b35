"""Keeping the queue's own tables small."""

from datetime import timedelta
from typing import ClassVar

import structlog

from app.jobs.handlers import Handler, JobContext
from app.jobs.job import Job
from app.jobs.schedule import Scheduled

KEEP_LOG = timedelta(days=14)
KEEP_FAILED = timedelta(days=90)

# The log of a job that is still in the queue stays: it says why the job failed.
PRUNE_LOG = """
DELETE FROM pgqueuer_log l
 WHERE created < now() - $1::interval AND NOT EXISTS (SELECT FROM pgqueuer q WHERE q.id = l.job_id)
"""
PRUNE_STATISTICS = "DELETE FROM pgqueuer_statistics WHERE created < now() - $1::interval"
PRUNE_FAILED = "DELETE FROM pgqueuer WHERE status = 'failed' AND updated < now() - $1::interval"

log = structlog.get_logger()


class PruneJobLog(Job, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Forget jobs that ended 14 days ago, and failed ones that nobody looked after for 90."""

    name: ClassVar[str] = "jobs.prune_log"


async def prune_job_log(context: JobContext, _: PruneJobLog) -> None:
    async with context.transaction() as connection:
        failed = await connection.execute(PRUNE_FAILED, KEEP_FAILED)
        entries = await connection.execute(PRUNE_LOG, KEEP_LOG)
        await connection.execute(PRUNE_STATISTICS, KEEP_LOG)
    log.info("jobs.pruned", entries=int(entries.split()[1]), failed=int(failed.split()[1]))


HANDLERS = (Handler(PruneJobLog, prune_job_log),)
SCHEDULE = (Scheduled("17 3 * * *", PruneJobLog),)
