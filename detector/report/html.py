"""The case report as one HTML file: the same payload, wording and order as the PDF's full form.

Self-contained and inert: pictures are inside, there is no script and nothing is fetched; a Content-Security-Policy in
the file forbids both. It prints on A4, reads without a pointing device, and follows the language's direction.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from detector.report.collect import collect
from detector.report.html_elements import Content, Markup, element, plain
from detector.report.html_exhibit import ExhibitWriter
from detector.report.html_parts import bullets, conclusion_card, facts, icon, lines, notice, small, table
from detector.report.language import words_of
from detector.report.payload import build_payload
from detector.report.record import CaseRecord

if TYPE_CHECKING:
    from detector.cases import CaseStore
    from detector.explain import Explainer
    from detector.registry import LoadedModel

_STYLE: Final = Path(__file__).resolve().parents[2] / "assets" / "report" / "report.css"


def render_case_html(
    store: CaseStore,
    case_id: str,
    *,
    language: str = "en",
    explainer: Explainer | None = None,
    models: Iterable[LoadedModel] | None = None,
) -> bytes:
    """The report of a case as it stands; the same record gives the same bytes. Raises StoreError for an unknown case,
    SettingsError for an unknown language."""
    from detector.explain import Explainer

    words_of(language)
    drawn = explainer or Explainer(store.home / "heatmaps")
    return case_html(collect(store, case_id, explainer=drawn, models=models), language=language)


def case_html(record: CaseRecord, *, language: str = "en") -> bytes:
    """A case record as HTML in one of the report's languages."""
    payload = build_payload(record, words_of(language))
    page = _Page(payload.data, payload.files)
    return ("<!doctype html>\n" + page.html() + "\n").encode("utf-8")


