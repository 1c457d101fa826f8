"""Shards: deterministic, paired, honest about unknown masks, complete or absent on disk."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from detector.synthesis.reconstruction import build_reconstruction_network
from detector.synthesis.sharpness import high_frequency_energy, noise_level
from detector.training.data.facebank import FaceBank
from detector.training.data.pool import SampleMaker, Shard, keep_filling, read_shard, shard_paths, write_shard
from tests.training.banks import small_bank


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory) -> FaceBank:
    return small_bank(tmp_path_factory.mktemp("pool") / "bank")


@pytest.fixture(scope="module")
def shard(bank: FaceBank) -> Shard:
    return SampleMaker(bank, "train", 0.0, 144).shard(0, pairs=10, labelled=20)


def test_rows_are_pairs_then_labelled_crops(shard: Shard) -> None:
    assert shard.pair_rows == 20
    assert list(shard.labels[:20]) == [0, 1] * 10
    assert set(shard.labels[20:]) == {0, 1}
    assert shard.masks[0:20:2].max() == 0
    assert (shard.masks[1:20:2].reshape(10, -1).max(1) > 60).all()


def test_a_labelled_fake_has_no_mask_and_a_labelled_genuine_crop_an_empty_one(shard: Shard) -> None:
    labelled = slice(20, None)
    np.testing.assert_array_equal(shard.has_mask[labelled], shard.labels[labelled] == 0)
    assert shard.masks[labelled].max() == 0


def test_a_blended_pair_shares_its_surroundings(bank: FaceBank) -> None:
    """Compression and colour are drawn once a pair: outside the mask both look alike, inside they differ more."""
    shard = SampleMaker(bank, "train", 0.0, 144, resynthesis_share=0.0).shard(0, pairs=12, labelled=0)
    inside, outside = [], []
    for i in range(0, 24, 2):
        difference = np.abs(shard.images[i].astype(int) - shard.images[i + 1]).mean(2)
        mask = np.kron(shard.masks[i + 1], np.ones((4, 4)))
        if (mask > 128).any() and (mask < 3).any():
            inside.append(difference[mask > 128].mean())
            outside.append(difference[mask < 3].mean())
    assert np.median(inside) > 2 * np.median(outside)


def test_shards_are_a_function_of_seed_and_number(bank: FaceBank, shard: Shard) -> None:
    again = SampleMaker(bank, "train", 0.0, 144).shard(0, pairs=10, labelled=20)
    np.testing.assert_array_equal(again.images, shard.images)
    other = SampleMaker(bank, "train", 0.0, 144).shard(1, pairs=10, labelled=20)
    assert not np.array_equal(other.images, shard.images)


def test_shards_survive_the_disk_and_partial_files_stay_unseen(tmp_path: Path, shard: Shard) -> None:
    write_shard(tmp_path, 3, shard)
    (tmp_path / ".shard_000004.partial.npz").write_bytes(b"half")
    assert [path.name for path in shard_paths(tmp_path)] == ["shard_000003.npz"]
    read = read_shard(shard_paths(tmp_path)[0])
    np.testing.assert_array_equal(read.images, shard.images)
    assert read.pair_rows == shard.pair_rows


def test_genuine_crops_are_drawn_as_soft_as_the_manipulated_ones(tmp_path: Path) -> None:
    """Half the genuine labelled crops are soft, all manipulated ones are: the sharp ones are hardly drawn."""
    bank = small_bank(tmp_path / "bank", faces=24)
    images = np.array(bank.images)
    labelled = np.flatnonzero(bank.table["source"] == "labelled")
    real = [i for i in labelled if bank.table["label"][i] == "real"]
    soft = set(real[::2])
    for i in labelled:
        if i in soft or bank.table["label"][i] == "fake":
            images[i] = cv2.GaussianBlur(images[i], (0, 0), 3)
    shard = SampleMaker(FaceBank(images, bank.landmarks, bank.table), "train", 0.0, 144).shard(0, pairs=1, labelled=60)
    rows = np.flatnonzero(shard.labels[2:] == 0) + 2
    sharpness = np.array([high_frequency_energy(shard.images[i]) for i in rows])
    fakes = np.array([high_frequency_energy(shard.images[i]) for i in np.flatnonzero(shard.labels[2:] == 1) + 2])
    assert np.median(sharpness) < 2 * np.median(fakes)


def test_neither_sharpness_nor_size_nor_noise_gives_the_label_away(
    bank: FaceBank, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An untrained network paints blurs, the hardest case: without balancing, softness alone tells most fakes."""
    torch.manual_seed(0)
    network = build_reconstruction_network(
        "super", {"scale": 2, "up_sampling": "nearest", "width": 8, "blocks": 1}
    ).eval()
    measures = {
        "sharpness": high_frequency_energy,
        "noise": noise_level,
        "size": lambda image: len(cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 90])[1]),
    }

    def drawn() -> dict[str, tuple[float, float]]:
        """By measure: AUC against the label over all pictures, and the share of pairs in which the fake has more."""
        maker = SampleMaker(bank, "train", 0.0, 96, resynthesisers=[network], resynthesis_share=1.0)
        images = maker.shard(1, pairs=100, labelled=0).images
        found = {}
        for name, measure in measures.items():
            values = np.array([measure(image) for image in images])
            auc = float(roc_auc_score(np.arange(len(images)) % 2, values))
            found[name] = (auc, float(np.mean(values[1::2] > values[::2])))
        return found

    balanced = drawn()
    monkeypatch.setattr("detector.training.data.pool.balance_sharpness", lambda real, fake, rng, spread: (real, fake))
    plain = drawn()
    assert plain["sharpness"][0] < 0.4
    for name, (auc, share) in balanced.items():
        assert 0.43 < auc < 0.57, name
        assert 0.25 < share < 0.75, name
        assert plain[name][1] < share, name


