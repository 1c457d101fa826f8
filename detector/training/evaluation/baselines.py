"""Classical detectors to be compared with, fitted to the labelled crops of a bank that frame models are fitted to.

Public weights of such detectors are fitted elsewhere and to other crops, so a comparison with them says as much about
crops as about methods. Here every baseline sees the same faces, cut the same way, and is measured on the same people.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from torch import Tensor, nn

from detector.errors import SettingsError
from detector.faces import CropSpec, crop_face
from detector.faces.crop import shows_enough
from detector.faces.types import Box
from detector.measurement.measures import against
from detector.measurement.results import Measurement, Results
from detector.registry import FrameModel
from detector.training.data.facebank import BANK_PX, WIDE_CROP, FaceBank
from detector.training.data.pool import labelled_rows
from detector.training.engine.progress import tracked

BASELINE_PX: Final = 256
_SPECTRUM_BINS = 96
_RESIDUAL_STEP, _RESIDUAL_REACH = 3.0, 2
_MESO_EPOCHS, _MESO_BATCH, _MESO_RATE = 12, 48, 1e-3

Images = NDArray[np.uint8]
Score = Callable[[Images], NDArray[np.float64]]


def spectrum_features(crops: Images) -> NDArray[np.float32]:
    """Logarithm of the power spectrum of the luma averaged over circles of equal frequency, less its level at the
    lowest: (N, S, S, 3) uint8 -> (N, 96) float32 (Durall et al., CVPR 2020)."""
    side = crops.shape[1]
    y, x = np.indices((side, side)) - side // 2
    radius = np.minimum((np.hypot(x, y) * (_SPECTRUM_BINS / (side / 2))).astype(int), _SPECTRUM_BINS)
    counts = np.bincount(radius.ravel(), minlength=_SPECTRUM_BINS + 1)[:_SPECTRUM_BINS]
    rows = []
    for crop in crops:
        luma = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY).astype(np.float32)
        power = np.log(np.abs(np.fft.fftshift(np.fft.fft2(luma))) ** 2 + 1.0)
        profile = np.bincount(radius.ravel(), power.ravel(), _SPECTRUM_BINS + 1)[:_SPECTRUM_BINS] / counts
        rows.append(profile - profile[0])
    return np.asarray(rows, np.float32)


def cooccurrence_features(crops: Images) -> NDArray[np.float32]:
    """The counts of quantised third-order residuals of the luma side by side in fours, along rows and along columns:
    (N, S, S, 3) uint8 -> (N, 1250) float32 (Cozzolino et al., ICIP 2014, after Fridrich and Kodovsky)."""
    levels = 2 * _RESIDUAL_REACH + 1
    rows = []
    for crop in crops:
        luma = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY).astype(np.float32)
        found = []
        for plane in (luma, luma.T):
            residual = plane[:, :-3] - 3 * plane[:, 1:-2] + 3 * plane[:, 2:-1] - plane[:, 3:]
            coarse = np.clip(np.round(residual / _RESIDUAL_STEP), -_RESIDUAL_REACH, _RESIDUAL_REACH).astype(int)
            coarse += _RESIDUAL_REACH
            width = coarse.shape[1] - 3
            code = sum(coarse[:, k : k + width] * levels**k for k in range(4))
            found.append(np.bincount(np.ravel(code), minlength=levels**4) / np.size(code))
        rows.append(np.sqrt(np.concatenate(found)))
    return np.asarray(rows, np.float32)


class Meso4(nn.Module):
    """Four convolutions and a small head (Afchar et al., WIFS 2018): (B, 3, 256, 256) in 0..1 -> (B,) logits."""

    def __init__(self) -> None:
        super().__init__()

        def stage(given: int, made: int, kernel: int, pool: int) -> list[nn.Module]:
            convolution = nn.Conv2d(given, made, kernel, padding=kernel // 2)
            return [convolution, nn.ReLU(), nn.BatchNorm2d(made), nn.MaxPool2d(pool)]

        self.body = nn.Sequential(*stage(3, 8, 3, 2), *stage(8, 8, 5, 2), *stage(8, 16, 5, 2), *stage(16, 16, 5, 4))
        self.head = nn.Sequential(
            nn.Flatten(), nn.Dropout(0.5), nn.Linear(1024, 16), nn.LeakyReLU(0.1), nn.Dropout(0.5), nn.Linear(16, 1)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Logits (B,) of pictures (B, 3, 128, 128)."""
        return self.head(self.body(x)).squeeze(1)


def fit_meso4(crops: Images, labels: NDArray[np.bool_], *, epochs: int = _MESO_EPOCHS, seed: int = 7) -> Score:
    """Train from scratch with Adam, crops mirrored at random; returns what scores crops."""
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    network = Meso4()
    optimiser = torch.optim.Adam(network.parameters(), lr=_MESO_RATE)
    for epoch in range(epochs):
        for group in optimiser.param_groups:
            group["lr"] = _MESO_RATE * 0.5 * (1 + np.cos(np.pi * epoch / epochs))
        order = rng.permutation(len(crops))
        for start in range(0, len(order), _MESO_BATCH):
            rows = np.sort(order[start : start + _MESO_BATCH])
            if len(rows) < 2:
                continue
            images = _tensor(crops[rows])
            images = images.flip(3) if rng.random() < 0.5 else images
            truth = torch.from_numpy(labels[rows]).float()
            loss = nn.functional.binary_cross_entropy_with_logits(network(images), truth)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    network.eval()

    @torch.inference_mode()
    def score(images: Images) -> NDArray[np.float64]:
        parts = [network(_tensor(images[start : start + 64])) for start in range(0, len(images), 64)]
        return torch.cat(parts).double().numpy()

    return score


