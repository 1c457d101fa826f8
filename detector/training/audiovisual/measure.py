"""Accuracy of the audio-visual model on people it never saw: each fold's model on the fold that was kept apart.

Clips are scored as an analysis scores files: up to three stretches of speech of up to 3 s, the mean of their logits.
Genuine and manipulated sound pass the same encoder, and what lies beyond a shifted sound's end counts as not heard.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from safetensors.torch import load_file

from detector.analysis.kinds.audiovisual.speech_segments import spread_spans
from detector.analysis.kinds.audiovisual.sync import lip_sync_of, network_inputs
from detector.evidence.audio import Sound
from detector.evidence.speech import SpeechActivity, speech_activity
from detector.faces.mouth import RATE_HZ, MouthTrack
from detector.measurement.results import LEAST_FOR_AUC, DataPath, Measurement, Results
from detector.models.audiovisual import AudioVisualNet
from detector.synthesis.audio import draw_voice, dubbed, re_voiced, recode, shifted, swapped
from detector.training.audiovisual.samples import CODECS
from detector.training.data.speech_bank import TalkingClip

SHIFTS_S = (0.12, 0.2, 0.32, 0.4, 0.6, 0.8, 1.2)
TARGET_SHIFTS_S = (0.2, 1.2)
_SWAPS = 3


def trials_of(clip: TalkingClip, others: Sequence[TalkingClip], seed: int) -> Iterator[tuple[str, Sound]]:
    """(kind, sound) of one clip: "genuine", "shifted +0.20", …, "swapped", "dubbed", "re-voiced"."""
    rng = np.random.default_rng(seed)
    codec, bit_rate = CODECS[seed % len(CODECS)]
    real = recode(clip.sound, codec, bit_rate)
    yield "genuine", real
    for shift_s in SHIFTS_S:
        yield f"shifted {shift_s:+.2f}", shifted(real, shift_s)
        yield f"shifted {-shift_s:+.2f}", shifted(real, -shift_s)
    foreign = [other for other in others if other.group != clip.group]
    for number in rng.choice(len(foreign), min(_SWAPS, len(foreign)), replace=False):
        yield "swapped", recode(swapped(clip.sound, foreign[int(number)].sound), codec, bit_rate)
    other = foreign[int(rng.integers(len(foreign)))]
    own, theirs = speech_activity([clip.sound]), speech_activity([other.sound])
    if own is not None and theirs is not None and own.segments_s and theirs.segments_s:
        yield "dubbed", recode(dubbed(clip.sound, own, other.sound, theirs), codec, bit_rate)
    yield "re-voiced", recode(re_voiced(clip.sound, draw_voice(rng)), codec, bit_rate)


def score_clip(network: AudioVisualNet | None, mouth: MouthTrack, sound: Sound) -> tuple[float | None, float | None]:
    """(the network's logit, the witness's): means over the stretches; the witness says how much better another lag than
    a natural one fits. None without a stretch."""
    activity = speech_activity([sound])
    logits, doubts = [], []
    for start_s, end_s in spans_of(activity, mouth) if activity else ():
        part = part_of(mouth, start_s, end_s)
        if network is not None:
            inputs = (torch.from_numpy(array)[None] for array in network_inputs(part, sound, network.reach))
            with torch.inference_mode():
                logits.append(float(network(*inputs)[0]))
        found = lip_sync_of(part, sound)
        if found is not None and found.elsewhere is not None:
            doubts.append(found.elsewhere - found.natural)
    return (float(np.mean(logits)) if logits else None, float(np.mean(doubts)) if doubts else None)


def spans_of(activity: SpeechActivity, mouth: MouthTrack) -> tuple[tuple[float, float], ...]:
    """The times when someone speaks while the mouth is tracked: (start, end) in s."""
    return spread_spans(activity, [(mouth.start_s, mouth.end_s)])


def part_of(mouth: MouthTrack, start_s: float, end_s: float) -> MouthTrack:
    """The samples between two times."""
    low, high = (round((at_s - mouth.start_s) * RATE_HZ) for at_s in (start_s, end_s))
    low, high = max(0, low), min(len(mouth.seen), high)
    part = slice(low, high)
    start_s = mouth.start_s + low / RATE_HZ
    return MouthTrack(start_s, mouth.crops[part], mouth.lips[part], mouth.seen[part], mouth.eyes_px)


def score_fold(
    network: AudioVisualNet, clips: Sequence[TalkingClip], others: Sequence[TalkingClip], *, seed: int = 0
) -> pd.DataFrame:
    """One row a trial: file, group, source, kind, logit, witness."""
    network.eval()
    rows = []
    for number, clip in enumerate(clips):
        for trial, (kind, sound) in enumerate(trials_of(clip, others, seed + number)):
            logit, doubt = score_clip(network, clip.mouth, sound)
            facts = {"file": clip.file, "group": clip.group, "source": clip.source, "kind": kind, "number": trial}
            rows.append({**facts, "logit": logit, "witness": doubt})
    return pd.DataFrame(rows)


def load_network(architecture: dict[str, Any], run_dir: Path) -> AudioVisualNet:
    """The best epoch's averaged weights of a run."""
    network = AudioVisualNet(**{key: value for key, value in architecture.items() if key != "kind"})
    network.load_state_dict(load_file(run_dir / "best.safetensors"))
    return network.eval()


