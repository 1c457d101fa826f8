"""Files made to break the examination: it must come back, quickly and with plain values, whatever is in them."""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import numpy as np
import pytest

from detector.analysis.forensics_record import forensics_from_dict, forensics_to_dict, provenance_to_dict
from detector.errors import EvidenceError
from detector.evidence import Evidence
from detector.evidence.forensics import FileForensics, examination, examine_file
from detector.evidence.forensics.container_tree import read_tree
from detector.evidence.forensics.meaning import MEANINGS
from detector.evidence.isobmff import MAX_BOXES, MAX_DEPTH, read_layout
from tests.evidence.forensics.boxes import box, examined, find
from tests.evidence.forensics.signing import authority, sign
from tests.evidence.media import make_still, make_video

Admit = Callable[..., Evidence]
MAX_JSON_BYTES = 200_000


def accepted(found: FileForensics) -> None:
    """It reads back as it was, says nothing without its meaning, and stays small."""
    provenance, forensics = provenance_to_dict(found.provenance), forensics_to_dict(found)
    text = json.dumps([provenance, forensics], allow_nan=False)
    assert len(text) < MAX_JSON_BYTES
    assert forensics_from_dict(*json.loads(text)) == found
    for one in found.observations:
        assert one.finding
        assert one.finding.isprintable()
        assert one.can_mean
        assert one.cannot_mean
        assert one.code in MEANINGS


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("sound")
    small = {"frames": 6, "size": (48, 32)}
    plain = make_video(folder / "plain.mp4", **small, audio=True)  # type: ignore[arg-type]
    return {
        "mp4": plain,
        "signed": sign(plain, folder / "signed.mp4", signer=authority(), generated=True),
        "mkv": make_video(folder / "clip.mkv", **small),  # type: ignore[arg-type]
        "avi": make_video(folder / "clip.avi", **small, codec="mpeg4"),  # type: ignore[arg-type]
        "jpg": make_still(
            folder / "a.jpg", quality=90, xmp=b"<x:xmpmeta xmlns:x='adobe:ns:meta/'><a>b</a></x:xmpmeta>"
        ),
        "png": make_still(folder / "a.png"),
    }


@pytest.mark.parametrize("kind", ["mp4", "signed", "mkv", "avi", "jpg", "png"])
def test_random_damage_is_survived(kind: str, sources: dict[str, Path], tmp_path: Path, admit: Admit) -> None:
    """Flipped bytes, mostly in the structure, and cuts anywhere; each file is another one."""
    evidence = admit(sources[kind])
    content = sources[kind].read_bytes()
    random = np.random.default_rng(20)
    for number in range(14):
        damaged = bytearray(content)
        for place in random.integers(0, len(damaged), 1 + number).tolist():
            damaged[place] ^= int(random.integers(1, 256))
        if kind in ("mp4", "signed"):  # the index lies at the end
            start = content.rfind(b"moov")
            for place in random.integers(start, len(damaged), 3).tolist():
                damaged[place] = int(random.choice([0, 1, 0x7F, 0x80, 0xFF]))
        if number % 3 == 2:
            del damaged[int(random.integers(1, len(damaged))) :]
        path = tmp_path / f"{number}.{kind}"
        path.write_bytes(damaged)
        accepted(examined(path, evidence))


def _size(kind: bytes, size: int) -> Callable[[bytearray], None]:
    def change(content: bytearray) -> None:
        start = find(bytes(content), kind) - 8
        content[start : start + 4] = struct.pack(">I", size & 0xFFFFFFFF)

    return change


def _count(kind: bytes, count: int) -> Callable[[bytearray], None]:
    def change(content: bytearray) -> None:
        at = find(bytes(content), kind) + 4
        content[at : at + 4] = struct.pack(">I", count)

    return change


@pytest.mark.parametrize("kind", [b"moov", b"trak", b"stbl", b"stsd", b"elst", b"hdlr", b"mdat", b"ftyp"])
@pytest.mark.parametrize("size", [0, 1, 7, 8, 0x7FFFFFFF, 0xFFFFFFFF])
def test_impossible_sizes_are_survived(
    kind: bytes, size: int, sources: dict[str, Path], tmp_path: Path, admit: Admit
) -> None:
    content = bytearray(sources["mp4"].read_bytes())
    _size(kind, size)(content)
    (tmp_path / "odd.mp4").write_bytes(content)
    tree = read_tree(tmp_path / "odd.mp4")
    assert tree.total < 100
    accepted(examined(tmp_path / "odd.mp4", admit(sources["mp4"])))


