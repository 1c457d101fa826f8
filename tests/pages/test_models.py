from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from detector.analysis.kinds import kind_of
from detector.measurement.results import Results
from detector.measurement.wording import main_rows, value_text
from detector.registry import ModelCard, shipped
from pages.parts.models import block_diagram, model_choice
from pages.parts.models.block_diagram import Block, Diagram
from pages.parts.shared import preferences
from tests.pages.conftest import html_of

OpenPage = Callable[..., AppTest]
SHIPPED = Path(__file__).resolve().parents[2] / "assets" / "weights"


def opened(app: AppTest, part: str) -> str:
    """What the page shows once that part of the card is opened."""
    app.session_state["model_part"] = part
    app.run()
    assert not app.exception
    return html_of(app)


def test_a_card_opens_on_what_an_examiner_needs_and_folds_the_rest(open_page: OpenPage, card: ModelCard) -> None:
    app = open_page("models")
    assert not app.exception
    shown = html_of(app)
    for part in (card.name, card.thresholds.basis, "It was never trained.", "Not calibrated"):
        assert part in shown
    assert card.weights_sha256 not in shown
    assert app.button(key="models_default").disabled
    shown = opened(app, "Architecture")
    assert card.weights_sha256 in shown
    assert card.title in shown
    assert "data:image/svg+xml" in shown


def test_the_list_begins_with_the_default_set_and_what_it_is_made_of(cards: dict[str, ModelCard]) -> None:
    def listed(*default: str) -> dict[str, list[str]]:
        groups = model_choice.grouped(list(cards.values()), default)
        return {title: [card.model_id for card in group] for title, group in groups.items()}

    together, cues = listed("tiny-together"), listed("tiny-cues")
    assert together["The default set"] == ["tiny-together"]
    assert sorted(together["Its members"]) == ["tiny", "tiny-cues", "tiny-time"]  # four of its six are the cues'
    assert list(cues) == ["The default set", "Other models"]
    assert sorted(cues["Other models"]) == ["tiny", "tiny-time", "tiny-together"]


def test_levels_for_parts_of_a_track_are_shown_where_a_card_has_them(
    open_page: OpenPage, cards: dict[str, ModelCard], tmp_path: Path
) -> None:
    card = cards["frame"]
    assert "Moments to look at" not in html_of(open_page("models", model=card.model_id))
    levels = replace(card.thresholds, run_logit=2.25, peak_logit=1.75)
    replace(card, thresholds=levels).write(tmp_path / "weights" / f"{card.model_id}.card.json")
    shown = html_of(open_page("models", model=card.model_id))
    assert "A second or more of a track likely manipulated from" in shown
    assert "0.905" in shown
    assert "0.852" in shown


def test_measured_rows_name_chance_and_small_numbers(open_page: OpenPage, cards: dict[str, ModelCard]) -> None:
    app = open_page("models", model="tiny-together")
    assert not app.exception
    shown = html_of(app)
    assert "0.86 (0.79 to 0.92)" in shown
    assert "worse than chance" not in shown
    shown = opened(app, "Results")
    animation = shown[shown.index("animation") :]
    assert animation.index("worse than chance") < animation.index("lip-sync")
    assert "too few to judge" in shown[shown.index("lip-sync") :]
    assert "Not calibrated" not in shown
    assert len(app.get("plotly_chart")) == 1


def test_rows_that_say_only_how_few_there_were_share_one_line() -> None:
    def script(few: int) -> None:
        from detector.measurement.results import Measurement
        from pages.parts.shared import measurement_table

        rows = [Measurement(("animation",), 0.7, interval=(0.6, 0.8), n_real=39, n_fake=13)]
        rows += [Measurement((f"swap {n}",), None, n_real=39, n_fake=1) for n in range(few)]
        measurement_table.show(rows)

    two, three = (html_of(AppTest.from_function(script, args=(few,)).run()) for few in (2, 3))
    assert two.count("too few to judge") == two.count("<tr>") - 2 == 2  # without the head and the measured row
    assert three.count("too few to judge") == three.count("<tr>") - 2 == 1
    assert "swap 0 (1) · swap 1 (1) · swap 2 (1)" in three


def test_verify_tells_a_whole_model_from_a_damaged_one(
    open_page: OpenPage, cards: dict[str, ModelCard], tmp_path: Path
) -> None:
    app = open_page("models", model="tiny-time")
    shown = html_of(app.button(key="models_verify").click().run())
    assert "Verified" in shown
    assert "Your own model" in shown
    with (tmp_path / "weights" / "tiny.safetensors").open("ab") as file:
        file.write(b"x")
    shown = html_of(app.button(key="models_verify").click().run())
    assert "does not verify" in shown
    assert "SHA-256" in shown


def test_a_shipped_name_on_another_card_is_called_changed(
    open_page: OpenPage, cards: dict[str, ModelCard], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shipped, "signed_list", lambda: {"tiny.card.json": "0" * 64, "tiny.safetensors": "0" * 64})
    app = open_page("models", model="tiny")
    assert html_of(app).count(" changed</span>") == 1
    assert "not known to be the one shipped" in html_of(app.button(key="models_verify").click().run())


def test_ones_own_default_is_kept_and_can_be_given_up(open_page: OpenPage, cards: dict[str, ModelCard]) -> None:
    app = open_page("models", model="tiny-cues")
    app.button(key="models_default").click().run()
    assert preferences.default_models() == ("tiny", "tiny-cues")
    analyse = open_page("analyse")
    assert "tiny; tiny\\-cues" in analyse.radio(key="analyse_models").proto.captions[0]
    app.button(key="models_default_reset").click().run()
    assert preferences.default_models() == ()


