"""Fakes of single cues: exact masks, the same pixels by seed, and no label in anything but the mismatch."""

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from detector.synthesis import cues
from detector.synthesis.cue_edits import EDITS
from detector.synthesis.cues import CueQuad, draw_cue, person_matte
from detector.synthesis.degrade import Degradation
from detector.synthesis.types import FaceImage
from tests.synthesis.faces import face_image

KINDS = [(cue, kind) for cue, kinds in EDITS.items() for kind in kinds]
FACE = face_image()


def other_person() -> FaceImage:
    """The same face tinted, upside down, and so on another background once it is turned to lie alike."""
    image = cv2.convertScaleAbs(FACE.image[::-1, ::-1], alpha=0.8, beta=20).astype(np.uint8)
    return FaceImage(np.ascontiguousarray(image), np.float32([255, 255]) - FACE.landmarks)


def test_a_person_whose_face_cannot_be_laid_over_the_other_gives_no_fake() -> None:
    def mirrored() -> FaceImage:
        return FaceImage(FACE.image, FACE.landmarks * np.float32([-1, 1]) + np.float32([255, 0]))

    assert draw_cue(FACE, mirrored, "BG", np.random.default_rng(0), kind="background") is None


def quad_of(cue: str, kind: str | None, seed: int) -> CueQuad:
    for attempt in range(5):
        quad = draw_cue(FACE, other_person, cue, np.random.default_rng((seed, attempt)), kind=kind)  # type: ignore[arg-type]
        if quad is not None:
            return quad
    raise AssertionError(f"five draws of {kind} showed nothing")


@pytest.mark.parametrize(("cue", "kind"), KINDS)
def test_each_kind_puts_one_version_into_the_other_exactly_where_the_mask_says(
    cue: str, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cues, "draw_finish", lambda cue, rng: Degradation(()))
    quad = quad_of(cue, kind, 1)
    a, b, b_in_a, a_in_b = quad.images
    assert quad.labels.tolist() == [0, 0, 1, 1]
    assert quad.masks[:2].max() == 0
    for fake, ground, inserted, mask in ((b_in_a, a, b, quad.masks[2]), (a_in_b, b, a, quad.masks[3])):
        assert 0.01 < (mask > 0.5).mean() < 0.9
        np.testing.assert_array_equal(fake[mask == 0], ground[mask == 0])
        np.testing.assert_array_equal(fake[mask == 1], inserted[mask == 1])
        assert np.abs(fake.astype(int) - ground)[mask > 0.5].mean() > 1


@pytest.mark.parametrize("cue", list(EDITS))
def test_the_same_seed_gives_the_same_pixels(cue: str) -> None:
    one, two, other = quad_of(cue, None, 3), quad_of(cue, None, 3), quad_of(cue, None, 4)
    np.testing.assert_array_equal(one.images, two.images)
    np.testing.assert_array_equal(one.masks, two.masks)
    assert not np.array_equal(one.images, other.images)


def trivial_features(image: NDArray[np.uint8], box: tuple[slice, slice]) -> list[float]:
    """Shortcuts for a lazy detector: light, contrast, colour, sharpness and noise of the picture, of the face, of the
    rest."""
    plane = cv2.cvtColor(image, cv2.COLOR_RGB2GRAY).astype(np.float32)
    detail = np.abs(plane - cv2.GaussianBlur(plane, (0, 0), 1))
    rest = np.ones(plane.shape, bool)
    rest[box] = False
    colour = image.astype(np.float32)
    return [
        plane.mean(), plane.std(), detail.mean(), np.ptp(colour, axis=2).mean(),
        (colour[..., 0] - colour[..., 2]).mean(), plane[box].mean(), detail[box].mean(),
        plane[rest].mean(), detail[rest].mean(),
        float(len(cv2.imencode(".png", plane)[1])),
    ]  # fmt: skip


def aucs(quads: list[CueQuad], rows: tuple[int, ...]) -> NDArray[np.float64]:
    box = np.s_[70:140, 90:160]
    values = np.array([[trivial_features(quad.images[row], box) for row in rows] for quad in quads])
    labels = np.array([[quad.labels[row] for row in rows] for quad in quads]).ravel()
    return np.array([roc_auc_score(labels, values[..., i].ravel()) for i in range(values.shape[2])])


@pytest.fixture(scope="module", params=list(EDITS))
def quads(request: pytest.FixtureRequest) -> list[CueQuad]:
    kinds = list(EDITS[request.param])
    return [quad_of(request.param, kinds[seed % len(kinds)], 10 + seed) for seed in range(12)]


def test_no_trivial_feature_of_picture_face_or_rest_tells_the_label(quads: list[CueQuad]) -> None:
    found = aucs(quads, (0, 1, 2, 3))
    assert 0.45 <= found.min() <= found.max() <= 0.55, found


def test_one_sided_pairs_would_have_given_it_away(quads: list[CueQuad]) -> None:
    assert np.abs(aucs(quads, (0, 2)) - 0.5).max() > 0.08


def test_a_picture_without_detail_can_show_no_lost_detail(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cues, "draw_nuisance", lambda face, cue, rng: Degradation(()))  # noise would be detail
    flat = FaceImage(np.full_like(FACE.image, 128), FACE.landmarks)
    assert draw_cue(flat, other_person, "RR", np.random.default_rng(0), kind="softened") is None


def test_strength_makes_the_change_larger(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cues, "draw_finish", lambda cue, rng: Degradation(()))
    monkeypatch.setattr(cues, "draw_nuisance", lambda face, cue, rng: Degradation(()))
    for cue, kind in (("BG", "relit"), ("CM", "jpeg"), ("RR", "softened"), ("LL", "lifted")):
        changes = []
        for strength in (0.2, 1.0):
            versions = EDITS[cue][kind][1](FACE, strength, np.random.default_rng(5))  # type: ignore[index, misc]
            changes.append(np.abs(versions.a.astype(int) - versions.b).mean())
        assert changes[1] > changes[0], kind


def test_the_matte_holds_the_face_and_leaves_the_upper_corners() -> None:
    matte = person_matte(FACE, np.random.default_rng(0))
    assert matte[100, 124] == pytest.approx(1.0, abs=0.01)
    assert max(matte[2, 2], matte[2, -3]) < 0.1