@pytest.mark.parametrize("kind", [b"elst", b"stsd", b"stts", b"stsz", b"stco"])
def test_huge_counts_are_survived(kind: bytes, sources: dict[str, Path], tmp_path: Path, admit: Admit) -> None:
    content = bytearray(sources["mp4"].read_bytes())
    _count(kind, 0xFFFFFFF0)(content)
    (tmp_path / "many.mp4").write_bytes(content)
    accepted(examined(tmp_path / "many.mp4", admit(sources["mp4"])))


def test_deep_nesting_ends(tmp_path: Path) -> None:
    nested = b""
    for _ in range(5_000):
        nested = box(b"moov", nested)
    (tmp_path / "deep.mp4").write_bytes(box(b"ftyp", b"isom\0\0\2\0") + nested)
    tree = read_tree(tmp_path / "deep.mp4")
    assert max(one.depth for one in tree.boxes) == MAX_DEPTH - 1
    assert f"boxes below depth {MAX_DEPTH} were not read" in tree.cut_short
    assert read_layout(tmp_path / "deep.mp4").declared_sizes == ()


def test_endless_small_boxes_end(tmp_path: Path) -> None:
    (tmp_path / "many.mp4").write_bytes(box(b"ftyp", b"isom\0\0\2\0") + box(b"moov", box(b"free") * (2 * MAX_BOXES)))
    tree = read_tree(tmp_path / "many.mp4")
    assert tree.total == MAX_BOXES
    assert tree.cut_short == [f"only the first {MAX_BOXES} boxes were read"]


def test_a_box_that_claims_to_hold_itself_is_read_once(tmp_path: Path) -> None:
    """64-bit sizes that reach back or beyond: no offset is ever followed, so no walk can turn in a circle."""
    loop = struct.pack(">I4sQ", 1, b"moov", 2**64 - 16) + struct.pack(">I4sQ", 1, b"trak", 16) * 50
    (tmp_path / "loop.mp4").write_bytes(box(b"ftyp", b"isom\0\0\2\0") + loop)
    assert read_tree(tmp_path / "loop.mp4").total <= 52


def test_a_failing_part_is_a_stated_limit(
    sources: dict[str, Path], admit: Admit, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("by a field of the file")

    monkeypatch.setattr("detector.evidence.forensics.examination.read_packets", broken)
    evidence = admit(sources["mp4"])
    found = examination.examine(evidence.file.path, evidence)
    assert found.limits[0] == "The packets could not be examined (ZeroDivisionError: by a field of the file)."
    assert found.frames is None
    assert {one.group for one in found.observations} == {"container", "streams"}


@pytest.mark.parametrize("kind", ["mp4", "jpg"])
def test_a_file_that_is_gone_is_said_without_its_place(kind: str, sources: dict[str, Path], admit: Admit) -> None:
    evidence = admit(sources[kind])
    evidence.file.path.unlink()
    found = examine_file(evidence.file.path, evidence)
    assert found.provenance.state == "unreadable"
    assert found.limits
    assert str(evidence.file.path.parent) not in repr(found)


def test_the_same_file_gives_the_same_findings(sources: dict[str, Path], admit: Admit) -> None:
    evidence = admit(sources["signed"])
    first, second = (examine_file(evidence.file.path, evidence) for _ in range(2))
    assert first == second


@pytest.mark.parametrize("code", MEANINGS)
def test_every_meaning_says_both_sides_in_whole_sentences(code: str) -> None:
    meaning = MEANINGS[code]
    assert meaning.can_mean
    assert meaning.cannot_mean
    for text in (*meaning.can_mean, *meaning.cannot_mean):
        assert text[0].isupper()
        assert text.endswith(".")
    assert not meaning.title.endswith(".")
    assert {field.name for field in fields(FileForensics)} >= {"observations", "limits", "provenance"}


def test_an_examination_whose_process_is_ended_leaves_a_reason(
    sources: dict[str, Path], admit: Admit, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> FileForensics:
        raise EvidenceError("The process that decodes it ended.")

    evidence = admit(sources["mp4"])
    monkeypatch.setattr("detector.evidence.forensics.contained", lambda *_, **__: killed)
    found = examine_file(evidence.file.path, evidence)
    assert found.provenance.state == "unreadable"
    assert "process that decodes it ended" in found.limits[0]
