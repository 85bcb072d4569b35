"""What the jobs say about themselves; `/metrics` collects JOBS beside the program's own registry."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from app.database.engine import Connection

JOBS = CollectorRegistry()

FINISHED = Counter(
    "hustings_jobs_finished",
    "Runs of jobs by how they ended: done, retried, failed, returned (at a stop), lost (to another worker).",
    ["job", "outcome"],
    registry=JOBS,
)
SECONDS = Histogram(
    "hustings_job_seconds",
    "How long a run of a job took.",
    ["job"],
    buckets=(0.01, 0.05, 0.25, 1, 5, 25, 120, 600),
    registry=JOBS,
)
DEPTH = Gauge(
    "hustings_jobs",
    "Jobs in the queue by state: queued, picked, failed (kept for an operator), in the database.",
    ["job", "state"],
    registry=JOBS,
)

COUNT = "SELECT entrypoint, status::text AS state, count(*) AS jobs FROM pgqueuer GROUP BY entrypoint, status"


async def measure_queue(connection: Connection) -> None:
    """Set the gauge of the queue's depth from the database."""
    rows = await connection.fetch(COUNT)
    DEPTH.clear()
    for row in rows:
        DEPTH.labels(row["entrypoint"], row["state"]).set(row["jobs"])
