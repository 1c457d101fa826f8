"""The whole path in a real browser: upload, wait, examine, step, export."""

from __future__ import annotations

import hashlib
import io
import os
import re
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from pages.parts.shared import actor
from tests.browser import server
from tests.browser.steps import ANALYSIS_LIMIT_MS, analyse_sample, open_result
from tests.pages import runs

playwright_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
axe_api = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not installed")
pypdf = pytest.importorskip("pypdf", reason="pypdf is not installed")

SAMPLE = server.ROOT / "assets" / "samples" / "astronaut_manipulated.mp4"
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[playwright_api.Page]:
    binary = server.chromium()
    if binary is None:
        pytest.skip("no Chromium found: install Debian's chromium or set CHROMIUM to a browser's path")
    home = tmp_path_factory.mktemp("served") / "home"
    runs.write_run(home.parent / "runs" / "a-run")
    places = {"RUNS": str(home.parent / "runs"), "WEIGHTS": server.small_models(home.parent / "weights")}
    with (
        server.running(home, **{f"FRAMEWITNESS_{name}": place for name, place in places.items()}) as address,
        playwright_api.sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=binary, args=ARGUMENTS)
        context = browser.new_context(base_url=address, viewport={"width": 1440, "height": 1000}, accept_downloads=True)
        context.add_cookies([named("A. Tester", address)])
        page = context.new_page()
        page.set_default_timeout(90_000)
        yield page
        if folder := os.environ.get("FRAMEWITNESS_SCREENSHOTS"):
            page.screenshot(path=str(Path(folder) / "end.png"), full_page=True)
        browser.close()


def named(who: str, address: str) -> dict[str, str]:
    """The cookie of a browser in which that name was chosen before."""
    return {"name": actor.COOKIE, "value": quote(who, safe=""), "url": address}


def _pts(page: playwright_api.Page) -> int:
    found = re.search(r"[?&]pts=(\d+)", page.url)
    assert found, page.url
    return int(found[1])


def _await_other_pts(page: playwright_api.Page, before: int) -> int:
    page.wait_for_function(
        "before => !location.search.includes(`pts=${before}`) && location.search.includes('pts=')", arg=before
    )
    return _pts(page)