class _Page:
    def __init__(self, data: Mapping[str, Any], files: Mapping[str, bytes]) -> None:
        self.d, self.w = data, data["w"]
        self.writer = ExhibitWriter(self.w, files)
        self.sections: list[tuple[str, str]] = []

    def html(self) -> Markup:
        d, w = self.d, self.w
        body = [
            self._section("brief", w["brief.title"], self._brief()),
            self._section("reading", w["reading.title"], self._reading()),
            self._section("custody", w["custody.title"], self._custody()),
            self._section("question", w["question.title"], self._question()),
            self._section("method", w["method.title"], self._method()),
            *(self._exhibit(exhibit) for exhibit in d["exhibits"]),
            self._section("alternatives", w["alternatives.title"], self._alternatives()),
            self._section("limits", w["limits.title"], self._limits()),
            self._section("notes", w["notes.title"], self._notes()) if d["notes"] else "",
            self._section("repro", w["repro.title"], self._repro()),
            self._section("statements", w["statements.title"], self._statements()),
            self._appendix(),
        ]
        links = [element("li", element("a", title, href=f"#{name}")) for name, title in self.sections]
        style = _STYLE.read_text(encoding="utf-8")
        head = [
            element("meta", charset="utf-8"),
            element("meta", http_equiv="Content-Security-Policy", content=_policy(style)),
            element("meta", name="referrer", content="no-referrer"),
            element("meta", name="viewport", content="width=device-width, initial-scale=1"),
            element("meta", name="author", content=d["plain_examiner"]) if d["plain_examiner"] else "",
            element("title", plain(f"{d['short_reference']} · {d['plain_title']}")),
            Markup(f"<style>{style}</style>"),
        ]
        return element(
            "html",
            element("head", head),
            element(
                "body",
                element("header", self._masthead()),
                element("nav", element("ol", links), aria_label=plain(w["report.name"])),
                element("main", body),
                element(
                    "footer", small(w["report.about"], " ", w["report.as_of"], " ", d["recorded"], " ", d["head_hash"])
                ),
            ),
            lang=d["language"],
            dir=d["direction"],
        )

    def _section(self, name: str, title: str, content: Content) -> Markup:
        self.sections.append((name, title))
        return element("section", element("h2", title), content, id=name)

    def _exhibit(self, exhibit: Mapping[str, Any]) -> Markup:
        self.sections.append((f"exhibit-{exhibit['number']}", exhibit["title"]))
        return self.writer.exhibit(exhibit)

    def _masthead(self) -> Content:
        d, w = self.d, self.w
        head = [(w["fact.head"], d["head_hash"])] if d["head_hash"] else []
        return [element("p", w["report.name"], class_="small"), element("h1", d["title"]), facts([*d["facts"], *head])]

    def _brief(self) -> Content:
        if not self.d["exhibits"]:
            return notice(self.w["brief.no_exhibit"])
        told: list[Content] = []
        for one in self.d["brief"]:
            heading = [
                element("p", element("b", one["title"]), " ", element("bdi", one["name"])),
                element("p", "SHA-256 ", element("code", one["sha256"])),
            ]
            heading += [element("p", line) for line in one["lines"]]
            if one["conclusion"] is None:
                told.append(element("div", heading, element("p", one["none"]), class_="card"))
            else:
                told.append(conclusion_card(one["conclusion"], *heading))
        return told

    def _reading(self) -> Content:
        meanings = [([icon(row["label"]), " ", row["word"]], row["meaning"]) for row in self.d["meanings"]]
        told: list[Content] = [facts(meanings)]
        scored = [exhibit["analyses"][-1] for exhibit in self.d["exhibits"] if exhibit["analyses"]]
        if scored:
            told += [element("h3", self.w["strength.title"]), notice(scored[0]["strength"]["text"])]
        if self.d["language"] != "en":
            told.append(small(self.w["report.original_language"]))
        return told

    def _custody(self) -> Content:
        w, custody = self.w, self.d["custody"]
        head = [(w["custody.head"], custody["head_hash"])] if custody["head_hash"] else []
        heads = ["#", *(w[f"custody.{name}"] for name in ("time", "actor", "event", "details", "hash"))]
        keys = ("sequence", "when", "actor", "action", "details", "hash")
        rows = [[event[key] for key in keys] for event in custody["events"]]
        check = element("p", self.d["check"]) if custody["check_passed"] else notice(self.d["check"])
        return [
            element("p", w["custody.text"]),
            facts([*head, *custody["facts"]]),
            check,
            element("p", custody["statement"]),
            table(heads, rows, caption=w["custody.title"]) if rows else "",
        ]

    def _question(self) -> Content:
        w = self.w
        propositions = [(w["question.p1"], w["question.p1_text"]), (w["question.p2"], w["question.p2_text"])]
        paragraphs = [element("p", w[name]) for name in ("question.text", "question.recorded")]
        return [*paragraphs, facts(propositions), element("p", w["question.weigh"])]

    def _method(self) -> Content:
        told: list[Content] = [element("p", paragraph) for paragraph in self.d["method"]]
        for model in self.d["models"]:
            told += [element("h3", model["label"], " ", model["title"]), facts(model["rows"])]
            told += [notice(model["problem"])] if model["problem"] else []
        return told

    def _alternatives(self) -> Content:
        told: list[Content] = [element("p", self.w["alternatives.text"]), bullets(self.d["alternatives"])]
        if self.d["cue_causes"]:
            told += [element("h3", self.w["alternatives.cues"]), bullets(self.d["cue_causes"])]
        return told

    def _limits(self) -> Content:
        told: list[Content] = [bullets(self.d["limits"])]
        for model in self.d["models"]:
            if model["limits"]:
                told += [element("h3", model["label"], " ", model["title"]), bullets(model["limits"])]
        return told

    def _notes(self) -> Content:
        return [
            element(
                "div",
                small(note["author"], " · ", note["when"], " · ", [[one, " "] for one in note["where"]]),
                lines(note["lines"]),
            )
            for note in self.d["notes"]
        ]

    def _repro(self) -> Content:
        return [
            element("p", self.w["repro.text"]),
            facts(self.d["commands"]),
            element("p", self.w["repro.deterministic"]),
        ]

    def _statements(self) -> Content:
        w, found = self.w, self.d["statements"]
        told: list[Content] = [element("h3", w["statements.opinions"])]
        if found["opinions"]:
            heads = [w[f"statements.{name}"] for name in ("exhibit", "opinion", "author", "when", "how", "text")]
            rows = [
                [*(one[key] for key in ("exhibit", "verdict", "author", "when", "how")), lines(one["lines"])]
                for one in found["opinions"]
            ]
            told.append(table(heads, rows, caption=w["statements.opinions"]))
        else:
            told.append(element("p", w["statements.no_opinion"]))
        if found["truths"]:
            heads = [w[f"statements.{name}"] for name in ("exhibit", "truth", "author", "when", "source")]
            rows = [[one[key] for key in ("exhibit", "truth", "author", "when", "source")] for one in found["truths"]]
            told += [element("h3", w["statements.truths"]), table(heads, rows, caption=w["statements.truths"])]
        told.append(element("h3", w["statements.signatures"]))
        if found["signatures"]:
            heads = [w[f"statements.{name}"] for name in ("role", "author", "when", "statement", "log_at")]
            rows = [
                [one["role"], one["author"], one["when"], lines(one["lines"]), one["log"]]
                for one in found["signatures"]
            ]
            told.append(table(heads, rows, caption=w["statements.signatures"]))
        told += [element("p", found["state"]), element("h3", w["statements.declaration"])]
        told.append(element("p", w["statements.declaration_text"]))
        blanks = [element("p", w[f"statements.{name}"]) for name in ("name", "place_date", "signature")]
        return [*told, element("div", blanks, class_="sign"), element("div", blanks, class_="sign")]

    def _appendix(self) -> Content:
        scored = [(exhibit, one) for exhibit in self.d["exhibits"] for one in exhibit["analyses"]]
        if not scored:
            return ""
        return self._section("appendix", self.w["appendix.title"], [self.writer.scores(*pair) for pair in scored])


def _policy(style: str) -> str:
    """Nothing may run, load or be sent; the one style sheet is named by its hash."""
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
