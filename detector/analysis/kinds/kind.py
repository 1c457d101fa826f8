"""The part that models of one kind play in an analysis, on pages and in reports; and which kinds there are."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from detector.analysis.aggregate import track_mean
from detector.analysis.kinds.diagram import Diagram, plain_diagram
from detector.analysis.results import failed_result
from detector.analysis.types import Cue, ModelResult
from detector.evidence import frames_of_spans
from detector.evidence.types import Evidence, ReadSpans
from detector.faces.types import FaceTrack

if TYPE_CHECKING:
    from detector.analysis.workers import NetworkWorker
    from detector.registry import LoadedModel, ModelCard


@dataclass(frozen=True, slots=True)
class Stage:
    """A stage of the progress bar for models that have a thread of their own: its `weight` beside the 9 of the face
    search, and one plain sentence."""

    name: str
    weight: float
    message: str


@dataclass(frozen=True, slots=True)
class TrackContext:
    """All that a model's run may start from: the file, its finished tracks, and those of them that decide.

    `worker` holds what the model's crop reader said of every face, None for a kind without one; `results` are those of
    the models that ran before. `check` raises once the analysis stops, and `stopped` says so; `report` takes how far
    the run is, 0..1. `read` gives the frames of stretches of the file, decoded together with those of other models.
    """

    evidence: Evidence
    tracks: tuple[FaceTrack, ...]
    deciding: tuple[FaceTrack, ...]
    worker: NetworkWorker | None = None
    results: tuple[ModelResult, ...] = ()
    check: Callable[[], None] = lambda: None
    stopped: Callable[[], bool] = lambda: False
    report: Callable[[float], None] = lambda fraction: None
    read: ReadSpans = frames_of_spans


class Kind(ABC):
    """One kind of model. A subclass says what it needs and implements `run`; an instance is given to `register`."""

    name: ClassVar[str]
    """As in cards, configs and records."""
    title: ClassVar[str]
    """For people, in lists of models."""
    about: ClassVar[str] = ""
    """One sentence for people on what it looks at, where the title alone does not say."""
    icon: ClassVar[str] = "deployed_code"
    """A Material symbol."""
    rank: ClassVar[int] = 9
    """Place in lists of models, lowest first."""
    stage: ClassVar[Stage | None] = None
    """The model runs in a thread of its own, once its crop reader is done or, without one, once the tracks are
    finished. Without a stage it runs when every crop is scored."""
    fuses: ClassVar[bool] = False
    """Runs after all others, on their results; where one has a score, it alone decides."""
    one_sided: ClassVar[bool] = False
    """May speak for manipulation and never against it."""
    may_not_apply: ClassVar[bool] = False
    """Having no score is what some files call for, not a failure."""
    heatmaps: ClassVar[bool] = False
    """Scores single crops and has a layer to take class activation maps from."""
    frame_scores: ClassVar[bool] = True
    """Its tracks hold scores of single frames, to be drawn over time."""
    cue_scores: ClassVar[bool] = False
    """Faces are scored for each of several cues, which stand in tables instead of the model's own score."""
    drawn_where: ClassVar[str] = ""
    """One sentence: where a cue of this kind is drawn that has no channels."""

    def crop_reader(self, model: LoadedModel) -> LoadedModel | None:
        """The model whose network reads face crops for this one: itself, its trunk, or none."""
        return None

    @property
    def keeps_features(self) -> bool:
        """The crop reader keeps features and thumbnails of each face for this kind."""
        return False

    def read_crops(
        self, model: LoadedModel, crops: NDArray[np.uint8], *, keep_features: bool
    ) -> dict[str, NDArray[Any]]:
        """Named arrays (N, …) of (N, S, S, 3) uint8 crops, of a model that is a crop reader; names of logits (N,) are
        "logits" or end in "/logits"."""
        raise NotImplementedError(f"models of kind {self.name!r} read no crops")

    def why_one_view(self, model: LoadedModel) -> str | None:
        """Why test-time augmentation leaves this model's scores as they are; None where the logits of a crop and of its
        mirror image can be averaged."""
        return "It scores no single face crops, so there is no mirror image to score."

    def why_no_spread(self, model: LoadedModel) -> str | None:
        """Why passes with dropout say nothing of this model; None where they do."""
        return "It has no dropout to switch parts of it off with."

    def dropout_logits(
        self, model: LoadedModel, crops: NDArray[np.uint8], said: Mapping[str, NDArray[Any]], passes: int
    ) -> dict[str, NDArray[np.float32]]:
        """Logits (N, `passes`) of crops (N, S, S, 3) with parts of the network off, of a crop reader with a spread, one
        array for each of its logits; `said` is what `read_crops` said of them, with features."""
        raise NotImplementedError(f"models of kind {self.name!r} have no dropout that is repeated")

    def track_passes(self, model: LoadedModel, context: TrackContext, passes: int) -> dict[int, NDArray[np.float64]]:
        """The logit (`passes`,) of each track in each pass, by its id, of a model with a spread. Here of a crop reader:
        the quality-weighted mean over the track's faces, and of several logits the highest."""
        assert context.worker is not None
        arrays = context.worker.dropout_rows()
        found = {}
        for track in context.tracks:
            means = [mean for rows in arrays if (mean := track_mean(track, rows)) is not None]
            if means:
                found[track.track_id] = np.max(means, axis=0)
        return found

    @abstractmethod
    def run(self, model: LoadedModel, context: TrackContext) -> ModelResult:
        """The model's result on the whole file; an exception it raises becomes the reason why there is no score."""

    def failed(self, model: LoadedModel, reason: str) -> ModelResult:
        """A result without any score, and why."""
        return failed_result(model, reason, cue=self.cue(model.card))

    def cue(self, card: ModelCard) -> Cue | None:
        """The cue that a model answers for as a whole, beside those its specialists answer for."""
        cue: Cue | None = card.inputs.get("cue")
        return cue

    def input_text(self, card: ModelCard) -> str:
        """The model's input, in a line."""
        crop = card.crop
        return f"{crop.size_px} × {crop.size_px} px, margin {100 * crop.margin:.0f} %, alignment {crop.alignment}"

    def diagram(self, card: ModelCard, shares: Sequence[float] = ()) -> Diagram:
        """The network as boxes; only what the card says stands in them. `shares` of an ensemble's members, 0..1."""
        return plain_diagram(card)


KINDS: Final[dict[str, Kind]] = {}
"""The kinds there are, by name, filled by `register`."""


def register(kind: Kind) -> None:
    """Add a kind. Raises ValueError where its name is taken."""
    if kind.name in KINDS:
        raise ValueError(f"a kind of model named {kind.name!r} is registered already")
    KINDS[kind.name] = kind


def kind_named(name: str) -> Kind:
    """The kind of that name; for a record of a kind that this program does not have, one that can be shown, not run."""
    return KINDS.get(name) or _Unknown(name)


def kind_of(one: ModelResult | ModelCard | LoadedModel) -> Kind:
    """The kind of a result, a card or a loaded model."""
    return kind_named(one.kind)


class _Unknown(Kind):
    title = "Unknown kind"

    def __init__(self, name: str) -> None:
        self.name = name  # type: ignore[misc]

    def run(self, model: LoadedModel, context: TrackContext) -> ModelResult:
        raise NotImplementedError(f"there is no kind of model {self.name!r} here")