class _Maker:
    """Makes the given number of shards, each holding its number, then ends the writer."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.coarse: list[bool] = []

    def shard(self, number: int, *, pairs: int, labelled: int, coarse: bool) -> Shard:
        if not self.count:
            raise KeyboardInterrupt
        self.count -= 1
        self.coarse.append(coarse)
        rows = 2 * pairs + labelled
        mask = np.zeros((rows, 20, 20), np.uint8)
        labels = np.zeros(rows, np.uint8)
        return Shard(np.full((rows, 80, 80, 3), number, np.uint8), labels, mask, np.ones(rows, bool), 2 * pairs)


def _fill(folder: Path, count: int, writer: int = 0, writers: int = 1, keep: int = 4) -> _Maker:
    maker = _Maker(count)
    with pytest.raises(KeyboardInterrupt):
        keep_filling(maker, folder, pairs=1, labelled=0, coarse_shards=2, keep=keep, writer=writer, writers=writers)  # type: ignore[arg-type]
    return maker


def _numbers(folder: Path) -> list[int]:
    return [int(read_shard(path).images[0, 0, 0, 0]) for path in shard_paths(folder)]


def test_a_writer_begins_coarse_keeps_the_newest_and_goes_on_where_it_stopped(tmp_path: Path) -> None:
    assert _fill(tmp_path, 3).coarse == [True, True, False]
    _fill(tmp_path, 3)
    assert _numbers(tmp_path) == [2, 3, 4, 5]


def test_several_writers_share_the_numbers_and_one_that_fell_behind_catches_up(tmp_path: Path) -> None:
    _fill(tmp_path, 2, writer=0, writers=2)
    _fill(tmp_path, 1, writer=1, writers=2)
    assert _numbers(tmp_path) == [0, 1, 2]
    _fill(tmp_path, 5, writer=0, writers=2)
    _fill(tmp_path, 1, writer=1, writers=2)
    assert _numbers(tmp_path) == [7, 8, 10, 12]
