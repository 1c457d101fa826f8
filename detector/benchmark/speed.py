"""One analysis, stage by stage, against what its stages cost alone: no arrangement of them can be faster."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from detector.analysis import Analysis, analyze
from detector.analysis.aggregate import deciding_tracks
from detector.analysis.components import Components, default_components
from detector.analysis.crops import Batch, Cutter
from detector.analysis.kinds import KINDS, TrackContext, kind_of
from detector.analysis.model_run import ModelRun
from detector.analysis.thread_group import Channel, ThreadGroup
from detector.analysis.workers import crop_readers
from detector.benchmark.usage import (
    Cost,
    ThreadMeter,
    children_cpu_seconds,
    cores,
    measured,
    peak_rss_mib,
)
from detector.evidence import FrameReader
from detector.evidence.types import Evidence
from detector.faces.types import CropSpec
from detector.settings import AnalysisSettings

if TYPE_CHECKING:
    from detector.registry import LoadedModel

CALLING_THREAD: Final = "faces, tracks, crops"
DECODER: Final = "decode"


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage of an analysis. `busy_s` seconds that passed while it worked; stages overlap and wait for each other's
    cores, so their sum may exceed the whole. `cpu_s` seconds of processor of the stage's own thread, without what a
    library's threads or another process did for it; None where the system does not say. `alone` is what the same work
    costs with nothing else running, None where it was not measured."""

    name: str
    busy_s: float
    cpu_s: float | None
    alone: Cost | None = None


@dataclass(frozen=True, slots=True)
class Bounds:
    """Seconds below which no arrangement of the stages can bring the analysis on this machine.

    `decode_s` and `faces_s` are one thread each, alone. `networks_s` is every network that reads face crops on as many
    crops: on processors the longest alone or, where that is more, the seconds of processor of all over the number of
    cores; on a card one after another. `models_s` likewise of the models that go by tracks or sound. `cores_s` is the
    analysis' own seconds of processor over the number of cores: what was left if no core ever waited.
    """

    decode_s: float
    faces_s: float
    networks_s: float
    models_s: float
    cores_s: float

    @property
    def largest(self) -> tuple[str, float]:
        """The largest of the stages measured alone, with its name; `cores_s` is none of them."""
        stages = {
            "decode": self.decode_s,
            "faces": self.faces_s,
            "networks": self.networks_s,
            "models over time": self.models_s,
        }
        return max(stages.items(), key=lambda one: one[1])


@dataclass(frozen=True, slots=True)
class SpeedReport:
    """One analysis of one file, after a short one that loaded what is loaded on first use.

    `runtimes` are what computed the networks, by name and version. `total_s` seconds that it took, `cpu_s` seconds of
    all cores together, of which `children_s` were those of the child processes that decode, `frames_per_s` examined
    frames a second, `realtime_factor` seconds of video a second. `peak_rss_mib` is the process' own peak so far,
    `peak_with_children_mib` that of it and its child processes during the analysis; `peak_cuda_mib` None without CUDA.
    `bounds` None where they were not measured, and `bound_ratio`, `total_s` over the largest of them, with them.
    """

    device: str
    runtimes: tuple[str, ...]
    model_ids: tuple[str, ...]
    video_s: float
    frames_examined: int
    faces_scored: int
    total_s: float
    cpu_s: float
    children_s: float
    frames_per_s: float
    realtime_factor: float
    stages: tuple[Stage, ...]
    peak_rss_mib: float
    peak_with_children_mib: float
    peak_cuda_mib: float | None
    bounds: Bounds | None = None
    bound_ratio: float | None = None


@dataclass(frozen=True, slots=True)
class Timed:
    """An analysis, what it cost, and the seconds of processor of each of its threads by the thread's name."""

    analysis: Analysis
    cost: Cost
    threads_s: Mapping[str, float]
    children_s: float
    peak_with_children_mib: float


def timed_analysis(evidence: Evidence, models: Sequence[LoadedModel], settings: AnalysisSettings) -> Timed:
    """Analyse and measure. Raises as `analyze`."""
    found: list[Analysis] = []
    children_s = children_cpu_seconds()
    with ThreadMeter() as meter:
        cost = measured(lambda: found.append(analyze(evidence, models, settings)))
    threads_s = {
        (CALLING_THREAD if name == threading.current_thread().name else name): seconds
        for name, seconds in meter.cpu_s.items()
    }
    cost = replace(cost, cpu_s=cost.cpu_s - meter.own_s)
    return Timed(found[0], cost, threads_s, children_cpu_seconds() - children_s, meter.peak_mib)


def bench(
    evidence: Evidence, models: Sequence[LoadedModel], settings: AnalysisSettings, *, bounds: bool = True
) -> SpeedReport:
    """Analyse once and measure; with `bounds`, then every stage alone. Raises as `analyze`."""
    timed = timed_analysis(evidence, models, settings)
    analysis, total_s = timed.analysis, timed.cost.wall_s
    own_peak_mib, cuda_mib = peak_rss_mib(), _peak_cuda_mib(models)
    alone = dict(_alone(analysis, models, settings)) if bounds else {}
    limits = _bounds(alone, timed.cost.cpu_s, models) if bounds else None
    return SpeedReport(
        device=str(models[0].device),
        runtimes=tuple(sorted({model.runtime.words for model in models})),
        model_ids=tuple(model.card.model_id for model in models),
        video_s=evidence.video.duration_s,
        frames_examined=analysis.frames_examined,
        faces_scored=sum(len(track.faces) for track in analysis.tracks),
        total_s=total_s,
        cpu_s=timed.cost.cpu_s,
        children_s=timed.children_s,
        frames_per_s=analysis.frames_examined / total_s,
        realtime_factor=evidence.video.duration_s / total_s,
        stages=tuple(_stages(timed, alone)),
        peak_rss_mib=own_peak_mib,
        peak_with_children_mib=timed.peak_with_children_mib,
        peak_cuda_mib=cuda_mib,
        bounds=limits,
        bound_ratio=total_s / limits.largest[1] if limits is not None else None,
    )


