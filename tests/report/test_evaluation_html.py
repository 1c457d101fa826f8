"""The page of an evaluation: inert, complete, and names in it are text."""

from __future__ import annotations

import base64
import re
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest

from detector.measurement.score_set import SetFigures, measure_scores
from detector.measurement.thresholds import Thresholds
from detector.report.evaluation_html import evaluation_html
from tests.measurement.scored import NO_FACE, scored

LABELS = ["real", "fake"] * 12
GOOD = np.where(np.array(LABELS) == "fake", 1.0, -1.0) + np.random.default_rng(5).normal(0, 0.7, 24)
EVIL = "<script>alert(1)</script>"


@pytest.fixture(scope="module")
def drawn() -> tuple[SetFigures, pd.DataFrame, str]:
    blind = -GOOD
    blind[3] = np.nan
    table = scored(LABELS, {"good": GOOD, "turned": blind, "few": [0.0, 1.0, *[np.nan] * 22]})
    table["source"] = table["source"].replace("lab", EVIL)
    thresholds = Thresholds(0.4, -0.5, "twenty clips")
    models = dict.fromkeys(("good", "turned", "few"), ("ab" * 32, thresholds))
    scored_rows = table[table["logit"].notna()].assign(track=0, pts_s=0.0)
    parts = pd.concat([scored_rows.assign(level=level) for level in ("track", "frame", "frame")])
    found = measure_scores(table, models, parts=parts, program="test", settings_sha256="cd" * 32, resamples=40)
    return found, table, evaluation_html(found, table).decode()


def section(page: str, number: int) -> str:
    return page.split(f'<section id="model-{number}">')[1].split("</section>")[0]


def test_nothing_in_it_runs_or_loads(drawn: tuple[SetFigures, pd.DataFrame, str]) -> None:
    page = drawn[2]
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert "default-src &#39;none&#39;" in page
    assert not re.findall(r'(?:src|href)="(?!data:|#)', page)


def test_every_model_has_its_figures_plots_and_parts(drawn: tuple[SetFigures, pd.DataFrame, str]) -> None:
    found, _, page = drawn
    good = section(page, 1)
    assert found.models[0].metrics is not None
    for value in (found.models[0].metrics.roc_auc, found.models[0].metrics.cllr_min, found.models[0].metrics.brier):
        assert f"{value:.3f}" in good
    names = re.findall(r"<h4>(.+?)</h4>", good)
    assert names == [
        "ROC", "Precision and recall", "DET", "Scores by label", "Risk and coverage", "Tippett", "Reliability",
        "Errors by condition",
    ]  # fmt: skip
    for uri in re.findall(r'src="data:image/svg\+xml;base64,([^"]+)"', good):
        drawing = ElementTree.fromstring(base64.b64decode(uri))
        assert len(list(drawing.iter("{http://www.w3.org/2000/svg}path"))) > 5
    assert re.findall(r"<h3>By (.+?)</h3>", good)[:3] == ["source", "generator", "family"]


def test_frames_and_tracks_stand_beside_files(drawn: tuple[SetFigures, pd.DataFrame, str]) -> None:
    rows = section(drawn[2], 1).split("<h3>Per file, face track and frame</h3>")[1].split("</table>")[0]
    assert re.findall(r"\d+ \+ \d+", rows) == ["12 + 12", "12 + 12", "24 + 24"]
    assert "Per data set" not in drawn[2]  # the only source has genuine files alone


def test_what_is_inverted_too_few_or_not_scored_is_said(drawn: tuple[SetFigures, pd.DataFrame, str]) -> None:
    page = drawn[2]
    good, turned, few = (section(page, number) for number in (1, 2, 3))
    assert "worse than chance" not in good
    assert turned.count("worse than chance") > 2
    assert NO_FACE in turned
    assert "clips/3.mp4" in turned
    assert "Too few files to measure" in few
    assert "<img" not in few


def test_equal_figures_give_equal_bytes(drawn: tuple[SetFigures, pd.DataFrame, str]) -> None:
    found, table, page = drawn
    assert evaluation_html(SetFigures.read(found.as_json()), table.copy()).decode() == page