def summary(scores: pd.DataFrame) -> Results:
    """Under "auc_against_genuine", each kind against genuine sound with counts and 95 % intervals: the model's, the
    witness's, and of both (the model's logit and the witness's doubt, each in units of its spread over genuine sound,
    added)."""
    table = scores.assign(both=_in_spreads(scores, "logit") + _in_spreads(scores, "witness").fillna(0.0))
    sizes = table["kind"].str.extract(r"shifted [+-]([\d.]+)")[0].astype(float)
    low, high = TARGET_SHIFTS_S
    groups = {f"shifted by {size:.2f} s": sizes == size for size in SHIFTS_S}
    groups |= {f"shifted by {low} to {high} s": sizes.between(low, high)}
    groups |= {"shifted late": table["kind"].str.startswith("shifted +") & sizes.ge(low)}
    groups |= {"shifted early": table["kind"].str.startswith("shifted -") & sizes.ge(low)}
    groups |= {kind: table["kind"] == kind for kind in ("swapped", "dubbed", "re-voiced")}
    real = table[table["kind"] == "genuine"]
    return Results(
        tuple(
            _against(("auc_against_genuine", name, column), real, table[chosen], column)
            for name, chosen in groups.items()
            for column in ("logit", "witness", "both")
        )
    )


def accuracies(scores: pd.DataFrame, threshold_logit: float) -> dict[str, float]:
    """Share of genuine and of clearly shifted or foreign sounds on their side of a threshold, and the difference."""
    sizes = scores["kind"].str.extract(r"shifted [+-]([\d.]+)")[0].astype(float)
    fakes = sizes.between(*TARGET_SHIFTS_S) | scores["kind"].isin(["swapped", "dubbed"])
    real = scores.loc[scores["kind"] == "genuine", "logit"].dropna()
    right = float((real < threshold_logit).mean())
    found = float((scores.loc[fakes, "logit"].dropna() >= threshold_logit).mean())
    return {"genuine": round(right, 3), "manipulated": round(found, 3), "bias": round(abs(right - found), 3)}


def balanced_threshold(scores: pd.DataFrame) -> float:
    """The logit at which as large a share of genuine as of clearly manipulated sounds is called right."""
    logits = np.sort(scores["logit"].dropna().to_numpy())
    return float(min(logits, key=lambda logit: accuracies(scores, float(logit))["bias"]))


def _in_spreads(scores: pd.DataFrame, column: str) -> pd.Series:
    real = scores.loc[scores["kind"] == "genuine", column]
    return (scores[column] - real.mean()) / max(1e-6, float(real.std()))


def _against(data: DataPath, real: pd.DataFrame, fake: pd.DataFrame, column: str) -> Measurement:
    """AUC with counts and a 95 % interval from drawing people, since trials of one person go together."""
    real, fake = real.dropna(subset=[column]), fake.dropna(subset=[column])
    if min(len(real), len(fake)) < LEAST_FOR_AUC:
        return Measurement(data, None, n_real=len(real), n_fake=len(fake))
    people = sorted({*real["group"], *fake["group"]})
    lower, higher = real[column].to_numpy(), fake[column].to_numpy()
    wins = (higher[:, None] > lower[None]) + 0.5 * (higher[:, None] == lower[None])
    ours, theirs = (
        (table["group"].to_numpy()[None] == np.array(people)[:, None]).astype(float) for table in (real, fake)
    )
    won, pairs = theirs @ wins @ ours.T, np.outer(theirs.sum(1), ours.sum(1))  # (people, people)
    weights = np.random.default_rng(7).multinomial(len(people), np.full(len(people), 1 / len(people)), 1000)
    total = ((weights @ pairs) * weights).sum(1)
    drawn = ((weights @ won) * weights).sum(1)[total > 0] / total[total > 0]
    low, high = np.quantile(drawn, [0.025, 0.975])
    return Measurement(
        data,
        round(float(won.sum() / pairs.sum()), 3),
        interval=(round(float(low), 3), round(float(high), 3)),
        n_real=len(real),
        n_fake=len(fake),
    )
