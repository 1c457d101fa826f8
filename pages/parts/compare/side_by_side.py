"""Several models on one exhibit: results, scores on one time axis, the same frame in a grid, where they differ."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st

from detector.analysis.agreement import ScoredFaces, scored_faces
from detector.analysis.types import Analysis
from detector.cases import Exhibit
from pages.parts.compare import agreement_view, heatmap_grid, results, timelines
from pages.parts.compare.results import Said
from pages.parts.examine import position, stepping
from pages.parts.shared import markup, navigation, view_log, withholding
from pages.parts.shared.address import NOWHERE, Place
from pages.parts.shared.readings import FaceKey, Readings
from pages.parts.shared.wording import clock

_PLOT_CONFIG = {"displayModeBar": False, "scrollZoom": False}
_VIEW = "compare_"


@dataclass(frozen=True, slots=True)
class Compared:
    """The chosen models with their names, and each one's scores of the faces of `reference`, the newest of their
    analyses."""

    names: tuple[str, ...]
    said: tuple[Said, ...]
    reference: Analysis
    faces: tuple[ScoredFaces, ...]

    @classmethod
    def of(cls, said: Sequence[Said], names: Sequence[str]) -> Compared:
        """The models as chosen, at least one."""
        reference = max(said, key=lambda one: one.record.record_id).analysis
        faces = tuple(scored_faces(one.result, one.analysis, reference, one.decision) for one in said)
        return cls(tuple(names), tuple(said), reference, faces)


def show(exhibit: Exhibit, who: str) -> None:
    """Let the user choose among the models of all analyses of the exhibit, and show two or more side by side."""
    everything = results.gather(exhibit.exhibit_id)
    if len(everything) < 2:
        markup.empty(
            "compare",
            "One model has examined this exhibit",
            "Analyse it again with others: the same file is recognised by its hash and they meet here.",
        )
        navigation.link("analyse", "Go to Analyse", NOWHERE, icon=":material/upload_file:")
        return
    offered = dict(zip(results.names_of(everything), everything, strict=True))
    chosen = st.multiselect(
        "Models and analyses",
        list(offered),
        default=results.opening(offered),
        key=f"compare_models_{exhibit.exhibit_id}",
    )
    if len(chosen) < 2:
        markup.empty("compare", "Choose two models or more", "Pick them in the list above.")
        return
    compared = Compared.of([offered[name] for name in chosen], chosen)
    for record_id in sorted({one.record.record_id for one in compared.said}):
        view_log.record(who, exhibit.case_id, exhibit_id=exhibit.exhibit_id, record_id=record_id, scores=True)
    results.show_table(compared.said)
    markup.note(
        "Scores of different models are not one scale: read each against its own thresholds, which are those of a "
        "whole track. Analyses with other settings examined other frames."
    )
    _show_faces(compared, exhibit)


@st.fragment
def _show_faces(compared: Compared, exhibit: Exhibit) -> None:
    """What moves with the frame: a step redraws this and nothing else."""
    if withholding.is_withheld(exhibit.exhibit_id):
        st.rerun()  # the case was made blind-first meanwhile
    readings = Readings.of(compared.reference)
    here = position.current(readings)
    if here is None:
        markup.empty("no_accounts", "No face was found", "There is nothing to compare frame by frame.")
        return
    here = _choose_track(readings, here)
    _show_timelines(compared, readings, here)
    left, right = st.columns([4, 9], gap="medium")
    with left:
        agreement_view.show_disagreements(compared.names, compared.faces, here)
    with right:
        _show_frame(compared, readings, exhibit, here)
    agreement_view.show_matrix(compared.names, compared.faces)


def _choose_track(readings: Readings, here: FaceKey) -> FaceKey:
    """The track whose scores are drawn, where there are several; another one is shown from its strongest face on."""
    track_id, pts = here
    tracks = [track.track_id for track in readings.analysis.tracks]
    if len(tracks) < 2:
        return here
    key = f"compare_track_{track_id}"

    def go() -> None:
        wanted = st.session_state[key]
        if wanted is not None:
            own = [face for face in readings.faces if face[0] == wanted]
            position.go(
                *((wanted, pts) if (wanted, pts) in readings.faces else min(own, key=lambda k: abs(k[1] - pts)))
            )

    st.pills("Face track", tracks, default=track_id, format_func=lambda one: f"Track {one}", key=key, on_change=go)
    return here


def _show_timelines(compared: Compared, readings: Readings, here: FaceKey) -> None:
    track_id, pts = here
    markup.heading(f"Scores over time · track {track_id}", "0 to 1 · click a point for its frame")
    lines = [
        timelines.line_of(name, faces, readings, track_id)
        for name, faces in zip(compared.names, compared.faces, strict=True)
    ]
    for key, figure in (
        ("compare_scores", timelines.scores(readings, lines, current_pts=pts, left_px=timelines.LEFT_PX)),
        ("compare_sides", timelines.sides(readings, compared.names, compared.faces, track_id, current_pts=pts)),
    ):
        if key == "compare_sides":
            markup.heading("Sides of each model's own thresholds", "frame by frame")
        st.plotly_chart(
            figure,
            key=key,
            on_select=lambda key=key: position.clicked(key),
            selection_mode="points",
            config=_PLOT_CONFIG,
        )
    silent = [line.name for line in lines if not line.points]
    if silent:
        markup.note(f"Without a score of a single frame of this track, so without a line: {', '.join(silent)}.")


def _show_frame(compared: Compared, readings: Readings, exhibit: Exhibit, here: FaceKey) -> None:
    track_id, pts = here
    markup.heading(f"The same frame · track {track_id}", f"{clock(readings.pts_s(pts))} · PTS {pts}")
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        stepping.show(readings.moments, pts, lambda to: position.step_to(readings, track_id, to), view=_VIEW)
        newest = max(compared.said, key=lambda one: one.record.record_id).record.record_id
        navigation.link(
            "examine",
            "Examine this frame",
            Place(exhibit=exhibit.exhibit_id, record=newest, track=track_id, pts=pts),
            icon=":material/frame_inspect:",
        )
    heatmap_grid.show(readings, compared.names, compared.said, compared.faces, here)
