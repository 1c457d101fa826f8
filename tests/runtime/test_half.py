"""Half precision: used where a network says the same, float32 with a reason where not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from detector.models import build_network
from detector.models.readings import FrameReading
from detector.registry import load_model
from detector.runtime import HALF, TORCH, at_half_precision
from detector.runtime.half import TOLERANCE
from tests.pages.seed import write_model

CROPS = np.random.default_rng(1).integers(0, 256, (5, 64, 64, 3), dtype=np.uint8)


@pytest.fixture
def reading() -> FrameReading:
    torch.manual_seed(0)
    network = build_network({"kind": "frame", "trunk": "test_resnet", "width": 16})
    reading = FrameReading(network, 64, (0.5, 0.4, 0.3), (0.5, 0.5, 0.2))
    return reading.eval().requires_grad_(False)  # type: ignore[return-value]


def test_a_network_that_agrees_is_computed_at_half_precision(reading: FrameReading) -> None:
    network, runtime = at_half_precision(reading, "tiny", precisions=[torch.bfloat16])
    assert network is not None
    assert (runtime.name, runtime.version.split()[-1], runtime.reason) == (HALF, "bfloat16", None)
    told = network(CROPS, ["logits", "features"])
    with torch.inference_mode():
        expected = reading(torch.from_numpy(CROPS))[0].numpy()
    assert set(told) == {"logits", "features"}
    assert told["logits"].dtype == np.float32
    assert 0 < np.abs(told["logits"] - expected).max() < TOLERANCE.logit


def test_one_that_does_not_agree_stays_in_float32_with_the_reason(reading: FrameReading) -> None:
    with torch.no_grad():
        for value in reading.network.label_head.parameters():  # type: ignore[union-attr]
            value.mul_(1000)
    network, runtime = at_half_precision(reading, "tiny", precisions=[torch.bfloat16])
    assert network is None
    assert (runtime.name, runtime.asked) == (TORCH, HALF)
    assert runtime.reason is not None
    assert runtime.reason.startswith("tiny was run in float32: in bfloat16 its logits on a fixed input are ")


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="torch finds no CUDA device here")
def test_a_card_says_what_a_cpu_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_model(tmp_path)
    monkeypatch.setenv("FRAMEWITNESS_WEIGHTS", str(tmp_path))
    card, cpu = load_model("tiny", "cuda", runtime=HALF), load_model("tiny", "cpu", runtime=TORCH)
    assert card.runtime.asked == HALF
    np.testing.assert_allclose(card.score(CROPS), cpu.score(CROPS), atol=2 * TOLERANCE.logit)  # type: ignore[attr-defined]
