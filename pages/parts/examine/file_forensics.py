"""The file beside its faces: content credentials, observations with what they can mean, and the facts behind them."""

from __future__ import annotations

import streamlit as st

from detector.analysis.types import Analysis
from detector.evidence.forensics import FileForensics, Observation, Provenance
from detector.evidence.forensics.types import GROUPS, FrameFacts
from detector.evidence.text import revealed
from detector.report.wording import count
from pages.parts.examine import packet_chart
from pages.parts.shared import markup
from pages.parts.shared.markup import escaped

_STATES = {
    "valid": ("verified", "#009E73", "Content credentials: intact, signer trusted"),
    "untrusted": ("policy", "#E69F00", "Content credentials: intact, signer not known"),
    "invalid": ("gpp_bad", "#D55E00", "Content credentials do not match the file"),
    "absent": ("do_not_disturb_on", "#7F7F7F", "No content credentials"),
    "unreadable": ("help", "#7F7F7F", "Content credentials could not be examined"),
}
_WEIGHTS = {"attention": ("priority_high", "#D55E00", "Look closer"), "note": ("info", "#0072B2", "Note")}
_GROUP_WORDS = {
    "container": "Container",
    "streams": "Streams",
    "frames": "Coded pictures",
    "timing": "Times of pictures",
    "metadata": "Metadata",
}
_PLOT_CONFIG = {"displayModeBar": False}


def show(analysis: Analysis, *, key: str) -> None:
    """The findings of an analysis; says so where it was made before files were examined in this way."""
    found = analysis.forensics
    if found is None:
        markup.heading("File forensics")
        markup.note(
            "This analysis was made before the file itself was examined, so nothing is known here. That is not a "
            "finding; analyse the exhibit again to have it examined."
        )
        return
    _credentials(found.provenance)
    closer = sum(one.weight == "attention" for one in found.observations)
    markup.heading(
        "Observations about the file", f"{closer} to look at closer, {len(found.observations) - closer} notes"
    )
    markup.note(
        "Each is a fact about this file with what it can and cannot mean. None is a score, and none had a part in the "
        "conclusion."
    )
    for group in GROUPS:
        listed = [one for one in found.observations if one.group == group]
        if listed:
            st.html(
                f'<div class="fw-observations"><b>{escaped(_GROUP_WORDS[group])}</b>'
                f"{''.join(_observation(one) for one in listed)}</div>"
            )
    if found.limits:
        with st.expander(f"What was not examined, or only in part ({len(found.limits)})", icon=":material/block:"):
            markup.bullets(found.limits)
    if found.frames is not None:
        _pictures(found.frames, key)
    _tables(found, key)


def _credentials(provenance: Provenance) -> None:
    icon, colour, title = _STATES[provenance.state]
    markup.heading("Content credentials", "C2PA")
    markup.outcome(icon, colour, title, provenance.statement)
    rows = [
        ("Reason", provenance.reason),
        ("Made with", provenance.claim_generator),
        ("Signed by", provenance.signer),
        ("Signed at", provenance.signed_at or (None if provenance.signer is None else "no trusted time stamp")),
        ("Trust list", provenance.trust_list or (None if provenance.signer is None else "none given")),
        ("Stated actions", "; ".join(provenance.actions)),
        ("Ingredients", "; ".join(provenance.ingredients)),
        ("States a trained model", ", ".join(provenance.ai_generated)),
    ]
    if stated := [(name, value) for name, value in rows if value]:
        markup.facts(stated)
    if provenance.validation:
        with st.expander(f"Validation log ({len(provenance.validation)})", icon=":material/rule:"):
            markup.facts([(one.code, one.explanation or "–") for one in provenance.validation])


def _observation(one: Observation) -> str:
    icon, colour, word = _WEIGHTS[one.weight]
    sides = "".join(
        f'<div class="fw-note"><b>{name}</b><ul>{"".join(f"<li>{escaped(text)}</li>" for text in texts)}</ul></div>'
        for name, texts in (("Can mean", one.can_mean), ("Cannot mean", one.cannot_mean))
    )
    summary = (
        f'{markup.icon(icon, colour)} <span class="fw-note">{word}</span> '
        f"<b>{escaped(one.title)}.</b> {escaped(one.finding)}"
    )
    return f'<details class="fw-observation"><summary>{summary}</summary>{sides}</details>'


