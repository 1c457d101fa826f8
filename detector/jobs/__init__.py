"""Analyses and exports away from the page: queues kept in the case store, and worker processes that work them off."""

from detector.cases import Job, JobRequest, JobState
from detector.jobs.protocol import Runner, Task
from detector.jobs.service import ExportService, JobService

__all__ = ["ExportService", "Job", "JobRequest", "JobService", "JobState", "Runner", "Task"]
