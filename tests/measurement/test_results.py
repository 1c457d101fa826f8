"""Measured figures: one rule for worse than chance, one for too few, and cards of version 0.1 say the same."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from detector.cli import main
from detector.errors import ModelError
from detector.measurement.measures import against
from detector.measurement.results import Fact, Measurement, Results, RocPoint, Table
from detector.measurement.wording import figure_text, main_rows, remark
from detector.registry import ModelCard

CARDS = Path(__file__).resolve().parents[1] / "fixtures" / "cards"
SHIPPED = Path(__file__).resolve().parents[2] / "assets" / "weights"


def _aucs(values: object, inside: bool = False) -> list[float]:
    """Every number that stands under a key "auc"."""
    if isinstance(values, dict):
        return [number for key, value in values.items() for number in _aucs(value, inside or key == "auc")]
    return [values] if inside and isinstance(values, float) else []


@pytest.mark.parametrize("name", ["specialists-lite0", "audiovisual-avff"])
def test_a_card_of_version_0_1_says_what_todays_says(name: str) -> None:
    path = CARDS / f"{name}-0.1.card.json"
    old, new = ModelCard.read(path), ModelCard.read(SHIPPED / f"{name}.card.json")
    newer = ("calibration_videos",)  # measured since
    assert old.results == Results(
        *(
            tuple(item for item in kind if item.data[0] not in newer)
            for kind in (new.results.measurements, new.results.tables, new.results.facts)
        )
    )
    nested = json.loads(path.read_text())["results"]
    assert not Counter(_aucs(nested)) - Counter(row.value for row in old.results.measurements)
    whole = nested["videos"]["all"]
    row = new.results["videos", "all"]
    assert (row.value, row.interval, row.n_real, row.n_fake) == (
        whole["auc"], tuple(whole["auc_95"]), whole["genuine"], whole["manipulated"]
    )  # fmt: skip
    assert row.rates == {rate: whole[rate] for rate in ("accuracy", "f1", "precision", "recall")}
    assert row.calibration is not None
    assert row.calibration.ece == nested["videos"]["calibration"]["ece"]


def test_no_shipped_card_holds_what_json_does_not_know() -> None:
    def refuse(name: str) -> None:
        raise ValueError(name)

    for path in SHIPPED.glob("*.card.json"):
        json.loads(path.read_text(encoding="utf-8"), parse_constant=refuse)


def test_a_card_with_a_number_that_json_does_not_know_is_not_written(tmp_path: Path) -> None:
    card = ModelCard.read(SHIPPED / "frame-lite0.card.json")
    broken = Results(facts=(Fact(("minutes",), float("nan")),))
    with pytest.raises(ValueError, match="JSON"):
        ModelCard.write(type(card)(**{**_fields(card), "results": broken}), tmp_path / "x.card.json")


def _fields(card: ModelCard) -> dict[str, object]:
    return {name: getattr(card, name) for name in card.__dataclass_fields__}


def test_a_card_names_every_problem_at_once(tmp_path: Path) -> None:
    values = json.loads((SHIPPED / "frame-lite0.card.json").read_text())
    del values["title"]
    values |= {"parameters": "many", "colour": "red"}
    values["decision"]["likely_manipulated_logit"] = None
    values["results"]["measurements"][0] = {"data": ["videos"], "value": 1.5, "what": "auc"}
    values["results"]["facts"] = [{"value": 3}]
    path = tmp_path / "wrong.card.json"
    path.write_text(json.dumps(values))
    with pytest.raises(ModelError) as caught:
        ModelCard.read(path)
    for problem in ("colour, title", "parameters", "decision", "measurements[0]", "facts[0]"):
        assert problem in str(caught.value), problem


def test_results_are_written_and_read_unchanged() -> None:
    results = Results(
        (
            Measurement(
                ("videos", "all"), 0.7, interval=(0.6, 0.8), n_real=9, n_fake=8, rates={"f1": 0.5},
                counts={"not_scored": 1}, roc=(RocPoint(0.0, 0.0), RocPoint(1.0, 1.0)),
            ),
            Measurement(("cues", "BG"), 0.9, "pointing_game", (0.8, 0.95)),
        ),
        (Table(("called",), ("clips",), (("real", (3,)),)),),
        (Fact(("how",), "by hand"), Fact(("time",), 3.5, "s")),
    )  # fmt: skip
    assert Results.read(json.loads(json.dumps(results.as_json(), allow_nan=False))) == results


def test_worse_than_chance_is_an_interval_wholly_below_one_half() -> None:
    said = {
        interval: remark(Measurement(("x",), 0.4, interval=interval)) for interval in (None, (0.3, 0.49), (0.3, 0.55))
    }
    assert said == {None: "", (0.3, 0.49): "worse than chance", (0.3, 0.55): "not told from chance"}


@pytest.mark.parametrize("few", [1, 2])
def test_fewer_than_three_a_side_is_no_auc_anywhere(few: int) -> None:
    row = Measurement(("x",), 1.0, interval=(1.0, 1.0), n_real=few, n_fake=50, rates={"accuracy": 1.0})
    assert (row.value, row.interval, row.rates) == (None, None, {})
    assert figure_text(row) == f"x: AUC –, too few to judge, n {few} + 50"
    old = Results.read({"videos": {"all": {"auc": 1.0, "genuine": few, "manipulated": 50}}})
    assert old["videos", "all"].value is None


def test_what_a_newer_measurement_says_nothing_about_is_kept() -> None:
    card = Results((Measurement(("videos", "all"), 0.7), Measurement(("synthesised",), 0.9)))
    newer = card.updated(Results((Measurement(("videos", "per_generator", "x"), 0.8),)))
    assert [row.data for row in newer.measurements] == [("synthesised",), ("videos", "per_generator", "x")]


def test_the_rows_that_stand_for_a_card_are_those_of_people_kept_apart_where_there_are() -> None:
    found = main_rows(ModelCard.read(SHIPPED / "ensemble-default.card.json").results)
    assert found["deepfake videos"].data == ("calibration_videos", "all")
    older = Results((Measurement(("videos", "all"), 0.7), Measurement(("cross_validated", "videos", "all"), 0.6)))
    assert main_rows(older)["deepfake videos"].data == ("cross_validated", "videos", "all")


def test_a_curve_goes_from_corner_to_corner() -> None:
    import numpy as np
    import pandas as pd

    from detector.measurement.measures import measure_table

    logits = np.random.default_rng(0).normal(0, 1, 400)
    table = pd.DataFrame({"label": ["real", "fake"] * 200})
    row = measure_table(("x",), table, logits)
    assert (row.roc[0], row.roc[-1]) == ((0, 0), (1, 1))
    assert len(row.roc) <= 33
    assert row.value == against(("x",), logits[1::2], logits[::2]).value


def test_the_documents_table_of_all_models_is_what_the_cards_say(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "table"]) == 0
    table = capsys.readouterr().out
    assert table in (SHIPPED.parents[1] / "docs" / "models.md").read_text(encoding="utf-8")
    for name in ("`frame-lite0`", "· BG", "· LL", "MesoNet-4"):  # models, specialists and baselines in one table
        assert name in table
    assert "`specialists-lite0` · RR | 39 / 22 | 0.27 (0.14 to 0.40) | worse than chance |" in table


@pytest.mark.parametrize("arguments", [["--families"], ["--generators"], ["--generators", "train"]], ids=" ".join)
def test_the_documents_tables_of_real_generators_are_what_the_cards_say(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["models", "table", *arguments]) == 0
    assert capsys.readouterr().out in (SHIPPED.parents[1] / "docs" / "models.md").read_text(encoding="utf-8")


def test_a_card_is_shown_to_read_with_what_is_worse_than_chance(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["models", "show", "specialists-lite0", "--format", "text"]) == 0
    shown = capsys.readouterr().out
    line = "cues on whole manipulations · BG · videos: AUC 0.35 (0.22 to 0.49), worse than chance, n 39 + 22"
    for part in (line, "SHA-256", "Limits", "How it was measured"):
        assert part in shown
