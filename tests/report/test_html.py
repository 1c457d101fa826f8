"""The HTML report: complete, closed to hostile text, inert, accessible, and the same for the same record."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path

import pytest
from jinja2 import UndefinedError

from detector.report.html import case_html, environment, marked_up, plain
from detector.report.language import END_MARK, LTR_MARK, RTL_MARK
from detector.report.record import CaseRecord, ExhibitEntry
from tests.report.conftest import make_entry, make_every_kind, make_evidence, make_exhibit, make_record, make_unscored

ROOT = Path(__file__).resolve().parents[2]
VOID = {"img", "meta", "br", "wbr", "hr"}
HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</style></title></textarea><svg onload=alert(1)>",
    "javascript:alert(1)",
    "&lt;b&gt; &amp; &#x3c;",
    "\x00\x1b[31m\u202e\u2066 broken \ue000\ue001\ue002 \U0001f600",
    "{{7*7}} ${7*7} <%= 7 %>",
    "-->\n<!-- <?php ?> ]]>",
    "=1+1",
)


class Page(HTMLParser):
    """The page as a browser reads it; everything that opens must close."""

    def __init__(self, content: bytes) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(content.decode("utf-8"))
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data

    def handle_comment(self, data: str) -> None:
        raise AssertionError(f"a comment: {data!r}")

    def all(self, name: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.tags if tag == name]


@pytest.fixture(scope="module")
def whole() -> CaseRecord:
    evidence, other = make_evidence(), make_evidence("b.mp4")
    second = make_entry(make_unscored(other), pictures=False)
    second = replace(second, saved=replace(second.saved, record_id="r000000002"))
    return make_record(
        (
            ExhibitEntry(make_exhibit(evidence), (make_entry(make_every_kind(evidence)),)),
            ExhibitEntry(make_exhibit(other, 2), (second,)),
        )
    )


@pytest.fixture(scope="module")
def content(whole: CaseRecord) -> bytes:
    return case_html(whole)


def test_it_says_all_that_the_record_holds(whole: CaseRecord, content: bytes) -> None:
    page = Page(content)
    assert page.open == []
    analysis = whole.exhibits[0].analyses[0].analysis
    told = page.text
    for words in (
        "Interview of 6 May",
        "FW-2030-0042",
        "ab" * 32,
        whole.log.head_hash or "",
        "Track 1 scores above the threshold of every model.",
        analysis.settings.sha256,
        analysis.analysis_id,
        "Lip edge doubled.",
        "Two packets were damaged",
        "No face was found in 100 examined frames.",
    ):
        assert words in told
    for model in whole.models:
        assert model.weights_sha256 in told
    # The picture of the first page, and three of each strong frame.
    assert len([tag for tag in page.all("img") if (tag["src"] or "").startswith("data:image/jpeg")]) == 1 + 3 * 3


def test_it_is_inert_and_needs_nothing(content: bytes) -> None:
    page = Page(content)
    assert not {tag for tag, _ in page.tags} & {"script", "iframe", "object", "embed", "link", "form", "base", "audio"}
    for _, attributes in page.tags:
        assert not any(name.startswith("on") or name == "style" for name in attributes)
        assert (attributes.get("src") or "data:image/").startswith("data:image/")
        assert (attributes.get("href") or "#").startswith("#")
    policy = next(tag["content"] for tag in page.all("meta") if tag.get("http-equiv"))
    assert policy is not None
    assert policy.startswith("default-src 'none'; img-src data:; style-src 'sha256-")
    assert "unsafe" not in policy
    assert b"url(" not in content.split(b"</style>")[0]
    assert b"@import" not in content


def test_it_reads_without_eyes_and_without_a_mouse(content: bytes) -> None:
    page = Page(content)
    (html,) = page.all("html")
    assert (html["lang"], html["dir"]) == ("en", "ltr")
    assert len(page.all("h1")) == len(page.all("main")) == len(page.all("title")) == 1
    levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert all("alt" in tag for tag in page.all("img"))
    pictures = [tag for tag in page.all("img") if "icon" not in (tag.get("class") or "")]
    assert pictures
    assert all(tag["alt"] for tag in pictures)
    assert all(tag.get("scope") in ("col", "row") for tag in page.all("th"))
    assert len(page.all("caption")) == len(page.all("table"))
    names = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
    assert len(set(names)) == len(names)
    assert {tag["href"] for tag in page.all("a")} <= {f"#{name}" for name in names}
    regions = [tag for tag in page.all("div") if tag.get("role") == "region"]
    assert all(tag.get("tabindex") == "0" and tag.get("aria-label") for tag in regions)


@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_becomes_markup(named_record: Callable[[str], CaseRecord], text: str) -> None:
    content = case_html(_without_figures(named_record(text)))
    plain, page = Page(case_html(_without_figures(named_record("plain")))), Page(content)
    assert page.open == []
    own = {"bdi", "wbr", "br", "dl", "div", "dt", "dd"}  # what a longer text may be broken into
    assert [one for one, _ in page.tags if one not in own] == [one for one, _ in plain.tags if one not in own]
    assert {name for _, attributes in page.tags for name in attributes} <= {
        name for _, attributes in plain.tags for name in attributes
    }
    raw = content.decode()
    assert "\x00" not in raw
    assert "\x1b" not in raw
    assert "\u202e" not in raw


def _without_figures(record: CaseRecord) -> CaseRecord:
    """The record with its scores left out: figures take seconds and their labels are the report's own subject."""
    (entry,) = record.exhibits
    (one,) = entry.analyses
    bare = replace(one, analysis=replace(one.analysis, tracks=(), models=()), strong_frames=())
    return replace(record, exhibits=(replace(entry, analyses=(bare,)),), models=())


