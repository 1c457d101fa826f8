"""Mixed samples: pictures, masks and labels are mixed alike, and hardly anything is lost or made up."""

import pytest
import torch

from detector.training.engine.mixing import Cutmix, Mixup, TimeCutmix, draw_cutmix, draw_mixup, draw_time_cutmix


def test_mixup_keeps_most_of_each_sample_and_mixes_labels_alike() -> None:
    torch.manual_seed(0)
    for _ in range(50):
        mix = draw_mixup(6, 0.4)
        assert 0.5 <= mix.own_share <= 1
        assert sorted(mix.partner.tolist()) == list(range(6))
    values = torch.arange(3.0)
    assert Mixup(torch.tensor([1, 2, 0]), 0.75).blend(values).tolist() == [0.25, 1.25, 1.5]


def test_a_pasted_box_covers_the_same_part_of_picture_and_mask_and_label() -> None:
    torch.manual_seed(0)
    labels = torch.tensor([0.0, 1.0])
    for _ in range(30):
        drawn = draw_cutmix(2, 1.0, cells=12)
        mix = Cutmix(torch.tensor([1, 0]), drawn.box)
        pictures = labels.view(2, 1, 1, 1).expand(2, 3, 96, 96)
        masks = labels.view(2, 1, 1).expand(2, 12, 12)
        mixed, mask = mix.blend(pictures), mix.blend(masks)
        assert mixed[0].mean().item() == pytest.approx(mask[0].mean().item(), abs=1e-6)
        assert mix.blend_labels(labels)[0].item() == pytest.approx(mask[0].mean().item(), abs=1e-5)
        assert 0 < mask[0].mean() < 1
        torch.testing.assert_close(torch.nn.functional.avg_pool2d(mixed[:, 0], 8), mask)


def test_frames_of_an_interval_come_from_the_partner_and_absent_ones_do_not_count() -> None:
    frames = torch.arange(2 * 6).view(2, 6)
    mix = TimeCutmix(torch.tensor([1, 0]), 2, 4)
    assert mix.blend(frames)[0].tolist() == [0, 1, 8, 9, 4, 5]
    present = torch.tensor([[True] * 6, [True, True, True, False, False, False]])
    share = mix.blend_labels(torch.tensor([0.0, 1.0]), present)
    assert share[0].item() == pytest.approx(1 / 5)  # frames 0, 1, 4, 5 its own, 2 of the partner
    assert share[1].item() == pytest.approx(1 - 2 / 4)


def test_intervals_leave_some_of_both() -> None:
    torch.manual_seed(1)
    for _ in range(100):
        mix = draw_time_cutmix(4, 16, 0.5)
        assert 0 <= mix.start < mix.stop <= 16
        assert 1 <= mix.stop - mix.start <= 15