def _pictures(frames: FrameFacts, key: str) -> None:
    series = frames.packets.series
    every = f"the largest of every {series.packets_per_point}" if series.packets_per_point > 1 else "every packet"
    markup.heading("Size of each coded picture", every)
    st.plotly_chart(packet_chart.figure(series), key=f"packets_{key}", config=_PLOT_CONFIG)
    packets, gop = frames.packets, frames.gop
    rows = [
        ("Order of types", frames.pattern[:60]),
        ("How types were found", frames.types.basis),
        ("Packets", f"{packets.count:,}, {packets.smallest_bytes:,} to {packets.largest_bytes:,} bytes"),
        *[(f"Mean size, {kind}", f"{mean:,.0f} bytes ({number:,})") for kind, number, mean in packets.per_type],
        (
            "Keyframe distance",
            "one keyframe" if gop is None else f"{gop.shortest:,} to {gop.longest:,} pictures, median {gop.median:g}",
        ),
    ]
    if frames.quantiser is not None:
        rows.append(("Quantiser", f"mean {frames.quantiser.mean:g}; {frames.quantiser.scale}"))
        rows += [
            (f"Quantiser, {kind}", f"mean {mean:g}, {low:g} to {high:g} over {count(number, 'picture')}")
            for kind, number, mean, low, high in frames.quantiser.rows
        ]
    else:
        rows.append(("Quantiser", frames.quantiser_reason or "–"))
    rows += _searches(frames)
    with st.expander("Numbers of the coded pictures", icon=":material/tag:"):
        markup.facts(rows, mono=("Order of types",))


def _searches(frames: FrameFacts) -> list[tuple[str, str]]:
    """The extent of the search, so that finding nothing is never read as more than it is."""
    repeats, gaps, earlier = frames.repeats, frames.gaps, frames.earlier_gop
    trace = f"every {earlier.period_frames} pictures" if earlier.period_frames else "none found, which says little"
    return [
        (
            "Identical neighbours",
            frames.repeats_reason or "–" if repeats is None else f"{repeats.equal:,} of {repeats.compared:,} compared",
        ),
        (
            "Gaps in time",
            "not known" if gaps is None else f"{gaps.count:,}, the longest distance {gaps.longest_s:.3f} s",
        ),
        ("Earlier coding", trace if earlier.searched else earlier.reason or "–"),
    ]


def _tables(found: FileForensics, key: str) -> None:
    """Long lists as tables, in which nothing is read as markup."""
    container = found.container
    if container.boxes:
        shown = (
            f"{len(container.boxes)} of {container.boxes_total:,}"
            if container.boxes_total > len(container.boxes)
            else ""
        )
        with st.expander(f"Box tree ({shown or len(container.boxes)})", icon=":material/account_tree:"):
            st.dataframe(
                {
                    "box": [f"{'· ' * box.depth}{revealed(box.type)}" for box in container.boxes],
                    "offset": [box.offset for box in container.boxes],
                    "size in bytes": [box.size_bytes for box in container.boxes],
                },
                hide_index=True,
                key=f"boxes_{key}",
            )
    elif container.boxes_reason:
        markup.note(container.boxes_reason)
    if container.timestamps:
        with st.expander(f"Times in the container ({len(container.timestamps)})", icon=":material/schedule:"):
            markup.facts([(f"{one.where} {one.name}", one.value or "zero") for one in container.timestamps])
    fields = found.metadata.fields
    if fields or container.encoder_settings:
        rows = [(f"{section} · {name}", value) for section, name, value in fields]
        if container.encoder_settings:
            rows.append(("Encoder settings", container.encoder_settings))
        with st.expander(f"Stated metadata ({len(rows)}), unverified", icon=":material/label:"):
            markup.facts(rows, mono=("Encoder settings",))
    if found.metadata.history:
        with st.expander(f"Editing history ({len(found.metadata.history)})", icon=":material/history:"):
            markup.bullets(found.metadata.history)
    jpeg = found.metadata.jpeg
    if jpeg is not None and jpeg.tables:
        with st.expander("JPEG quantisation tables", icon=":material/grid_on:"):
            for number, table in enumerate(jpeg.tables):
                grid = ["  ".join(f"{step:3d}" for step in table[at : at + 8]) for at in range(0, len(table), 8)]
                st.code("\n".join(grid), language=None)
                markup.note("Luma." if number == 0 else "Colour.")