def _stages(timed: Timed, alone: Mapping[str, Cost]) -> Iterator[Stage]:
    busy_s = {name: seconds for name, seconds in timed.analysis.timings.items() if name != "total"}
    called = [busy_s.pop(name) for name in CALLING_THREAD.split(", ")]
    busy_s = {DECODER: busy_s.pop(DECODER), CALLING_THREAD: sum(called), **busy_s}
    for name, seconds in busy_s.items():
        thread = name.replace("scores:", "score ").replace(":", " ")
        yield Stage(name, seconds, timed.threads_s.get(thread), alone.get(name))


def _bounds(alone: Mapping[str, Cost], cpu_s: float, models: Sequence[LoadedModel]) -> Bounds:
    one_device = models[0].device.type != "cpu"
    networks = [cost for name, cost in alone.items() if name.startswith("scores:")]
    others = [cost for name, cost in alone.items() if ":" in name and not name.startswith("scores:")]
    return Bounds(
        decode_s=alone[DECODER].wall_s,
        faces_s=alone[CALLING_THREAD].wall_s,
        networks_s=sum(cost.wall_s for cost in networks) if one_device else _at_once(networks),
        models_s=_at_once(others),
        cores_s=cpu_s / cores(),
    )


def _at_once(costs: Sequence[Cost]) -> float:
    """The least seconds that work in threads side by side can take on all cores."""
    longest_s = max((cost.wall_s for cost in costs), default=0.0)
    return max(longest_s, sum(cost.cpu_s for cost in costs) / cores())


def _alone(analysis: Analysis, models: Sequence[LoadedModel], settings: AnalysisSettings) -> Iterator[tuple[str, Cost]]:
    """The cost of each stage alone, by its name in the timings."""
    parts, networks = default_components(), crop_readers(models, KINDS)
    over_time = any(kind_of(model).keeps_features for model in models)
    yield DECODER, measured(lambda: _decode(analysis.evidence, settings, parts, over_time))
    crops: dict[CropSpec, NDArray[np.uint8]] = {}
    yield CALLING_THREAD, _faces_cost(analysis.evidence, settings, parts, networks, crops)
    faces = sum(len(track.faces) for track in analysis.tracks)
    for network in networks:
        if (batch := crops.get(network.card.crop)) is not None:
            yield f"scores:{network.card.model_id}", measured(lambda n=network, b=batch: _score(n, b, faces))  # type: ignore[misc]
    deciding = deciding_tracks(analysis.tracks, settings, still=analysis.evidence.kind == "still")
    context = TrackContext(analysis.evidence, analysis.tracks, deciding)
    for model in models:
        kind = kind_of(model)
        if kind.stage is not None and kind.crop_reader(model) is None:
            run = ModelRun(ThreadGroup(), model, kind, None, settings)
            yield f"{kind.stage.name}:{model.card.model_id}", measured(lambda r=run: r.work(context))  # type: ignore[misc]


def _decode(evidence: Evidence, settings: AnalysisSettings, parts: Components, with_before: bool) -> None:
    reader = parts.open_frames(evidence, settings, with_before, 0.0)
    try:
        for _ in reader:
            pass
    finally:
        reader.close()


def _faces_cost(
    evidence: Evidence,
    settings: AnalysisSettings,
    parts: Components,
    networks: Sequence[LoadedModel],
    crops: dict[CropSpec, NDArray[np.uint8]],
) -> Cost:
    """Search, mesh, tracks and crops of every frame; reading the frames is not counted. `crops` are then the first
    batch of each."""
    cutters = {spec: Cutter(spec, settings.batch_size, parts.crop_face) for spec in (one.card.crop for one in networks)}
    batches = {spec: Channel[Batch](ThreadGroup(), 1) for spec in cutters}
    for spec, cutter in cutters.items():
        cutter.channels.append(batches[spec])
    tracker, wall_s, cpu_s = parts.new_tracker(), 0.0, 0.0
    rate, most = settings.frames_per_second, settings.max_frames
    with (
        FrameReader(evidence, frames_per_second=rate, max_frames=most) as frames,
        parts.open_faces(settings) as analyser,
    ):
        for frame in frames:
            start_s, start_cpu_s = time.perf_counter(), time.process_time()
            faces = analyser.analyse(frame)
            tracker.update(frame, faces)
            for cutter in cutters.values():
                for face in faces:
                    cutter.add(frame, face)
                cutter.send(lambda: None)
                if len(cutter.keys) >= settings.batch_size:
                    cutter.channels.clear()
            wall_s, cpu_s = wall_s + time.perf_counter() - start_s, cpu_s + time.process_time() - start_cpu_s
    for cutter in cutters.values():
        cutter.send(lambda: None, last=True)
    for spec, channel in batches.items():
        channel.close()
        if (batch := next(channel.items(), None)) is not None:
            crops[spec] = batch.crops
    return Cost(wall_s, cpu_s)


def _score(network: LoadedModel, crops: NDArray[np.uint8], faces: int) -> None:
    """One network on as many crops as there are faces, in batches as large as `crops`, which are repeated."""
    size = len(crops)
    for count in [size] * (faces // size) + [faces % size] * (faces % size > 0):
        kind_of(network).read_crops(network, crops[:count], keep_features=False)


def _peak_cuda_mib(models: Sequence[LoadedModel]) -> float | None:
    device = models[0].device
    if device.type != "cuda":
        return None
    import torch

    return torch.cuda.max_memory_allocated(device) / (1 << 20)
