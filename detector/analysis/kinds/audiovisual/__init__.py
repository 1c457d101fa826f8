"""Models that compare lips and voice."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol

from typing_extensions import override

from detector.analysis.kinds.diagram import SCORE, Block, Diagram, options_of
from detector.analysis.kinds.kind import Kind, Stage, TrackContext, register
from detector.analysis.results import NO_FACE, sync_result
from detector.analysis.types import Cue, ModelResult
from detector.evidence.types import Evidence, ReadSpans
from detector.faces.types import FaceTrack
from detector.measurement.wording import number_text

if TYPE_CHECKING:
    from detector.analysis.kinds.audiovisual.sync import AudioVisualFindings
    from detector.registry import LoadedModel, ModelCard


class ExamineSync(Protocol):
    """As `detector.analysis.kinds.audiovisual.sync.examine_sync`."""

    def __call__(
        self,
        evidence: Evidence,
        tracks: Sequence[FaceTrack],
        model: LoadedModel,
        *,
        cancelled: Callable[[], bool] | None = None,
        read: ReadSpans,
    ) -> AudioVisualFindings:
        """Lip synchrony of every track, from the file itself."""
        ...


class AudioVisualKind(Kind):
    """Reads sound and mouths from the file itself, at its own rate. Good synchrony says nothing about the picture."""

    name, title, icon, rank = "audiovisual", "Sound against mouth", "graphic_eq", 5
    about = "Compares how the lips move with what the voice says; it needs speech and a mouth in view."
    stage = Stage("sync", 3.0, "Comparing the sound with the mouth.")
    one_sided = True
    may_not_apply = True
    frame_scores = False
    drawn_where = "its windows are drawn under Scores over time"

    def __init__(self, examine: ExamineSync | None = None) -> None:
        self._examine = examine or _examine

    @override
    def run(self, model: LoadedModel, context: TrackContext) -> ModelResult:
        if not context.tracks:
            return self.failed(model, NO_FACE)
        found = self._examine(context.evidence, context.tracks, model, cancelled=context.stopped, read=context.read)
        context.check()
        return sync_result(model, found.logit, found.track_id, found.reason, found.windows)

    @override
    def why_no_spread(self, model: LoadedModel) -> str | None:
        return "Its dropout stays off: each pass would read sound and mouths from the file again."

    @override
    def cue(self, card: ModelCard) -> Cue:
        return "AV"

    @override
    def input_text(self, card: ModelCard) -> str:
        rate = card.inputs.get("sample_rate_hz")
        return f"mouth crops of {card.crop.size_px} px and {f'sound at {rate:,} Hz' if rate else 'sound'}"

    @override
    def diagram(self, card: ModelCard, shares: Sequence[float] = ()) -> Diagram:
        inputs, options = card.inputs, options_of(card)
        rate, window_s = inputs.get("frames_per_second"), inputs.get("window_s")
        seen = [f"{inputs['mouth_px']} px"] if inputs.get("mouth_px") else []
        seen += [f"{number_text(rate)} a second"] if rate else []
        heard = [f"{number_text(inputs['sample_rate_hz'])} Hz"] if inputs.get("sample_rate_hz") else []
        heard += [f"{options['bands']} mel bands"] if options.get("bands") else []
        components, lips = options.get("components"), options.get("lips")
        motion = (f"{lips} lip measures, {components} components of the picture",) if components and lips else ()
        lags = (f"at {2 * options['reach'] + 1} lags",) if options.get("reach") else ()
        windows = (f"windows of {number_text(window_s)} s",) if window_s else ()
        blocks = [
            Block("mouth", "Mouth crops, lip measures", tuple(seen), 0, 0.02, 0.48, "input"),
            Block("sound", "Log-mel sound", tuple(heard), 0, 0.52, 0.98, "input"),
            Block("see", "How the mouth moves", motion, 1, 0.02, 0.48),
            Block("hear", "What the sound says of the lips", ("foretold from the sound, linearly",), 1, 0.52, 0.98),
        ]
        arrows = [("mouth", "see"), ("sound", "hear")]
        sides: tuple[str, ...] = ("see", "hear")
        row = 2
        if options.get("exchange"):
            width = f"learned features of both foretell each other, width {options.get('width')}"
            blocks.append(Block("exchange", "Feature exchange", (width,), row, 0.02, 0.98))
            arrows += [("see", "exchange"), ("hear", "exchange")]
            sides, row = ("exchange",), 3
        blocks += [
            Block("agree", "Agreement of lips and voice", lags, row, 0.15, 0.85, "head"),
            Block("score", "Score of the clip", ("do not belong together", SCORE), row + 1, 0.02, 0.48, "output"),
            Block("windows", "Out of sync, when", windows, row + 1, 0.52, 0.98, "output"),
        ]
        arrows += [(side, "agree") for side in sides] + [("agree", "score"), ("agree", "windows")]
        return Diagram(tuple(blocks), tuple(arrows))


def _examine(
    evidence: Evidence,
    tracks: Sequence[FaceTrack],
    model: LoadedModel,
    *,
    cancelled: Callable[[], bool] | None = None,
    read: ReadSpans,
) -> AudioVisualFindings:
    from detector.analysis.kinds.audiovisual.sync import examine_sync

    return examine_sync(evidence, tracks, model, cancelled=cancelled, read=read)


register(AudioVisualKind())