def test_from_upload_to_pdf(page: playwright_api.Page) -> None:
    outside: list[str] = []
    page.on("request", lambda request: None if "//localhost:" in request.url else outside.append(request.url))

    clicks = 0

    def click(target: playwright_api.Locator) -> None:
        nonlocal clicks
        target.click()
        clicks += 1

    page.goto("/")
    page.get_by_label("Title").fill("A sample examined in a browser")
    page.locator('input[type="file"]').set_input_files(SAMPLE)
    click(page.get_by_role("button", name="Start analysis"))
    open_result(page)
    clicks += 1

    # The conclusion: a word, not a colour alone, with what it does not prove.
    conclusion = re.compile(r"Likely manipulated|No manipulation found|Inconclusive")
    page.get_by_label("Conclusion").filter(has_text=conclusion).filter(has_text="does not prove").wait_for()

    # A click on a face of the filmstrip shows exactly that frame, its crop and its heatmap.
    face = page.locator(".player .strip button").nth(3)
    face.click()
    page.wait_for_url(re.compile(r"pts=\d+"))
    chosen = _pts(page)
    assert str(chosen) == face.get_attribute("data-pts")
    page.get_by_text(f"PTS {chosen} ·").wait_for()
    page.get_by_text(re.compile("Grad-CAM of|explains no more than chance")).first.wait_for(timeout=ANALYSIS_LIMIT_MS)
    page.wait_for_function(
        "() => [...document.querySelectorAll('[data-testid=stImage] img')]"
        ".filter(image => image.complete && image.naturalWidth > 0).length >= 2"
    )

    # It plays; paused, it shows the frame of the file at which it stands, and the page follows.
    video = page.locator(".player video")
    stands_at = video.evaluate("video => video.currentTime")
    page.locator(".player .stage").focus()
    page.keyboard.press(" ")
    page.wait_for_function(
        "([video, before]) => video.currentTime > before + 0.2", arg=[video.element_handle(), stands_at]
    )
    page.keyboard.press("k")
    chosen = _await_other_pts(page, chosen)
    page.locator(".player .readout", has_text="exact").wait_for()

    # The arrow keys step one frame and ten.
    page.keyboard.press("ArrowRight")
    second = _await_other_pts(page, chosen)
    assert second > chosen
    page.get_by_text(f"PTS {second} ·").wait_for()
    page.keyboard.press("Shift+ArrowRight")
    eleventh = _await_other_pts(page, second)
    assert eleventh - second == pytest.approx(10 * (second - chosen), rel=0.3)
    page.get_by_text(f"PTS {eleventh} ·").wait_for()
    page.keyboard.press("ArrowLeft")
    assert second < _await_other_pts(page, eleventh) < eleventh

    # A link leads another person to the same frame.
    shared = page.context.new_page()
    shared.goto(page.url)
    shared.get_by_text(f"PTS {_pts(page)} ·").wait_for(timeout=90_000)
    shared.close()

    # Signing makes the case PDF too, in the worker; it holds the file's name and hash, the conclusion and its pages.
    examined = page.url
    click(page.get_by_role("tab", name="Opinions"))
    click(page.get_by_role("radiogroup", name="In my opinion").get_by_text("Manipulated"))
    page.get_by_label("What I see that speaks for it").fill("The mouth is another's.")
    click(page.get_by_role("button", name="Record as the opinion of"))
    # Recorded, not only typed: a text area's words count as text of the page too.
    page.get_by_text("after the author was shown scores of this file").wait_for()
    click(page.get_by_test_id("stPageLink-NavLink").filter(has_text=re.compile("Case$")).first)
    click(page.get_by_role("tab", name="Sign-off"))
    click(page.get_by_role("button", name="Sign and make the report"))
    assert clicks <= 8
    ready = page.get_by_role("button", name="Download").first
    ready.wait_for(timeout=ANALYSIS_LIMIT_MS)
    with page.expect_download() as download:
        ready.click()
    text = _pdf_text(Path(download.value.path()))
    digest = hashlib.sha256(SAMPLE.read_bytes()).hexdigest()
    squeezed = re.sub(r"\s+", "", text)
    assert digest in squeezed
    assert "astronaut_manipulated.mp4" in squeezed
    assert "Asampleexaminedinabrowser" in squeezed
    assert "Themouthisanother" in squeezed
    assert "signed" in text

    page.goto(examined)

    # Nothing was fetched from any other machine.
    assert outside == []


def test_two_sessions_work_at_once_and_do_not_mix(page: playwright_api.Page) -> None:
    address = page.evaluate("location.origin")
    browser = page.context.browser
    assert browser is not None
    contexts = [browser.new_context(base_url=address, viewport={"width": 1280, "height": 800}) for _ in range(2)]
    for who, context in zip(("Ada", "Bea"), contexts, strict=True):
        context.add_cookies([named(who, address)])
    sessions = {label: context.new_page() for label, context in zip(("genuine", "manipulated"), contexts, strict=True)}
    for label, session in sessions.items():
        session.set_default_timeout(90_000)
        session.goto("/")
        analyse_sample(session, label)
    for label, session in sessions.items():
        open_result(session)
        session.get_by_label("Conclusion").wait_for()
        session.locator(".fw-title").filter(has_text=re.compile(f"^astronaut_{label}.mp4")).wait_for()
    for context in contexts:
        context.close()


def _pdf_text(path: Path) -> str:
    reader = pypdf.PdfReader(io.BytesIO(path.read_bytes()))
    return "\n".join(sheet.extract_text() for sheet in reader.pages)


def test_the_stored_file_is_served_in_ranges_to_this_page_only(page: playwright_api.Page) -> None:
    source = page.locator(".player video").get_attribute("src")
    assert source
    part = page.context.request.get(source, headers={"Range": "bytes=4-7"})
    assert (part.status, part.body()) == (206, b"ftyp")
    assert part.headers["x-content-type-options"] == "nosniff"
    sha256 = source.rsplit("/", 1)[1]
    for wrong in (f"/evidence/{'0' * 32}/{sha256}", f"/evidence/{'0' * 32}/..%2f..%2fcases.duckdb"):
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(page.evaluate("location.origin") + wrong)
        assert refused.value.code in (400, 404)