def test_equal_records_give_equal_bytes(whole: CaseRecord, content: bytes) -> None:
    assert case_html(whole) == content


@pytest.mark.parametrize(("language", "direction"), [("ar", "rtl"), ("es", "ltr")])
def test_other_languages_keep_structure_and_direction(
    whole: CaseRecord, content: bytes, language: str, direction: str
) -> None:
    page, english = Page(case_html(whole, language=language)), Page(content)
    (html,) = page.all("html")
    assert (html["lang"], html["dir"]) == (language, direction)
    assert [tag for tag, _ in page.tags if tag in ("h2", "h3", "table")] == [
        tag for tag, _ in english.tags if tag in ("h2", "h3", "table")
    ]
    assert not set(page.text) & {LTR_MARK, RTL_MARK, END_MARK}


def test_a_withheld_exhibit_shows_no_score(whole: CaseRecord) -> None:
    hidden = replace(
        whole, exhibits=tuple(ExhibitEntry(entry.exhibit, withheld=True) for entry in whole.exhibits), models=()
    )
    told = Page(case_html(hidden)).text
    assert "0.848" not in told
    assert "Likely manipulated" in told  # what the words mean is always said
    assert "above the threshold" not in told


def test_a_template_takes_text_as_text_and_only_its_own_markup() -> None:
    made = environment().from_string(
        '<p class="{{ name|plain }}">{{ text }}</p>{% macro i(t) %}<i>{{ t }}</i>{% endmacro %}{{ i(text) }}'
    )
    assert made.render(name='a"b', text="<b>") == '<p class="a&#34;b">&lt;b&gt;</p><i>&lt;b&gt;</i>'
    marked = f"a{RTL_MARK}b{END_MARK}{END_MARK}c{LTR_MARK}d"
    assert marked_up(marked) == 'a<bdi dir="rtl">b</bdi>c<bdi dir="ltr">d</bdi>'
    assert plain(f'{marked}"<\x00') == "abcd&#34;&lt;\\x00"


def test_a_name_that_the_payload_lacks_is_an_error_and_no_gap() -> None:
    with pytest.raises(UndefinedError, match="no attribute 'titel'"):
        environment().from_string("{{ d.titel }}").render(d={"title": "x"})


@pytest.mark.parametrize("template", sorted((ROOT / "assets" / "report").glob("*.html.j2")), ids=lambda path: path.name)
def test_no_template_lets_a_value_past_the_escaping(template: Path) -> None:
    values = re.findall(r"\{[{%](.*?)[%}]\}", template.read_text(encoding="utf-8"), re.DOTALL)
    assert values
    assert not any(re.search(r"\|\s*safe|autoescape|Markup", value) for value in values)
