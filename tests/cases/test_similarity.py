from __future__ import annotations

import dataclasses
import io
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from skimage import data

from detector.cases import CaseStore, Exhibit
from detector.cases.codec import evidence_to_dict
from detector.cases.encoder_fingerprint import fingerprint_sha256
from detector.cases.perceptual_hashes import picture_hash
from detector.cases.similarity import ALIKE_BITS
from detector.errors import StoreError
from detector.evidence import examine, ingest
from tests.cases.records import make_evidence
from tests.evidence.media import make_video

ASTRONAUT = data.astronaut()


def bits(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> int:
    first, second = picture_hash(one), picture_hash(other)
    assert first is not None
    assert second is not None
    return (first ^ second).bit_count()


def as_jpeg(image: NDArray[np.uint8], quality: int) -> bytes:
    stream = io.BytesIO()
    Image.fromarray(image).save(stream, "JPEG", quality=quality)
    return stream.getvalue()


def take_in(store: CaseStore, content: bytes, file_name: str) -> Exhibit:
    case_id = store.create_case(file_name).case_id
    return store.add_exhibit(case_id, examine(ingest(io.BytesIO(content), store.evidence_dir, file_name=file_name)))


@pytest.mark.parametrize(
    "change",
    [
        lambda image: cv2.resize(image, (180, 180), interpolation=cv2.INTER_AREA),
        lambda image: cv2.resize(image, (900, 700)),
        lambda image: np.asarray(Image.open(io.BytesIO(as_jpeg(image, 15)))),
        lambda image: np.clip(image.astype(np.int16) + 25, 0, 255).astype(np.uint8),
        lambda image: np.repeat(cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)[..., None], 3, axis=2),
        lambda image: cv2.GaussianBlur(image, (9, 9), 0),
    ],
    ids=["smaller", "stretched", "jpeg", "brighter", "grey", "blurred"],
)
def test_a_picture_keeps_its_hash(change) -> None:
    assert bits(ASTRONAUT, change(ASTRONAUT)) <= ALIKE_BITS


def test_other_pictures_have_other_hashes_and_flat_ones_none() -> None:
    others = [data.coffee(), data.chelsea(), data.rocket(), np.rot90(ASTRONAUT), ASTRONAUT[::-1]]
    assert min(bits(ASTRONAUT, np.ascontiguousarray(other)) for other in others) > 2 * ALIKE_BITS
    for level in (0, 128, 255):
        assert picture_hash(np.full((90, 160, 3), level, dtype=np.uint8)) is None


def test_a_copy_and_a_recoding_are_found_across_cases(store: CaseStore) -> None:
    first = take_in(store, as_jpeg(ASTRONAUT, 95), "first.jpg")
    same = take_in(store, as_jpeg(ASTRONAUT, 95), "same.jpg")
    recoded = take_in(store, as_jpeg(ASTRONAUT[:, :500], 40), "recoded.jpg")
    other = take_in(store, as_jpeg(data.coffee(), 95), "coffee.jpg")
    unread = store.similarity.seen_before(first.exhibit_id, decode=False)
    assert (len(unread.same_file), unread.alike_pictures, unread.not_compared) == (1, (), 4)
    assert store.similarity.fingerprint_missing() == 4
    assert store.similarity.fingerprint_missing() == 0
    found = store.similarity.seen_before(first.exhibit_id)
    assert [match.exhibit_id for match in found.same_file] == [same.exhibit_id]
    assert {match.exhibit_id for match in found.alike_pictures} == {same.exhibit_id, recoded.exhibit_id}
    nearest = found.alike_pictures[0]
    assert (nearest.exhibit_id, nearest.frames_alike, nearest.frames_compared, nearest.closest_bits) == (
        same.exhibit_id,
        1,
        1,
        0,
    )
    assert nearest.case_reference == store.case(same.case_id).reference
    assert {match.exhibit_id for match in found.same_encoder} == {found.exhibit_id for found in (same, recoded, other)}
    assert (found.fingerprint_count, found.exhibits_in_store, found.not_compared, found.problem) == (4, 4, 0, "")
    assert ("kind", "still") in found.fingerprint
    assert store.similarity.seen_before(other.exhibit_id).alike_pictures == ()
    assert all(store.verify(exhibit.case_id).ok for exhibit in (first, same, recoded, other))


def test_a_video_is_found_in_its_smaller_copy(store: CaseStore, tmp_path: Path) -> None:
    def film(name: str, side: int, turned: int = 1) -> Exhibit:
        def view(number: int) -> NDArray[np.uint8]:
            part = ASTRONAUT[10 * number : 10 * number + 300, 10 * number : 10 * number + 300][::turned]
            return cv2.resize(part, (side, side), interpolation=cv2.INTER_AREA)

        path = make_video(tmp_path / name, frames=20, size=(side, side), picture=view)
        return take_in(store, path.read_bytes(), name)

    one, two = film("a.mp4", 256), film("b.mp4", 128)
    film("c.mp4", 128, turned=-1)
    store.similarity.fingerprint_missing()
    (match,) = store.similarity.seen_before(one.exhibit_id).alike_pictures
    assert match.exhibit_id == two.exhibit_id
    assert match.frames_alike >= match.frames_compared - 2


def test_what_cannot_be_compared_is_said_and_not_called_new(store: CaseStore) -> None:
    case_id = store.create_case("a").case_id
    unreadable = store.add_exhibit(case_id, make_evidence(store.evidence_dir))
    flat = take_in(store, as_jpeg(np.zeros((64, 64, 3), np.uint8), 90), "black.jpg")
    store.add_exhibit(case_id, make_evidence(store.evidence_dir, b"never looked at"))
    found = store.similarity.seen_before(unreadable.exhibit_id)
    assert "cannot be read" in found.problem
    assert "flat" in store.similarity.seen_before(flat.exhibit_id).problem
    assert store.similarity.seen_before(flat.exhibit_id).not_compared == 1
    with pytest.raises(StoreError, match="x000000000"):
        store.similarity.seen_before("x000000000")


def test_a_family_is_the_encoder_and_not_the_recording(tmp_path: Path) -> None:
    evidence = make_evidence(tmp_path)
    container, video = evidence.container, evidence.video

    def fingerprint(**changed: object) -> str:
        return fingerprint_sha256(evidence_to_dict(dataclasses.replace(evidence, **changed)))

    tags = (*container.tags, ("creation_time", "2026-01-01"), ("title", "x"), ("location", "+1+2/"))
    same = [
        fingerprint(container=dataclasses.replace(container, tags=tags, duration_s=99.0, bit_rate=7)),
        fingerprint(video=dataclasses.replace(video, frame_count=9, duration_s=9.0, width=640)),
        fingerprint(file=dataclasses.replace(evidence.file, file_name="other", size_bytes=1)),
    ]
    assert set(same) == {fingerprint()}
    others = [
        fingerprint(container=dataclasses.replace(container, tags=(("encoder", "Lavf58"),))),
        fingerprint(video=dataclasses.replace(video, pixel_format="yuv444p")),
        fingerprint(audio=None),
    ]
    assert len({fingerprint(), *others}) == 4
