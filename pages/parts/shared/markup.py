"""The only place where pages build HTML. Every value is escaped here, so evidence can never bring markup of its own."""

from __future__ import annotations

import base64
import html
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any

import streamlit as st

from detector.evidence.text import revealed
from detector.report.glossary import glossary
from pages.parts.shared.wording import tone


def escaped(text: str, *, lines: bool = False) -> str:
    """`text` for HTML: nothing in it is markup, and what could not be seen is spelled out (`revealed`)."""
    return html.escape(revealed(text, lines=lines))


def icon(name: str, colour: str | None = None) -> str:
    """A Material symbol, hidden from screen readers because a word always stands beside it."""
    style = f' style="color:{escaped(tone(colour))}"' if colour else ""
    return f'<span class="fw-icon" aria-hidden="true"{style}>{escaped(name)}</span>'


def heading(text: str, aside: str = "", *, bar_to: str = "") -> None:
    """A section's title with an optional remark at the right, ending in the cividis bar up to `bar_to` if given."""
    bar = f'<span class="fw-bar"></span> {escaped(bar_to)}' if bar_to else ""
    remark = f'<span class="fw-aside">{escaped(aside)}{bar}</span>' if aside else ""
    st.html(f'<div class="fw-heading" role="heading" aria-level="2">{escaped(text)}{remark}</div>')


def page_heading(text: str) -> None:
    """The page's name as its first heading, for screen readers: the head names it for the eye."""
    st.html(f'<h1 class="fw-unseen">{escaped(text)}</h1>')


def facts(rows: Iterable[tuple[str, str]], *, mono: Iterable[str] = ()) -> None:
    """A two-column list of names and values; the values of names in `mono` are set in a fixed-width face, and names
    that the glossary has tell what they mean."""
    fixed = set(mono)
    cells = "".join(
        f"<dt>{explained(name)}</dt><dd{' class=' + chr(34) + 'fw-mono' + chr(34) if name in fixed else ''}>"
        f"{escaped(value)}</dd>"
        for name, value in rows
    )
    st.html(f'<dl class="fw-facts">{cells}</dl>')


def definitions(rows: Iterable[tuple[str, str]]) -> None:
    """A list of terms, each above the sentence that says what it means."""
    told = "".join(f"<dt>{escaped(term)}</dt><dd>{escaped(text)}</dd>" for term, text in rows)
    st.html(f'<dl class="fw-terms">{told}</dl>')


def explained(word: str) -> str:
    """A word as HTML; where the glossary has it, with its meaning in a tooltip."""
    text = _meanings().get(word.casefold())
    return f'<abbr title="{escaped(text)}">{escaped(word)}</abbr>' if text else escaped(word)


def note(text: str) -> None:
    """A remark in small print."""
    st.html(f'<p class="fw-note">{escaped(text, lines=True)}</p>')


def empty(icon_name: str, title: str, text: str) -> None:
    """Show a placeholder where there is nothing yet: what is missing and what to do about it."""
    st.html(f'<div class="fw-empty">{icon(icon_name)}<div>{_told(title, text)}</div></div>')


def bullets(lines: Iterable[str]) -> None:
    """Show lines of plain text as a list."""
    st.html('<ul class="fw-bullets">' + "".join(f"<li>{escaped(line, lines=True)}</li>" for line in lines) + "</ul>")


def plain(text: str) -> str:
    """`text` for a widget's label, which Streamlit reads as markdown: every character that could mean something there
    is escaped, what could not be seen is spelled out, and line breaks become spaces."""
    marked = "".join("\\" + char if char in "\\`*_{}[]()#+-.!|<>~:$&@" else char for char in revealed(text, lines=True))
    return " ".join(marked.split())


