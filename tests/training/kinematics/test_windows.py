"""Measuring clips: as an analysis does, once each, halves of a picture by themselves, with a reason where it fails."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pandas as pd
import pytest

from detector.analysis.kinds.kinematics import WHY_NONE
from detector.faces.motion import FEATURES
from detector.training.data.left_out import FoldConfig
from detector.training.data.video_cut import Columns, cut_columns
from detector.training.kinematics.config import KinematicsConfig
from detector.training.kinematics.nuisances import NUISANCES
from detector.training.kinematics.windows import clips_of, measure_clips
from tests.talking import pictures, syllables, write_talk

CONFIG = KinematicsConfig("m", "M", (FoldConfig(),))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A face that talks beside one that does not, a clip that is too short, and a file that is no video."""
    root = tmp_path_factory.mktemp("clips")
    talks, rests = pictures(syllables(3.0)), pictures(np.zeros(75))
    both = [np.concatenate(pair, axis=1) for pair in zip(talks, rests, strict=True)]
    write_talk(root / "both.mp4", both, None)
    write_talk(root / "short.mp4", talks[:40], None)
    (root / "broken.mp4").write_bytes(b"no video")
    return root


def rows_of(*names: str) -> pd.DataFrame:
    rows = [name.partition("@") for name in names]
    halves = {"": "", "0": "240", "240": "480"}
    table = [{"id": "".join(row), "file": row[0], "crop_x0": row[2], "crop_x1": halves[row[2]]} for row in rows]
    return pd.DataFrame(table).assign(label="real", family="", source="s", group="g")


def test_every_clip_has_windows_or_a_reason_and_is_measured_once(folder: Path, tmp_path: Path) -> None:
    rows, cache = rows_of("both.mp4@0", "both.mp4@240", "short.mp4", "broken.mp4"), tmp_path / "clips" / "k.parquet"
    table = measure_clips(rows, folder, CONFIG, cache)
    why = dict(zip(table["id"], table["missing"], strict=True))
    assert why["both.mp4@0"] == ""
    assert why["both.mp4@240"] == WHY_NONE["still"]
    assert why["short.mp4"] == WHY_NONE["too_short"]
    assert why["broken.mp4"]
    again = measure_clips(rows, tmp_path / "gone", CONFIG, cache)
    pd.testing.assert_frame_equal(again, table)
    (clip,) = clips_of(rows, table)
    assert (clip.id, clip.windows.shape, clip.nuisances.shape) == ("both.mp4@0", (1, len(FEATURES)), (len(NUISANCES),))
    assert np.isfinite(clip.nuisances).all()
    told = dict(zip(NUISANCES, clip.nuisances, strict=True))
    assert np.exp(told["picture_height"]) == pytest.approx(240)
    assert 30 < np.exp(told["eyes_px"]) < 80


def test_a_clip_whose_time_starts_late_is_searched_from_its_first_frame(folder: Path, tmp_path: Path) -> None:
    cut_columns(folder / "both.mp4", tmp_path / "on_time.mp4", Columns(0, 240))
    with av.open(str(tmp_path / "on_time.mp4")) as read, av.open(str(tmp_path / "late.ts"), "w") as written:
        stream = read.streams.video[0]
        out = written.add_stream_from_template(stream)
        for packet in read.demux(stream):
            if packet.dts is not None:
                packet.pts += int(20 / stream.time_base)
                packet.dts += int(20 / stream.time_base)
                packet.stream = out
                written.mux(packet)
    table = measure_clips(rows_of("late.ts"), tmp_path, CONFIG, tmp_path / "k.parquet")
    assert table["missing"].tolist() == [""]
    assert table["start_s"].iloc[0] > 20


def test_a_table_of_other_features_is_begun_anew(folder: Path, tmp_path: Path) -> None:
    cache = tmp_path / "k.parquet"
    pd.DataFrame({"id": ["short.mp4"], "missing": [""], "older": [1.0]}).to_parquet(cache)
    table = measure_clips(rows_of("short.mp4"), folder, CONFIG, cache)
    assert table["missing"].tolist() == [WHY_NONE["too_short"]]


def test_features_and_nuisances_have_names_of_their_own() -> None:
    assert not set(FEATURES) & set(NUISANCES)
    assert len(set(NUISANCES)) == len(NUISANCES)
