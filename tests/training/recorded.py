"""What models said of files that need not exist, as it is kept."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from detector.analysis.identity import model_digest
from detector.registry import LoadedModel
from detector.training.evaluation.prediction_store import (
    FORM,
    ClipFacts,
    ClipRecord,
    FileLogits,
    Prediction,
    TrackFrames,
)
from detector.training.evaluation.scoring import PICTURE_SETTINGS, VIDEO_SETTINGS


def recorded(
    path: Path,
    kind: str,
    models: Iterable[LoadedModel],
    logits: Mapping[str, float],
    *,
    cut: tuple[int, int] | None = None,
) -> ClipRecord:
    """A file of one face, known by its path, and the logit that each model gave it."""
    return ClipRecord(
        form=FORM,
        content=str(path),
        cut=cut,
        settings=(PICTURE_SETTINGS if kind == "image" else VIDEO_SETTINGS).sha256,
        file=path.name,
        facts=ClipFacts(size_px=100.0, exposure=0.5, tracks={0: TrackFrames(pts_s=(0.0,), weight=(1.0,))}),
        models={
            name: Prediction(made_by=model_digest(model), whole=FileLogits(logit=value, tracks={0: value}))
            for model in models
            if (value := logits.get(name := model.card.model_id)) is not None
        },
    )
