"""All that a run of `bench` measured, as one record and as aligned text."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field

from detector.analysis.environment import environment
from detector.benchmark.baseline import BaselineReport
from detector.benchmark.compare import CompareReport
from detector.benchmark.pages import PagesReport
from detector.benchmark.processes import AtOnce, LongReport
from detector.benchmark.speed import SpeedReport
from detector.benchmark.usage import cores


@dataclass(frozen=True, slots=True)
class Conditions:
    """What the figures depend on besides the program: `clip` in words, `cores` that the process may use, `load` the
    mean number of processes that ran or waited in the minute before, None where the system does not say (above zero,
    others compete for the cores and seconds that pass say little), and the machine and libraries by name."""

    clip: str
    cores: int
    load: float | None
    environment: dict[str, str]


@dataclass(frozen=True, slots=True)
class Benchmark:
    """What was asked for is there or, where it could not be measured, in `not_measured` with the reason."""

    conditions: Conditions
    speed: SpeedReport | None = None
    compare: CompareReport | None = None
    baseline: BaselineReport | None = None
    concurrency: tuple[AtOnce, ...] = ()
    long: LongReport | None = None
    pages: PagesReport | None = None
    not_measured: dict[str, str] = field(default_factory=dict)


def conditions(clip: str) -> Conditions:
    """The present ones."""
    load = round(os.getloadavg()[0], 2) if hasattr(os, "getloadavg") else None
    return Conditions(clip, cores(), load, environment())


def describe(done: Benchmark) -> str:
    """The record as text, a part each for what was measured."""
    parts = [_conditions(done.conditions)]
    if done.speed is not None:
        parts.append(_speed(done.speed))
    if done.compare is not None:
        parts.append(_compare(done.compare))
    if done.baseline is not None:
        parts.append(_baseline(done.baseline))
    if done.concurrency:
        parts.append(_concurrency(done.concurrency))
    if done.long is not None:
        parts.append(_long(done.long))
    if done.pages is not None:
        parts.append(_pages(done.pages))
    parts += [f"{name}: not measured. {reason}" for name, reason in done.not_measured.items()]
    return "\n\n".join(parts)


def _conditions(found: Conditions) -> str:
    load = "not stated" if found.load is None else f"{found.load:.1f} processes in the minute before"
    rows = [
        ("clip", found.clip),
        ("cores", f"{found.cores}, {found.environment.get('processor', 'processor not stated')}"),
        ("load", load),
    ]
    return _pairs(rows)


def _speed(report: SpeedReport) -> str:
    rows = [
        ("models", ", ".join(report.model_ids)),
        ("device", f"{report.device}, {' and '.join(report.runtimes)}"),
        (
            "video",
            f"{report.video_s:.1f} s, {report.frames_examined} frames examined, {report.faces_scored} faces scored",
        ),
        (
            "total",
            f"{report.total_s:.2f} s, {report.cpu_s:.2f} s of all cores together, "
            f"of which {report.children_s:.2f} s in processes that decode",
        ),
        ("frames per second", f"{report.frames_per_s:.1f}"),
        ("realtime factor", f"{report.realtime_factor:.2f} x"),
        ("peak memory", f"{report.peak_rss_mib:.0f} MiB, {report.peak_with_children_mib:.0f} with child processes"),
    ]
    if report.peak_cuda_mib is not None:
        rows.append(("peak memory, CUDA", f"{report.peak_cuda_mib:.0f} MiB allocated"))
    if report.bounds is not None and report.bound_ratio is not None:
        name, seconds = report.bounds.largest
        rows += [
            ("largest lower bound", f"{name}, {seconds:.2f} s; the analysis took {report.bound_ratio:.2f} times that"),
            ("if no core waited", f"{report.bounds.cores_s:.2f} s"),
        ]
    table = [("stage, seconds", "busy", "cpu", "alone", "cpu alone")]
    for stage in report.stages:
        alone = stage.alone
        figures = (stage.busy_s, stage.cpu_s, alone and alone.wall_s, alone and alone.cpu_s)
        table.append((stage.name, *map(_seconds, figures)))  # type: ignore[arg-type]
    return _pairs(rows) + "\n\n" + _table(table)


def _compare(report: CompareReport) -> str:
    table = [("runtime", "wall s", "cpu s", "networks s", "largest logit difference", "conclusion")]
    for one in report.runtimes:
        label = one.label + (" (changed)" if one.changed else "")
        differs = f"{one.largest_logit_difference:.1e}" + (f", {one.missing} values missing" if one.missing else "")
        figures = (one.cost.wall_s, one.cost.cpu_s, one.networks_s)
        table.append((f"{one.runtime} {one.version}", *map(_seconds, figures), differs, label))  # type: ignore[arg-type]
    said = [f"{name}: left out, {why}" for name, why in report.left_out.items()]
    said += [reason for one in report.runtimes for reason in one.by_torch.values()]
    return "\n".join([f"runtimes, medians of {report.rounds}", _table(table), *said])


def _baseline(report: BaselineReport) -> str:
    parts = f"reading {report.reading_s:.2f}, faces {report.faces_s:.2f}, network {report.network_s:.2f}"
    rows = [
        (
            "common pipeline",
            f"{report.common.wall_s:.2f} s, {report.common.cpu_s:.2f} s of all cores; {parts}; {report.faces} faces by "
            f"one network ({report.detector}, {report.trunk}, random weights)",
        ),
        (
            "this analysis",
            f"{report.analysis.wall_s:.2f} s, {report.analysis.cpu_s:.2f} s of all cores; {report.faces_scored} faces "
            "by every model",
        ),
        ("ratio", f"{report.ratio:.2f} (medians of {report.rounds}, alternating in one process)"),
    ]
    return _pairs(rows)


def _concurrency(counts: Sequence[AtOnce]) -> str:
    table = [("analyses at once", "wall s", "slowest s", "video s/s", "peak MiB, all")]
    table += [
        (
            str(one.count),
            f"{one.wall_s:.2f}",
            f"{max(one.each_s):.2f}",
            f"{one.throughput:.2f}",
            f"{one.peak_sum_mib:.0f}",
        )
        for one in counts
    ]
    return _table(table)


def _long(report: LongReport) -> str:
    table = [("video", "frames", "faces", "wall s", "wall s/min", "cpu s/min", "s/frame", "peak MiB")]
    table += [
        (
            f"{clip.video_s:.0f} s",
            str(clip.frames_examined),
            str(clip.faces_scored),
            f"{clip.wall_s:.1f}",
            f"{clip.wall_per_minute_s:.2f}",
            f"{clip.cpu_per_minute_s:.2f}",
            f"{clip.per_frame_s:.3f}",
            f"{clip.peak_mib:.0f}",
        )
        for clip in report.clips
    ]
    flat = "as allowed" if report.flat else "more than allowed"
    return _table(table) + f"\ngrowth of memory: {report.growth:+.1%}, {flat}"


def _pages(report: PagesReport) -> str:
    table = [("page", "first byte s", "interactive s", "first visit s")]
    table += [
        (one.page, f"{one.first_byte_s:.3f}", f"{one.interactive_s:.2f}", f"{one.first_visit_s:.2f}")
        for one in report.pages
    ]
    said = f"pages, medians of {report.rounds} warm visits; Examine with {report.faces:,} scored frames"
    return f"{said}\n{_table(table)}\nthe server answered {report.server_s:.2f} s after its start"


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def _pairs(rows: Sequence[tuple[str, str]]) -> str:
    width = max(len(name) for name, _ in rows)
    return "\n".join(f"{name:<{width}}  {value}" for name, value in rows)


def _table(rows: Sequence[tuple[str, ...]]) -> str:
    """Columns as wide as they need; all but the first are ragged on the left."""
    first, *others = ([cell.rjust(max(map(len, column))) for cell in column] for column in zip(*rows, strict=True))
    first = [cell.lstrip().ljust(len(cell)) for cell in first]
    return "\n".join("  ".join(cells) for cells in zip(first, *others, strict=True))