def _tensor(crops: Images) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(crops)).permute(0, 3, 1, 2).float() / 255


def _fit_features(features: Callable[[Images], NDArray[np.float32]], reader: Any) -> Callable[..., Score]:
    def fit(crops: Images, labels: NDArray[np.bool_]) -> Score:
        fitted = make_pipeline(StandardScaler(), reader()).fit(features(crops), labels)
        return lambda images: np.asarray(fitted.decision_function(features(images)), np.float64)

    return fit


BASELINES: Final[dict[str, Callable[[Images, NDArray[np.bool_]], Score]]] = {
    "spectrum and SVM (Durall et al., 2020)": _fit_features(spectrum_features, lambda: SVC(C=2.0)),
    "residual co-occurrences and logistic regression (Cozzolino et al., 2014)": _fit_features(
        cooccurrence_features, lambda: LogisticRegression(C=0.002, max_iter=400)
    ),
    "MesoNet-4, trained here (Afchar et al., 2018)": fit_meso4,
}


def cut_bank(bank: FaceBank, rows: NDArray[np.int64], spec: CropSpec) -> Images:
    """The named faces cut as `spec` says: (N, size, size, 3) uint8. Faces without a mesh are taken where the bank put
    them."""
    return np.stack([crop_face(np.asarray(bank.images[row]), _box(bank, row), None, spec) for row in rows])


def _box(bank: FaceBank, row: np.int64) -> Box:
    points = bank.landmarks[row]
    if np.isnan(points[0, 0]):
        inner = BANK_PX / (1 + 2 * WIDE_CROP.margin)
        low, high = np.full(2, (BANK_PX - inner) / 2), np.full(2, (BANK_PX + inner) / 2)
    else:
        low, high = points.min(0), points.max(0)
    return (float(low[0]), float(low[1]), float(high[0]), float(high[1]))


def compare_baselines(
    models: Sequence[FrameModel], bank: FaceBank, *, split: str = "test", most: int = 10**6
) -> Results:
    """Frame models and every baseline on the same crops of a bank, under the name of each: "pictures", labelled ones of
    people of `split`, and "videos", by each clip's mean over its frames, manipulated ones against genuine ones that are
    not of the split "train".

    Baselines are fitted to the labelled pictures of the split "train", at most `most`.
    """
    table = bank.table.reset_index(drop=True)
    labelled, own = labelled_rows(table), (table["split"] == split).to_numpy()
    fit_on = np.flatnonzero(labelled & (table["split"] == "train").to_numpy())
    fit_on = np.sort(np.random.default_rng(7).permutation(fit_on)[:most])
    videos = (table["kind"] == "video") & ((table["label"] == "fake") | (table["split"] != "train"))
    asked = np.flatnonzero((labelled & own) | videos.to_numpy())
    if table["label"].iloc[fit_on].nunique() < 2:
        raise SettingsError(
            "Baselines are fitted to labelled pictures of the split train, real and fake ones of one source: the face "
            "bank holds none."
        )
    if not len(asked):
        raise SettingsError(f"The face bank holds no labelled picture of the split {split} and no video to measure on.")
    square = CropSpec(BASELINE_PX, 0.0)
    train, truth = cut_bank(bank, fit_on, square), (table["label"].iloc[fit_on] == "fake").to_numpy()
    shown = cut_bank(bank, asked, square)
    logits = {model.card.model_id: _model_scores(model, bank, asked) for model in models}
    fitted = tracked(BASELINES.items(), "fitting baselines")
    logits |= {name: fit(train, truth)(shown) for name, fit in fitted}
    return Results(tuple(row for name, own in logits.items() for row in _measured(name, table.iloc[asked], own)))


def _model_scores(model: FrameModel, bank: FaceBank, rows: NDArray[np.int64]) -> NDArray[np.float64]:
    """NaN where the bank shows too little around a face for the model."""
    spec = model.card.crop
    crops = cut_bank(bank, rows, spec)
    shown = [shows_enough(_box(bank, row), bank.images.shape[1:], spec) for row in rows]
    logits = np.concatenate([model.score(crops[start : start + 64]) for start in range(0, len(crops), 64)])
    return np.where(shown, logits, np.nan)


def _measured(name: str, table: Any, logits: NDArray[np.float64]) -> Iterator[Measurement]:
    scored = table.assign(logit=logits).dropna(subset="logit")
    clips = scored[scored["kind"] == "video"].groupby("file").agg(label=("label", "first"), logit=("logit", "mean"))
    for on, rows in (("pictures", scored[scored["kind"] == "image"]), ("videos", clips)):
        fake, real = (rows.loc[rows["label"] == label, "logit"].to_numpy(float) for label in ("fake", "real"))
        yield against((name, on), fake, real)
