"""Networks that paint faces: fitted from a bank, kept with what they are, loaded as they were."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from detector.errors import SettingsError
from detector.synthesis.reconstruction import (
    build_reconstruction_network,
    load_reconstruction_networks,
    save_reconstruction_network,
)
from detector.training.data.facebank import FaceBank
from detector.training.data.reconstruction import RECIPES, fit_all, fit_reconstruction_network, texture_loss
from tests.training.banks import small_bank


def test_what_is_missing_is_fitted_and_loads_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipes = {"first": ("detail", {"up_sampling": "bilinear", "width": 4}), "second": RECIPES["super_2"]}
    monkeypatch.setattr("detector.training.data.reconstruction.RECIPES", recipes)
    kept = build_reconstruction_network(*recipes["first"])
    save_reconstruction_network(kept, *recipes["first"], tmp_path / "first.safetensors")
    fit_all(small_bank(tmp_path / "bank", faces=4), tmp_path, minutes=0.002)
    first, second = load_reconstruction_networks(tmp_path)
    for key, value in kept.state_dict().items():
        assert torch.equal(first.state_dict()[key], value)
    x = torch.rand(1, 3, 64, 64)
    assert second(x).shape == x.shape
    assert not any(p.requires_grad for p in second.parameters())


def test_a_few_seconds_bring_a_network_nearer_to_faces(tmp_path: Path) -> None:
    bank = small_bank(tmp_path / "bank", faces=4)
    options = {"factor": 4, "latent": 4, "width": 8}
    faces = torch.from_numpy(np.stack([bank.images[0], bank.images[1]])).permute(0, 3, 1, 2).float() / 255
    torch.manual_seed(0)
    before = (build_reconstruction_network("latent", options)(faces) - faces).abs().mean()
    fitted = fit_reconstruction_network(bank, "latent", options, minutes=0.001, batch_size=4, least_steps=60)
    with torch.no_grad():
        after = (fitted(faces) - faces).abs().mean()
    assert after < 0.8 * before


def test_texture_is_missed_in_a_blur_and_not_where_its_grains_lie() -> None:
    grain = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    other = torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    blur = torch.nn.functional.avg_pool2d(grain, 5, stride=1, padding=2)
    assert texture_loss(other, grain) < 0.2 * texture_loss(blur, grain)


def test_a_file_that_does_not_say_what_it_holds_is_refused(tmp_path: Path) -> None:
    save_reconstruction_network(
        build_reconstruction_network(*RECIPES["detail_nearest"]), *RECIPES["detail_nearest"], tmp_path / "a.safetensors"
    )
    save_file(load_file(tmp_path / "a.safetensors"), tmp_path / "b.safetensors")
    with pytest.raises(SettingsError, match=r"b\.safetensors"):
        load_reconstruction_networks(tmp_path)


def test_all_networks_are_fitted_on_the_device_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def fit(bank: FaceBank, kind: str, options: dict[str, Any], *, device: str, **others: Any) -> torch.nn.Module:
        asked.append(device)
        return build_reconstruction_network(kind, options)

    monkeypatch.setattr("detector.training.data.reconstruction.fit_reconstruction_network", fit)
    monkeypatch.setattr("detector.training.data.reconstruction.PerceptualLoss", torch.nn.Identity)
    fit_all(small_bank(tmp_path / "bank", faces=2), tmp_path / "networks", device="meta")
    assert asked == ["meta"] * len(RECIPES)
