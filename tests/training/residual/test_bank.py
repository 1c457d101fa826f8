"""Regions of clips: kept as they were, cut out of real clips, and never of clips that are for the end."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from detector.errors import SettingsError
from detector.evidence.decoder import Decoder
from detector.faces.backend import default_backend
from detector.faces.types import PLACES
from detector.training.data.left_out import FoldConfig, split_clips, usable_rows
from detector.training.data.manifest import read_manifest
from detector.training.residual.bank import Bank, Piece, frames_of
from detector.training.residual.clips import fixed_patches, load_clips, plane_patches
from detector.training.residual.config import FAMILIES, ResidualConfig
from detector.training.residual.regions import fill_bank, read_moments
from detector.training.residual.spoil import to_rgb
from tests.pages.seed import write_clip
from tests.training.residual.banks import FACE, labelled_clips, pieces, planes

CONFIG = ResidualConfig("t", "T", (FoldConfig(),), None, moments=2)  # type: ignore[arg-type]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return labelled_clips(tmp_path)


def test_a_bank_gives_back_the_pixels_it_was_given(tmp_path: Path) -> None:
    given = [planes(32, 48, np.random.default_rng(1)) for _ in range(3)]
    for name in ("a", "b"):
        Bank(tmp_path).add([(name, [Piece(0, FACE, given)])])
    bank = Bank(tmp_path)
    assert list(bank.regions()) == ["a", "b"]
    for (region,) in bank.regions().values():
        for kept, one in zip(frames_of(bank.open(), region), given, strict=True):
            np.testing.assert_array_equal(kept.y, one.y)
            np.testing.assert_array_equal(kept.uv, one.uv)


def test_what_an_interrupted_writer_left_behind_is_written_over(tmp_path: Path) -> None:
    bank, rng = Bank(tmp_path), np.random.default_rng(1)
    bank.add([("a", pieces(rng, smooth=False))])
    with (tmp_path / "pixels.bin").open("ab") as file, (tmp_path / "clips.jsonl").open("a") as table:
        file.write(b"half a clip")
        table.write('{"id": "b", "reg')
    given = planes(32, 32, rng)
    bank.add([("c", [Piece(0, FACE, [given])])])
    assert list(bank.regions()) == ["a", "c"]
    np.testing.assert_array_equal(frames_of(bank.open(), bank.regions()["c"][0])[0].y, given.y)


def test_a_clip_is_cut_at_its_face_at_its_own_pixels(tmp_path: Path) -> None:
    path = write_clip(tmp_path / "drift.mp4", seconds=1.0)
    with closing(default_backend()) as backend:
        moments = read_moments(path, backend, CONFIG, None, "drift")
        half = read_moments(path, backend, CONFIG, (100, 320), "half")
    assert len(moments) == 2
    x0, y0, x1, y1 = moments[0].corners
    piece = moments[0].piece(0)
    assert len(piece.frames) == 3
    with Decoder(path) as decoder:
        frame = next(iter(decoder.frames())).to_ndarray()  # the planes of luma, then of colour
    np.testing.assert_array_equal(piece.frames[0].y, frame[y0:y1, x0:x1])
    assert 0 < piece.face[0] < piece.face[2] < x1 - x0
    assert half[0].frames[0].y.shape == (240, 220)


def test_a_clip_that_cannot_be_read_is_left_without_regions_and_not_tried_again(tmp_path: Path) -> None:
    (tmp_path / "broken.mp4").write_bytes(b"no video")
    rows = pd.DataFrame([{"id": "broken.mp4", "file": "broken.mp4", "crop_x0": "", "crop_x1": ""}])
    bank = Bank(tmp_path / "bank")
    fill_bank(bank, rows, tmp_path, CONFIG)
    assert bank.regions() == {"broken.mp4": ()}
    (tmp_path / "broken.mp4").unlink()
    fill_bank(bank, rows, tmp_path, CONFIG)


def test_only_clips_marked_for_training_are_used_and_none_of_the_folders_own_deepfakes(data: Path) -> None:
    manifest = read_manifest(data, extended=True)
    rows = usable_rows(manifest, FAMILIES)
    assert set(rows["use"]) == {"train"}
    assert "f.mp4" not in set(rows["file"])
    clips = load_clips(Bank(data.parent / "clips" / "regions"), manifest)
    assert (len(clips), sum(clip.label for clip in clips)) == (18, 6)
    assert {clip.family for clip in clips} == {"", "swap", "animation", "whole"}


def test_a_bank_that_holds_clips_for_calibration_is_refused(data: Path) -> None:
    bank = Bank(data.parent / "clips" / "regions")
    bank.add([("extended/c.mp4", pieces(np.random.default_rng(0), smooth=True))])
    with pytest.raises(SettingsError, match="calibration"):
        load_clips(bank, read_manifest(data, extended=True))


def test_what_is_held_out_shares_no_group_with_what_is_fitted(data: Path) -> None:
    clips = load_clips(Bank(data.parent / "clips" / "regions"), read_manifest(data, extended=True))
    fit, held = split_clips(clips, FoldConfig(names=("maker of held",), shares={"camera": 0.5}))
    assert not {clip.group for clip in fit} & {clip.group for clip in held}
    assert sum(clip.source == "camera" for clip in held) == 2
    assert sum("held" in clip.source for clip in held) == 6  # the genuine ones of the same groups, too
    assert len(fit) + len(held) == len(clips)


def test_a_clip_is_judged_at_the_places_of_an_analysis(data: Path) -> None:
    clip = load_clips(Bank(data.parent / "clips" / "regions"), read_manifest(data, extended=True))[0]
    patches, planes_of_it = fixed_patches(clip, 64, 5), plane_patches(clip, 64, 5)
    assert [place for place, _ in planes_of_it] == [*PLACES, *PLACES]
    assert patches.shape == (6, 64, 64, 3)
    for patch, (_, frames) in zip(patches, planes_of_it, strict=True):
        np.testing.assert_array_equal(patch, to_rgb(frames[1]))