def flatten(values: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """A nested table as rows: {"auc": {"dfdc": 0.8}} -> [("auc dfdc", "0.8")]."""
    rows: list[tuple[str, str]] = []
    for name, value in values.items():
        label = f"{prefix}{name.replace('_', ' ')}"
        if isinstance(value, Mapping):
            rows += flatten(value, prefix=f"{label} · ")
        elif isinstance(value, (list, tuple)):
            rows.append((label, ", ".join(str(item) for item in value)))
        else:
            rows.append((label, str(value)))
    return rows


def scrolling(table: str, name: str) -> str:
    """A table of ours, as HTML, that scrolls within itself where it is wider than the page, by keyboard too."""
    return f'<div class="fw-scroll" tabindex="0" role="group" aria-label="{escaped(name)}">{table}</div>'


def problem(title: str, text: str) -> None:
    """An error in plain words. `text` may quote evidence, so it must not pass through Streamlit's markdown."""
    st.html(f'<div class="fw-problem" role="alert">{icon("error")}<div>{_told(title, text)}</div></div>')


def scale(low: str, high: str) -> None:
    """The cividis bar with the values at its ends."""
    st.html(f'<div class="fw-scale">{escaped(low)}<span class="fw-bar"></span>{escaped(high)}</div>')


def title(text: str, below: str, *, mono: bool = False) -> None:
    """Show the subject of the page, with a line of context; `mono` for a file name, whose every character counts."""
    face = ' class="fw-mono"' if mono else ""
    st.html(
        f'<div class="fw-title"><div role="heading" aria-level="2"{face}>{escaped(text)}</div>'
        f"<div>{escaped(below)}</div></div>"
    )


def line(icon_name: str, colour: str, state: str, number: str, name: str, aside: str) -> None:
    """One row of a list: state (icon, colour, word), a number, a name, a remark."""
    st.html(
        f'<div class="fw-line"><span class="fw-state">{icon(icon_name, colour)} {escaped(state)}</span>'
        f'<span class="fw-num">{escaped(number)}</span><span class="fw-name">{escaped(name)}</span>'
        f'<span class="fw-note">{escaped(aside)}</span></div>'
    )


def exhibit_row(
    picture: str | None, reference: str, name: str, below: str, cells: Sequence[tuple[str, str, str, str]], aside: str
) -> None:
    """One exhibit of a list: its picture (a `data:` address of a JPEG), what it is, then cells (icon, colour, word,
    remark) and facts. The picture says nothing that the words do not, so screen readers skip it."""
    shown = f'<img src="{escaped(picture)}" alt="">' if picture else icon("movie")
    told = "".join(
        f'<div><span class="fw-state">{icon(symbol, colour)} {escaped(word)}</span>'
        f'<div class="fw-note">{escaped(remark)}</div></div>'
        for symbol, colour, word, remark in cells
    )
    st.html(
        f'<div class="fw-row"><div class="fw-thumb">{shown}</div><div><b>{escaped(reference)}</b> '
        f'<span class="fw-mono">{escaped(name)}</span><div class="fw-note">{escaped(below)}</div></div>{told}'
        f'<div class="fw-note">{escaped(aside, lines=True)}</div></div>'
    )


def pictures(uris: Sequence[str | None]) -> None:
    """Small pictures side by side, an icon in the place of one that is not there. They say nothing that the words
    beside them do not."""
    shown = "".join(
        f'<span class="fw-thumb">{f"""<img src="{escaped(uri)}" alt="">""" if uri else icon("movie")}</span>'
        for uri in uris
    )
    st.html(f'<div class="fw-strip" aria-hidden="true">{shown}</div>')


def job_line(picture: str | None, name: str, state: tuple[str, str, str], notes: Iterable[str], hint: str = "") -> None:
    """One job: a picture of the file (a `data:` address; an icon where there is none), its name, its state (icon,
    colour, word), a line for each note; `hint` where the pointer rests."""
    shown = f'<img alt="" src="{escaped(picture)}">' if picture else icon("movie")
    icon_name, colour, word = state
    lines = "".join(f'<div class="fw-note">{escaped(text)}</div>' for text in notes if text)
    st.html(
        f'<div class="fw-job" title="{escaped(hint)}"><div class="fw-thumb">{shown}</div>'
        f'<div><div class="fw-name">{escaped(name)}</div>'
        f'<div class="fw-found">{icon(icon_name, colour)} {escaped(word)}</div>{lines}</div></div>'
    )


def target(text: str, name: str) -> None:
    """Where what is about to be started goes: words, and the name of the place."""
    st.html(f'<p class="fw-target" role="status">{icon("folder_open")} {escaped(text)} <b>{escaped(name)}</b></p>')


def states(items: Iterable[tuple[str, str, str]]) -> None:
    """Several states (icon, colour, word) in one line."""
    marks = "".join(
        f'<span class="fw-state">{icon(name, colour)} {escaped(word)}</span>' for name, colour, word in items
    )
    if marks:
        st.html(f'<div class="fw-states">{marks}</div>')


def drawing(svg: str, alt: str) -> None:
    """A drawing of ours as a picture, no wider than the page; `alt` says in words what it shows."""
    data = base64.b64encode(svg.encode()).decode()
    st.html(f'<img class="fw-drawing" alt="{escaped(alt)}" src="data:image/svg+xml;base64,{data}">')


def outcome(icon_name: str, colour: str, title: str, text: str) -> None:
    """Show the outcome of an action: an icon, a word, a sentence."""
    st.html(f'<div class="fw-outcome" role="status">{icon(icon_name, colour)}<div>{_told(title, text)}</div></div>')


def steps(names: Sequence[str], current: str) -> None:
    """The stages of a job in order, the current one stressed, those before it ticked."""
    reached = names.index(current)
    marks = []
    for index, name in enumerate(names):
        if index < reached:
            marks.append(f"<span>{icon('check')} {escaped(name)}</span>")
        elif index == reached:
            marks.append(f'<b aria-current="step">{icon("arrow_right")} {escaped(name)}</b>')
        else:
            marks.append(f"<span>{escaped(name)}</span>")
    st.html(f'<div class="fw-steps">{"".join(marks)}</div>')


def exhibit_title(reference: str, name: str, description: str) -> None:
    """An exhibit's number in the case, its file's name, and what it is said to be."""
    below = f'<div class="fw-note">{escaped(description)}</div>' if description else ""
    st.html(
        f'<div class="fw-exhibit"><b>{escaped(reference)}</b> <span class="fw-mono">{escaped(name)}</span>{below}</div>'
    )


def stated(title: str, text: str, aside: str) -> None:
    """Show a statement, with line breaks kept, and who made it and when."""
    body = f'<div class="fw-said">{escaped(text, lines=True)}</div>' if text else ""
    st.html(f'<div class="fw-stated"><b>{escaped(title)}</b>{body}<div class="fw-note">{escaped(aside)}</div></div>')


@cache
def _meanings() -> Mapping[str, str]:
    return {term.word.casefold(): term.text for term in glossary()}


def _told(title: str, text: str) -> str:
    return f"<b>{escaped(title)}</b><br>{escaped(text, lines=True)}"
