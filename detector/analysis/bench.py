"""Speed of an analysis: stage times against the lower bounds of decoder and network."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from detector.analysis.kinds import KINDS, kind_of
from detector.analysis.pipeline import analyze
from detector.analysis.workers import crop_readers
from detector.evidence.types import Evidence
from detector.settings import AnalysisSettings

if TYPE_CHECKING:
    from detector.registry import LoadedModel


@dataclass(frozen=True, slots=True)
class BenchReport:
    """Measured on one file. `stages_s`: busy seconds of each stage, which overlap, so their sum may exceed `total_s`.

    `frames_per_s` examined frames per second of wall time; `realtime_factor` seconds of video per second of wall time;
    `cpu_s` seconds of all cores together; `decode_alone_s` and `network_alone_s` the same frames and the same number of
    crops through every network that reads crops, with nothing else running: no arrangement of stages can be faster than
    the longer of the two on one device. `peak_rss_mib` is the process's own
    peak up to the end of the analysis, before the bounds are measured; `peak_cuda_mib` None without CUDA.
    """

    device: str
    model_ids: tuple[str, ...]
    frames_examined: int
    faces_scored: int
    video_s: float
    total_s: float
    cpu_s: float
    stages_s: dict[str, float]
    frames_per_s: float
    realtime_factor: float
    peak_rss_mib: float
    peak_cuda_mib: float | None
    decode_alone_s: float | None = None
    network_alone_s: float | None = None


def peak_rss_mib() -> float:
    """The largest resident set of this process so far, in MiB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1 << 20 if sys.platform == "darwin" else 1 << 10)


def bench(
    evidence: Evidence, models: Sequence[LoadedModel], settings: AnalysisSettings, *, bounds: bool = True
) -> BenchReport:
    """Analyse once, after one warm-up batch a network, and measure. With `bounds`, then decode and score alone."""
    networks = crop_readers(models, KINDS)
    for network in networks:
        _run(network, settings.batch_size)
    cpu_s = time.process_time()
    analysis = analyze(evidence, models, settings)
    cpu_s = time.process_time() - cpu_s
    rss_mib, cuda_mib = peak_rss_mib(), _peak_cuda_mib(models)
    total_s = analysis.timings["total"]
    faces = sum(len(track.faces) for track in analysis.tracks)
    return BenchReport(
        device=str(models[0].device),
        model_ids=tuple(model.card.model_id for model in models),
        frames_examined=analysis.frames_examined,
        faces_scored=faces,
        video_s=evidence.video.duration_s,
        total_s=total_s,
        cpu_s=cpu_s,
        stages_s={name: seconds for name, seconds in analysis.timings.items() if name != "total"},
        frames_per_s=analysis.frames_examined / total_s,
        realtime_factor=evidence.video.duration_s / total_s,
        peak_rss_mib=rss_mib,
        peak_cuda_mib=cuda_mib,
        decode_alone_s=_decode_alone_s(evidence, settings) if bounds else None,
        network_alone_s=_network_alone_s(networks, faces, settings.batch_size) if bounds else None,
    )


def _decode_alone_s(evidence: Evidence, settings: AnalysisSettings) -> float:
    from detector.evidence import FrameReader

    start_s = time.perf_counter()
    with FrameReader(evidence, frames_per_second=settings.frames_per_second, max_frames=settings.max_frames) as reader:
        for _ in reader:
            pass
    return time.perf_counter() - start_s


def _network_alone_s(networks: Sequence[LoadedModel], faces: int, batch_size: int) -> float:
    """The networks one after another, in the batches that the analysis uses."""
    sizes = [batch_size] * (faces // batch_size) + [faces % batch_size] * (faces % batch_size > 0)
    start_s = time.perf_counter()
    for network in networks:
        for size in sizes:
            _run(network, size)
    return time.perf_counter() - start_s


def _run(network: LoadedModel, count: int) -> None:
    blank = np.full((count, *network.card.crop.shape), 128, np.uint8)
    kind_of(network).read_crops(network, blank, keep_features=False)


def _peak_cuda_mib(models: Sequence[LoadedModel]) -> float | None:
    device = models[0].device
    if device.type != "cuda":
        return None
    import torch

    return torch.cuda.max_memory_allocated(device) / (1 << 20)


def describe(report: BenchReport) -> str:
    """The report as aligned text."""
    rows = [
        ("models", ", ".join(report.model_ids)),
        ("device", report.device),
        (
            "video",
            f"{report.video_s:.1f} s, {report.frames_examined} frames examined, {report.faces_scored} faces scored",
        ),
        ("total", f"{report.total_s:.2f} s, {report.cpu_s:.2f} s of all cores together"),
        ("frames per second", f"{report.frames_per_s:.1f}"),
        ("realtime factor", f"{report.realtime_factor:.2f} x"),
        ("peak memory", f"{report.peak_rss_mib:.0f} MiB resident"),
    ]
    if report.peak_cuda_mib is not None:
        rows.append(("peak memory, CUDA", f"{report.peak_cuda_mib:.0f} MiB allocated"))
    rows += [(f"busy: {name}", f"{seconds:.2f} s") for name, seconds in report.stages_s.items()]
    if report.decode_alone_s is not None:
        rows.append(("decode alone", f"{report.decode_alone_s:.2f} s"))
    if report.network_alone_s is not None:
        rows.append(("network alone", f"{report.network_alone_s:.2f} s"))
    width = max(len(name) for name, _ in rows)
    return "\n".join(f"{name:<{width}}  {value}" for name, value in rows)
