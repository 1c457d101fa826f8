"""A laboratory's own labelled files: how they are named, and what is refused before anything is examined."""

from __future__ import annotations

from pathlib import Path

import pytest

from detector.errors import SettingsError
from detector.training.evaluation.own_files import read_own_files


def put(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("real/a.mp4", "real/studio/b.mp4", "fake/c.mp4", "fake/faceswap/deep/d.mp4", "real/.hidden", "e.mp4"):
        put(tmp_path / name, name)
    put(tmp_path / "fake/.cache/f.mp4", "hidden as well")
    return tmp_path


def test_folders_say_label_source_and_generator(folder: Path) -> None:
    own = read_own_files(folder)
    said = own.table[["file", "label", "source", "generator", "family"]].to_numpy().tolist()
    assert said == [
        ["real/a.mp4", "real", "", "", ""],
        ["real/studio/b.mp4", "real", "studio", "", ""],
        ["fake/c.mp4", "fake", "", "", ""],
        ["fake/faceswap/deep/d.mp4", "fake", "", "faceswap", "swap"],
    ]
    assert own.root == folder


def test_a_table_may_lie_anywhere_and_name_columns_as_manifests_do(folder: Path, tmp_path: Path) -> None:
    for lines in (
        "path,label,source,group,generator\nreal/a.mp4,Real,web,anna,\nfake/c.mp4,fake,web,anna,wav2lip",
        "\ufefffile,LABEL,repo,group,manipulation\nreal/a.mp4,real,web,anna,none\nfake/c.mp4,fake,web,anna,wav2lip",
    ):
        own = read_own_files(put(folder / "manifest.csv", lines + "\n"))
        said = own.table[["file", "label", "source", "group", "generator", "family"]].to_numpy().tolist()
        assert said == [
            ["real/a.mp4", "real", "web", "anna", "", ""],
            ["fake/c.mp4", "fake", "web", "anna", "wav2lip", "lipsync"],
        ]
        assert read_own_files(folder).table.equals(own.table)  # the folder's table goes before its folders
    absolute = put(tmp_path / "elsewhere" / "list.csv", f"path,label\n{folder / 'real/a.mp4'},real\n")
    assert len(read_own_files(absolute).table) == 1


@pytest.mark.parametrize(
    ("lines", "why"),
    [
        ("path,tag\na.mp4,real\n", "lacks the columns label"),
        ("name,label\na.mp4,real\n", "lacks the columns path"),
        ("path,label\nreal/a.mp4,real\nb.mp4,maybe\n,fake\n", "see line 3, line 4"),
        ("path,label\n", "it has no rows"),
        ("path,label\nnowhere.mp4,real\n", "None of the 1 files is there"),
        ("", "cannot be read as a CSV table"),
        ("path,label\nreal/a.mp4,real\nreal/a.mp4,fake\n", "labelled real and fake: real/a.mp4, real/a.mp4"),
    ],
)
def test_a_table_that_cannot_be_meant_is_refused_with_what_is_wrong(folder: Path, lines: str, why: str) -> None:
    with pytest.raises(SettingsError, match=why):
        read_own_files(put(folder / "list.csv", lines))


def test_one_content_with_two_labels_is_refused_wherever_it_lies(folder: Path) -> None:
    put(folder / "fake" / "copy.mp4", "real/a.mp4")  # the content of real/a.mp4
    with pytest.raises(SettingsError, match=r"labelled real and fake: real/a\.mp4, fake/copy\.mp4"):
        read_own_files(folder)


def test_two_halves_of_one_file_may_have_two_labels(folder: Path) -> None:
    lines = "path,label,crop_x0,crop_x1\nreal/a.mp4,real,0,640\nreal/a.mp4,fake,640,1280\n"
    assert len(read_own_files(put(folder / "list.csv", lines)).table) == 2


def test_a_place_without_labelled_files_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="is not there"):
        read_own_files(tmp_path / "nowhere")
    with pytest.raises(SettingsError, match="Put genuine files into real"):
        read_own_files(tmp_path)
