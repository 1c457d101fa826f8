"""The common pipeline beside ours: what it does to a clip, and that both take turns."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from detector.benchmark import baseline
from detector.benchmark.speed import Timed
from detector.benchmark.usage import Cost
from detector.evidence import examine, ingest
from detector.settings import AnalysisSettings
from tests.analysis.fakes import FakeModel
from tests.benchmark.test_compare import analysis
from tests.pages.seed import write_clip


def test_both_take_turns_on_the_same_file_and_the_ratio_is_of_the_medians(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    evidence = examine(ingest(write_clip(tmp_path / "clip.mp4", seconds=1, fps=8), tmp_path / "store"))
    turns: list[str] = []
    run, costs = baseline.CommonPipeline.__call__, iter([8.0, 30.0, 9.0])

    def ours(*_: object) -> Timed:
        turns.append("ours")
        return Timed(analysis(0.0), Cost(next(costs), 1.0), {}, 0.0, 0.0)

    def theirs(pipeline: baseline.CommonPipeline, path: Path) -> None:
        turns.append("theirs")
        assert path == evidence.file.path
        run(pipeline, path)

    monkeypatch.setattr(baseline, "timed_analysis", ours)
    monkeypatch.setattr(baseline.CommonPipeline, "__call__", theirs)
    report = baseline.against_baseline(evidence, [FakeModel()], AnalysisSettings(), rounds=3, trunk="test_resnet")
    assert turns == ["theirs", *["ours", "theirs"] * 3]
    assert report.faces == 8  # one in each frame of a clip that has fewer than 32
    assert report.analysis == Cost(9.0, 1.0)
    assert report.ratio == 9.0 / report.common.wall_s
    parts_s = report.reading_s, report.faces_s, report.network_s
    assert all(seconds > 0 for seconds in parts_s)
    assert sum(parts_s) < 2 * report.common.wall_s


def test_frames_are_spread_over_the_whole_clip(tmp_path: Path) -> None:
    frames = baseline._read(write_clip(tmp_path / "clip.mp4", seconds=4, fps=16))
    assert len(frames) == baseline.FRAMES
    assert frames[0].shape == (240, 320, 3)
    assert np.abs(frames[0].astype(int) - frames[-1]).mean() > 1  # the face drifts