def test_two_models_stand_side_by_side_on_what_was_measured(open_page: OpenPage, cards: dict[str, ModelCard]) -> None:
    app = open_page("models", model="tiny-together")
    opened(app, "Compare")
    app.multiselect(key="models_compare_tiny-together").set_value(["tiny"])
    table = opened(app, "Compare").split("fw-table fw-wide")[-1]
    row = table[table.index("videos · all") :].split("</tr>")[0]
    assert "0.86" in row
    assert "–" in row


def test_an_unknown_model_in_the_address_is_answered_in_words(open_page: OpenPage) -> None:
    shown = html_of(open_page("models", model="<b>none</b>"))
    assert "There is no such model" in shown
    assert "<b>none" not in shown


def test_a_broken_card_is_named(open_page: OpenPage, cards: dict[str, ModelCard], tmp_path: Path) -> None:
    (tmp_path / "weights" / "broken.card.json").write_text("{}")
    app = open_page("models")
    assert not app.exception
    assert "broken.card.json" in html_of(app)


def test_the_shipped_results_are_read_whole() -> None:
    for path in SHIPPED.glob("*.card.json"):
        card = ModelCard.read(path)
        assert main_rows(card.results)
        aucs = [row for row in card.results.measurements if row.what == "auc"]
        assert sum(len(rows) for rows in card.results.groups().values()) == len(aucs)


def test_what_was_not_measured_is_no_number(cards: dict[str, ModelCard]) -> None:
    results = cards["together"].results
    (row,) = [row for row in results.measurements if row.value is None]
    assert value_text(row) == "–"
    assert not row.worse_than_chance
    assert [row.data for row in main_rows(results).values()] == [("videos", "all")]
    assert [table.data[-1] for table in results.tables] == ["called", "genuine_per_source"]
    assert [one.score for one in results["videos", "all"].calibration.bins] == [0.08, 0.45, 0.88]


def test_many_small_groups_are_one_and_nested_rows_are_one_table() -> None:
    kinds = {name: {"logit": {"auc": 0.9, "interval_95": [0.8, 0.95]}, "both": {"auc": 0.8}} for name in "abcd"}
    sources = {name: {"faces": 3, "BG": {"called": 0.1}, "auc": {"BG": 0.6}} for name in ("s", "t")}
    results = Results.read({"against": kinds, "by_source": sources})
    assert [(path, len(rows)) for path, rows in results.groups().items()] == [(("against",), 8)]
    assert results.measurements[0].interval == (0.8, 0.95)
    assert results.tables[0].columns == ("faces", "BG · called", "auc · BG")
    assert results.tables[0].rows[1] == ("t", (3, 0.1, 0.6))


def test_every_kind_is_drawn_with_what_its_card_says(cards: dict[str, ModelCard]) -> None:
    frame = replace(cards["frame"], architecture={**cards["frame"].architecture, "trunk": "resnet18"})
    drawn = {name: kind_of(card).diagram(card) for name, card in {**cards, "frame": frame}.items()}
    words = {name: diagram.in_words() for name, diagram in drawn.items()}
    assert "ResNet18" in words["frame"]
    assert "high-pass" not in words["frame"].lower()
    assert "2 layers, 2 heads, width 16" in words["time"]
    assert "tiny" in words["time"]
    assert "lighting detector" in words["cues"]
    assert "44 named channels" in words["cues"]
    assert words["together"].count("tiny-cues") == 4
    assert not any("P(" in said for said in words.values())  # a score is no probability
    for diagram in drawn.values():
        keys = {block.key for block in diagram.blocks} | ({"group"} if diagram.group else set())
        assert {end for arrow in diagram.arrows for end in arrow} <= keys


def test_a_part_that_a_network_lacks_is_not_drawn(card: ModelCard) -> None:
    plain = replace(card, kind="audiovisual", architecture={"kind": "audiovisual", "exchange": False, "reach": 15})
    assert "at 31 lags" in kind_of(plain).diagram(plain).in_words()
    assert "Feature exchange" not in kind_of(plain).diagram(plain).in_words()
    richer = replace(plain, architecture={**plain.architecture, "exchange": True, "width": 32})
    assert "width 32" in kind_of(richer).diagram(richer).in_words()


def test_a_member_that_may_only_raise_the_result_has_no_fixed_share(cards: dict[str, ModelCard]) -> None:
    together = cards["together"]
    one_sided = replace(together, architecture={**together.architecture, "one_sided": [1]})
    words = kind_of(one_sided).diagram(one_sided, (0.5, 0.0, 0.5, 0.0, 0.0, 0.0)).in_words()
    assert words.count("may only raise the result") == 1
    assert words.count("50 % of the result") == 2


def test_an_unknown_kind_is_drawn_from_its_table(card: ModelCard) -> None:
    strange = replace(card, kind="oracle", architecture={"kind": "oracle", "depth": 7})
    assert "depth 7" in kind_of(strange).diagram(strange).in_words()


def test_text_in_a_drawing_is_escaped() -> None:
    drawing = block_diagram.svg(Diagram((Block("a", "<script>", ("a & b",), 0),), ()))
    assert "<script>" not in drawing
    assert "a &amp; b" in drawing


def test_shares_of_an_ensemble_are_written_beside_its_members(open_page: OpenPage, cards: dict[str, ModelCard]) -> None:
    assert "17 % of the result" in opened(open_page("models", model="tiny-together"), "Architecture")
