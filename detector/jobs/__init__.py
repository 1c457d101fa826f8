"""Analyses away from the page: a queue kept in the case store, and worker processes that work it off."""

from detector.cases import Job, JobRequest, JobState
from detector.jobs.protocol import Runner, Task
from detector.jobs.service import JobService

__all__ = ["Job", "JobRequest", "JobService", "JobState", "Runner", "Task"]