def test_models_and_training_runs_are_drawn_in_the_browser(page: playwright_api.Page) -> None:
    page.goto("/models")
    page.get_by_role("tab", name="Architecture").click()
    drawing = page.locator("img.fw-drawing")
    drawing.wait_for()
    assert drawing.evaluate("image => image.complete && image.naturalWidth > 300")
    page.get_by_role("button", name="Verify").click()
    page.get_by_text("fit the architecture key by key").wait_for()
    page.goto("/training")
    page.get_by_text("Transformer, run 1").first.wait_for()
    page.wait_for_function("() => document.querySelectorAll('.js-plotly-plot .scatterlayer path').length > 10")
    page.get_by_role("tab", name="Report").click()
    page.locator(".fw-confusion").wait_for()


BACKGROUND = "getComputedStyle(document.querySelector('.stApp')).backgroundColor"
# Of Streamlit's own widgets, which pages can't mend: the rule, the place, and why it stays.
STREAMLITS_OWN = (
    ("label", "stFileUploaderDropzoneInput", "hidden and out of the Tab order behind a button that has a name"),
)
WORK = ("analyse", "examine", "compare", "cases")
ABOUT_MODELS = ("calibration", "models", "training", "validation", "analyses", "glossary")


def _violations(page: playwright_api.Page, axe: axe_api.Axe, rules: list[str]) -> list[str]:
    """What axe calls serious or critical. Charts are left out: tests/pages/test_contrast.py tries their colours."""
    for _ in range(4):  # while a page or a theme changes, colours are neither the old nor the new
        found = _violated(axe.run(page, {"exclude": [[".js-plotly-plot"]]}, {"runOnly": rules}))
        if not found:
            break
        page.wait_for_timeout(700)
    return found


def _violated(found: axe_api.AxeResults) -> list[str]:
    return [
        f"{one['id']} {node['target']} {[why['message'] for why in node['any']]}"
        for one in found.response["violations"]
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"]
        if not any(rule == one["id"] and place in str(node["target"]) for rule, place, _ in STREAMLITS_OWN)
    ]


def test_every_page_is_accessible_in_both_themes(page: playwright_api.Page) -> None:
    axe, found = axe_api.Axe(), {}
    page.goto("/models")
    for place in (*ABOUT_MODELS, *WORK, "an exhibit"):
        if place == "an exhibit":
            page.locator("a[href$='/examine']").first.click()
            page.locator(".stMain").get_by_role("button", name="Examine").first.click()
            page.get_by_label("Conclusion").wait_for()
        else:
            before = page.locator("h1").text_content()
            if place in ABOUT_MODELS:
                page.get_by_text("About the models").click()
            page.locator(f"a[href$='/{place}']").first.click()
            page.wait_for_function("before => document.querySelector('h1')?.textContent !== before", arg=before)
        page.locator(".stMain :is(.fw-heading, .fw-empty, .fw-title)").first.wait_for()
        page.wait_for_function("() => document.querySelector('.stApp').dataset.testScriptState != 'running'")
        found[place, "light"] = _violations(page, axe, ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"])
        page.emulate_media(color_scheme="dark")
        page.wait_for_function(f"() => {BACKGROUND} == 'rgb(17, 22, 27)'")
        found[place, "dark"] = _violations(page, axe, ["color-contrast"])
        page.emulate_media(color_scheme="light")
    assert {where: what for where, what in found.items() if what} == {}


def test_the_theme_chosen_in_the_head_is_kept_on_every_page_and_tab_reaches_the_content(
    page: playwright_api.Page,
) -> None:
    page.goto("/models")
    page.get_by_role("button", name="Main menu").click()
    page.get_by_role("menuitemradio", name="Dark").click()
    page.wait_for_function("() => localStorage.getItem('stActiveTheme-/training-v2') == '\"Dark\"'")
    page.goto("/training")
    page.get_by_text("Transformer, run 1").first.wait_for()
    assert page.evaluate(BACKGROUND) == "rgb(17, 22, 27)"
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the content"
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.closest('.stMain') !== null")
    assert page.evaluate("document.querySelector('.stMain').scrollWidth <= innerWidth")
    page.set_viewport_size({"width": 390, "height": 844})
    page.wait_for_function("() => document.querySelector('.stMain').scrollWidth <= innerWidth")
    page.evaluate("localStorage.clear()")
    page.set_viewport_size({"width": 1440, "height": 1000})
