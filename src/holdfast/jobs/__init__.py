"""Durable work: queues of jobs that outlive the node, leased with a fencing token and tried until done or dead."""

from holdfast.jobs.limits import QueueLimits, backoff_s
from holdfast.jobs.listing import AT_ONCE, JobsQuery
from holdfast.jobs.queue import Jobs, LeaseLost, Moments, NodeAge, QueueFull

__all__ = [
    "AT_ONCE",
    "Jobs",
    "JobsQuery",
    "LeaseLost",
    "Moments",
    "NodeAge",
    "QueueFull",
    "QueueLimits",
    "backoff_s",
]
