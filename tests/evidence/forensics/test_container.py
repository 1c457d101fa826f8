"""A container's facts: its tree, its writers, its times, and what was cut, hidden or appended."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path

import av
import pytest

from detector.evidence import Evidence
from detector.evidence.forensics import examine_file
from detector.evidence.forensics.container_tree import MAX_LISTED, read_tree
from tests.evidence.forensics.boxes import box, codes, examined, find, finding, rewritten, set_times
from tests.evidence.media import make_still, make_video

Admit = Callable[..., Evidence]
TAKEN = 3_786_912_000  # 2024-01-01 in seconds since 1904


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_video(tmp_path_factory.mktemp("clip") / "clip.mp4", frames=30, audio=True, codec_options={"bf": "0"})


def test_the_tree_holds_every_box_at_its_place(clip: Path) -> None:
    tree = read_tree(clip)
    content = clip.read_bytes()
    for one in tree.boxes:
        assert int.from_bytes(content[one.offset : one.offset + 4], "big") == one.size_bytes
        assert content[one.offset + 4 : one.offset + 8].decode("latin-1") == one.type
    assert [one.type for one in tree.boxes if one.depth == 0] == ["ftyp", "free", "mdat", "moov"]
    assert sum(one.size_bytes for one in tree.boxes if one.depth == 0) == len(content)
    assert [one.depth for one in tree.boxes if one.type == "stts"] == [5, 5]
    assert (tree.trailing_bytes, tree.missing_bytes, tree.unknown, tree.cut_short) == (0, 0, {}, [])


def test_writer_order_and_missing_times_of_a_plain_file(clip: Path, admit: Admit) -> None:
    evidence = admit(clip)
    found = examine_file(evidence.file.path, evidence)
    assert found.container.encoder is not None
    assert found.container.encoder.startswith("Lavf")
    assert any(tool.startswith("x264") for tool in found.container.tools)
    assert "keyint=" in (found.container.encoder_settings or "")
    assert found.container.brands[:2] == ("isom", "iso2")
    assert "behind" in finding(found, "box_order").finding
    assert "are zero" in finding(found, "times_unset").finding
    assert not [one for one in found.observations if one.weight == "attention"]


def test_an_index_in_front_is_told(tmp_path: Path, admit: Admit) -> None:
    evidence = admit(make_video(tmp_path / "clip.mp4", frames=10, faststart=True))
    found = examine_file(evidence.file.path, evidence)
    assert found.container.index_first is True
    assert "before" in finding(found, "box_order").finding


def test_fragments_are_told(tmp_path: Path, admit: Admit) -> None:
    options = {"movflags": "frag_keyframe+empty_moov"}
    evidence = admit(make_video(tmp_path / "clip.mp4", frames=30, codec_options={"g": "10"}, container_options=options))
    found = examine_file(evidence.file.path, evidence)
    assert found.container.fragments == 3
    assert "3 fragment" in finding(found, "fragmented").finding


@pytest.mark.parametrize(
    ("tail", "code", "said"),
    [
        (b"PK\x03\x04" + bytes(range(200)), "trailing_data", "204 bytes"),
        (b"Just a line of plain text.", "trailing_data", "26 bytes"),
        (bytes(300), "trailing_zeros", "300 zero bytes"),
    ],
)
def test_what_follows_the_last_box_is_told(
    clip: Path, tmp_path: Path, admit: Admit, tail: bytes, code: str, said: str
) -> None:
    evidence = admit(rewritten(clip, tmp_path / "tail.mp4", lambda content: content.extend(tail)))
    one = finding(examine_file(evidence.file.path, evidence), code)
    assert said in one.finding
    assert ("a ZIP archive" in one.finding) == tail.startswith(b"PK")
    assert one.weight == ("attention" if code == "trailing_data" else "note")


def test_a_second_file_behind_the_first_is_told(clip: Path, tmp_path: Path, admit: Admit) -> None:
    size = clip.stat().st_size
    evidence = admit(rewritten(clip, tmp_path / "two.mp4", lambda content: content.extend(bytes(content))))
    assert f"at byte {size:,}" in finding(examine_file(evidence.file.path, evidence), "second_start").finding


def test_a_box_of_unknown_kind_is_named(clip: Path, tmp_path: Path, admit: Admit) -> None:
    evidence = admit(rewritten(clip, tmp_path / "own.mp4", lambda content: content.extend(box(b"zZ9!", b"private"))))
    found = examine_file(evidence.file.path, evidence)
    assert found.container.unknown_boxes == ("zZ9!",)
    assert "zZ9!" in finding(found, "unknown_boxes").finding


@pytest.mark.parametrize(
    ("created", "modified", "code", "said"),
    [
        (TAKEN, TAKEN + 1, "times_stated", "2024-01-01T00:00:00Z"),
        (TAKEN, TAKEN + 3 * 86_400, "modified_later", "3 days after"),
        (TAKEN, TAKEN - 7_200, "times_differ", "2 hours before"),
        (1_700_000_000, 1_700_000_000, "time_implausible", "it would be 2023-11-14T22:13:20Z"),
        (4_294_967_295, 4_294_967_295, "time_implausible", "in the future"),
    ],
)
def test_times_of_the_movie_header(
    clip: Path, tmp_path: Path, admit: Admit, created: int, modified: int, code: str, said: str
) -> None:
    changed = rewritten(clip, tmp_path / "times.mp4", lambda content: set_times(content, b"mvhd", created, modified))
    evidence = admit(changed)
    found = examine_file(evidence.file.path, evidence)
    assert said in finding(found, code).finding
    assert "times_unset" not in codes(found)
    (first, *_) = found.container.timestamps
    assert (first.where, first.name, first.raw) == ("mvhd", "created", created)


def test_a_track_made_at_another_time_is_told(clip: Path, tmp_path: Path, admit: Admit) -> None:
    def change(content: bytearray) -> None:
        set_times(content, b"mvhd", TAKEN, TAKEN)
        set_times(content, b"tkhd", TAKEN - 86_400, TAKEN)

    evidence = admit(rewritten(clip, tmp_path / "track.mp4", change))
    one = finding(examine_file(evidence.file.path, evidence), "times_differ")
    assert "track 1 tkhd says created 2023-12-31T00:00:00Z, mvhd says 2024-01-01T00:00:00Z" in one.finding


def test_an_edit_list_that_hides_the_start_is_told(clip: Path, tmp_path: Path, admit: Admit) -> None:
    def change(content: bytearray) -> None:
        scale = struct.unpack_from(">I", content, find(bytes(content), b"mdhd") + 12)[0]
        struct.pack_into(">i", content, find(bytes(content), b"elst") + 12, int(0.6 * scale))

    evidence = admit(rewritten(clip, tmp_path / "trimmed.mp4", change))
    found = examine_file(evidence.file.path, evidence)
    assert "Track 1 holds 0.60 s" in finding(found, "edit_hides").finding
    assert found.container.edits[0].media_time_s == pytest.approx(0.6, abs=0.001)


def test_a_track_named_by_an_earlier_program_is_told(clip: Path, tmp_path: Path, admit: Admit) -> None:
    name = b"ISO Media file produced by Google Inc.\0"

    def change(content: bytearray) -> None:
        """Put the longer name in, and the sizes of all boxes around it right; mdat lies before and does not move."""
        old = b"VideoHandler\0"
        at = bytes(content).find(old)
        content[at : at + len(old)] = name
        for kind in (b"moov", b"trak", b"mdia", b"hdlr"):
            start = bytes(content).find(kind) - 4
            size = int.from_bytes(content[start : start + 4], "big") + len(name) - len(old)
            content[start : start + 4] = size.to_bytes(4, "big")

    evidence = admit(rewritten(clip, tmp_path / "copy.mp4", change))
    one = finding(examine_file(evidence.file.path, evidence), "earlier_program")
    assert "written by FFmpeg" in one.finding
    assert "produced by Google Inc." in one.finding
    assert one.weight == "attention"


def test_a_device_named_in_a_file_that_software_wrote(clip: Path, tmp_path: Path, admit: Admit) -> None:
    path = tmp_path / "tagged.mov"
    with av.open(str(clip)) as source, av.open(str(path), "w", options={"movflags": "use_metadata_tags"}) as target:
        target.metadata.update({"make": "Maker", "model": "Phone 5", "location": "+48.85+002.29/"})
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                target.mux(packet)
    evidence = admit(path)
    found = examine_file(evidence.file.path, evidence)
    assert "Maker and Phone 5" in finding(found, "recorder_and_software").finding
    assert "+48.85" in finding(found, "position").finding
    assert found.metadata.gps is True


def test_a_name_that_does_not_fit_the_content(clip: Path, admit: Admit) -> None:
    evidence = admit(clip, file_name="holiday.avi")
    found = examine_file(evidence.file.path, evidence)
    assert (
        finding(found, "name_mismatch").finding == "The name ends in “.avi”; the content is an MP4 or QuickTime file."
    )


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".avi", ".mkv"])
def test_what_follows_other_formats_is_told_too(suffix: str, tmp_path: Path, admit: Admit) -> None:
    path = tmp_path / f"a{suffix}"
    if suffix in (".avi", ".mkv"):
        make_video(path, frames=8, codec="mpeg4")
    else:
        make_still(path)
    sound = admit(path)
    assert not codes(examine_file(sound.file.path, sound)) & {"trailing_data", "trailing_zeros"}
    tail = b"%PDF-1.7 appended"
    with path.open("ab") as stream:
        stream.write(tail)
    found = examined(path, sound)
    assert found.container.trailing_bytes == len(tail)
    assert "17 bytes follow the end" in finding(found, "trailing_data").finding
    assert "a PDF document" in finding(found, "trailing_data").finding


@pytest.mark.parametrize("suffix", [".mkv", ".avi", ".webm"])
def test_other_containers_say_that_they_have_no_tree(suffix: str, tmp_path: Path, admit: Admit) -> None:
    codec = {".webm": "libvpx", ".avi": "mpeg4"}.get(suffix, "libx264")
    evidence = admit(make_video(tmp_path / f"clip{suffix}", frames=10, codec=codec))
    found = examine_file(evidence.file.path, evidence)
    assert found.container.boxes == ()
    assert "demuxer" in (found.container.boxes_reason or "")
    assert any("no box tree" in limit for limit in found.limits)
    assert "Lavf" in (found.container.encoder or "")


def test_a_heic_still_has_a_tree(tmp_path: Path, admit: Admit) -> None:
    import pillow_heif

    pillow_heif.register_heif_opener()
    evidence = admit(make_still(tmp_path / "a.heic", quality=80))
    found = examine_file(evidence.file.path, evidence)
    assert {"ftyp", "meta", "iloc"} <= {one.type for one in found.container.boxes}
    assert found.container.unknown_boxes == ()


def test_a_cut_file_reaches_beyond_its_end(clip: Path, tmp_path: Path, admit: Admit) -> None:
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(clip.read_bytes()[:-100])
    assert "100 bytes beyond the end" in finding(examined(cut, admit(clip)), "broken_boxes").finding


def test_a_long_list_of_boxes_is_counted_but_not_kept(clip: Path, tmp_path: Path) -> None:
    many = rewritten(clip, tmp_path / "many.mp4", lambda content: content.extend(box(b"free") * 5_000))
    tree = read_tree(many)
    assert len(tree.boxes) == MAX_LISTED
    assert tree.total > 5_000
