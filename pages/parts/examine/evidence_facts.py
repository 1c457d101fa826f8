"""Facts about the file itself: identity, container, streams, integrity; and how it was examined."""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

from detector.analysis.types import Analysis
from detector.evidence import Evidence
from detector.report.sentences import runtime_text
from detector.report.wording import ENGLISH, count, number
from pages.parts.shared import markup, services
from pages.parts.shared.wording import clock, size_text


def show_short(analysis: Analysis) -> None:
    """The file in a few lines, and what of it was examined."""
    file, video, audio = analysis.evidence.file, analysis.evidence.video, analysis.evidence.audio
    rows = [("Size", size_text(file.size_bytes))]
    picture = f"{video.codec} · {video.width} × {video.height} px"
    if analysis.evidence.kind == "video":
        picture += f" · {clock(video.duration_s)}"
        rows += [("Picture", picture), ("Sound", "none" if audio is None else audio.codec)]
    else:
        rows.append(("Picture", picture))
    examined = f"{analysis.frames_examined:,} of {count(video.frame_count, 'frame')}"
    faces = f"{count(len(analysis.tracks), 'face track')}" if analysis.tracks else "no face found in them"
    markup.heading("File")
    markup.facts([*rows, ("Examined", f"{examined}; {faces}")])


def show(evidence: Evidence) -> None:
    """Two columns of facts, the file's own claims, and the browser's player for what it can play."""
    file, video, integrity = evidence.file, evidence.video, evidence.integrity
    left, right = st.columns(2, gap="large")
    with left:
        markup.heading("File")
        markup.facts(
            [
                ("Name given", file.file_name),
                ("Size", size_text(file.size_bytes)),
                ("SHA-256", file.sha256),
                ("MD5 (older records)", file.md5),
            ],
            mono=("Name given", "SHA-256", "MD5 (older records)"),
        )
        markup.heading("Integrity")
        complaints = "none" if integrity.decode_errors == 0 else f"{integrity.decode_errors} while decoding"
        markup.facts([("Decoder's complaints", complaints)])
        if integrity.warnings:
            markup.bullets(integrity.warnings)
        markup.heading("Container", evidence.kind)
        container = evidence.container
        markup.facts(
            [
                ("Format", container.format_name),
                ("Streams", str(container.stream_count)),
                ("Duration", "–" if container.duration_s is None else clock(container.duration_s)),
                ("Bit rate", "–" if container.bit_rate is None else f"{container.bit_rate / 1000:,.0f} kbit/s"),
            ]
        )
    with right:
        markup.heading("Video stream")
        rate = "–" if video.average_fps is None else f"{video.average_fps:.3f} per second"
        keyframes = f"{video.keyframe_count:,}"
        if video.keyframe_interval_s is not None:
            keyframes += f", every {video.keyframe_interval_s:.2f} s"
        markup.facts(
            [
                ("Codec", f"{video.codec}{f' ({video.profile})' if video.profile else ''}"),
                ("Displayed size", f"{video.width} × {video.height} px"),
                ("Coded size · rotation", f"{video.coded_width} × {video.coded_height} px · {video.rotation_deg}°"),
                ("Frames", f"{video.frame_count:,}"),
                ("Rate", f"{rate}, {'variable' if video.variable_frame_rate else 'constant'}"),
                ("Duration", clock(video.duration_s)),
                ("Time base", f"{video.time_base} s"),
                ("Keyframes", keyframes),
                ("Pixels", f"{video.pixel_format}, {video.bit_depth} bit"),
                ("Colour", f"{video.colour_space or '–'}, range {video.colour_range or '–'}"),
            ]
        )
        markup.heading("Audio stream")
        if evidence.audio is None:
            markup.note("The file has no audio stream.")
        else:
            audio = evidence.audio
            markup.facts(
                [
                    ("Codec", audio.codec),
                    ("Sample rate · channels", f"{audio.sample_rate_hz:,} Hz · {audio.channels}"),
                    ("Duration", "–" if audio.duration_s is None else clock(audio.duration_s)),
                ]
            )
        if evidence.container.tags:
            markup.heading("The file's own claims", "unverified")
            markup.facts(evidence.container.tags)


def show_method(analysis: Analysis, record_id: str) -> None:
    """Tool, models with their weights, settings and timings: what another examiner needs to repeat the work; and what
    was not the same for the analysis before it."""
    if found := services.differences(record_id):
        markup.heading("Unlike the analysis before it")
        markup.bullets(found)
    left, right = st.columns(2, gap="large")
    with left:
        markup.heading("Tool and models")
        tool = analysis.tool
        markup.facts(
            [
                ("Tool", f"{tool.name} {tool.version}"),
                ("Commit", tool.commit or "–"),
                ("Code (SHA-256)", "not recorded" if analysis.identity is None else analysis.identity.code_sha256),
                ("Analysis", analysis.analysis_id),
                ("Networks run by", runtime_text(analysis, ENGLISH)),
                *[(f"{model.name}, weights", model.weights_sha256) for model in analysis.models],
            ],
            mono=("Commit", "Code (SHA-256)", "Analysis", *[f"{model.name}, weights" for model in analysis.models]),
        )
        markup.heading("Time taken")
        names = {model.model_id: model.name for model in analysis.models}
        markup.facts((_stage(stage, names), f"{seconds:.2f} s") for stage, seconds in analysis.timings.items())
    with right:
        markup.heading("Settings")
        values = [
            (ENGLISH.known(f"setting.{name}", name.replace("_", " ")), number(value))
            for name, value in analysis.settings.to_dict().items()
        ]
        markup.facts([*values, ("SHA-256", analysis.settings.sha256)], mono=("SHA-256",))


def _stage(stage: str, names: Mapping[str, str]) -> str:
    """A stage of the analysis in words: "scores:<model id>" becomes "Scores: <name of the model>"."""
    what, _, model_id = stage.partition(":")
    said = what.replace("_", " ").capitalize()
    return f"{said}: {names.get(model_id, model_id)}" if model_id else said
