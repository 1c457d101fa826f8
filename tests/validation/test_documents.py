"""The shipped criteria of acceptance, and the schemas of what is written."""

from __future__ import annotations

import json
from typing import get_args

import jsonschema
import pytest

from detector.errors import SettingsError
from detector.registry import default_model_ids, find_card
from detector.report.language import words_of
from detector.synthesis.catalogue import KINDS
from detector.validation.documents import ASSETS, SCHEMAS, Criteria, Measure
from detector.validation.schemas import schema_text
from tests.validation.observed import record


@pytest.mark.parametrize("name", SCHEMAS)
def test_the_schemas_in_assets_are_those_of_the_code(name: str) -> None:
    assert (ASSETS / "schemas" / f"{name}.schema.json").read_text(encoding="utf-8") == schema_text(name)


def test_a_record_and_the_criteria_fit_their_schemas() -> None:
    for name, content in (
        ("validation", record().as_json()),
        ("validation_criteria", (ASSETS / "validation" / "criteria.json").read_bytes()),
    ):
        schema = json.loads((ASSETS / "schemas" / f"{name}.schema.json").read_text(encoding="utf-8"))
        jsonschema.Draft202012Validator.check_schema(schema)
        jsonschema.validate(json.loads(content), schema)
        with pytest.raises(jsonschema.ValidationError):
            jsonschema.validate({**json.loads(content), "form": "another"}, schema)


def test_the_shipped_criteria_say_in_words_what_is_accepted() -> None:
    phrases = words_of("en").phrases
    assert Criteria.read().rules == {name: phrases[f"validation.rule.{name}"] for name in get_args(Measure)}


def test_the_shipped_criteria_expect_a_figure_of_every_model_and_cue_that_a_clip_without_sound_can_have() -> None:
    found = Criteria.read()
    twins = {kind for source in found.suite.sources for kind in source.twins}
    assert twins <= set(KINDS)
    assert all(set(kinds) <= twins for kinds in found.suite.kinds_of.values())
    measured = {row.subject for row in found.expected.figures if row.measure == "auc" and row.figure.interval}
    cues = {f"specialists-lite0/{cue}" for cue in ("BG", "CM", "RR", "LL")}
    members = {one["model_id"] for one in find_card("ensemble-default").inputs["members"]}
    # Of stills under a moving camera, which the genuine clips are, the texture of stills tells nothing.
    assert measured >= {*default_model_ids(), *members, *cues} - {"audiovisual-avff", "texture-stills"}
    assert set(found.expected.clips_scored) >= measured | {"texture-stills"}
    assert len(found.expected.files) == found.expected.clips
    assert all(measured <= set(logits) for logits in found.expected.sample_logits.values())
    assert len(found.expected.sample_logits) == 3


def test_other_files_are_no_criteria(tmp_path: object) -> None:
    path = tmp_path / "criteria.json"  # type: ignore[operator]
    path.write_text("{}")
    with pytest.raises(SettingsError, match=r"criteria\.json holds no criteria"):
        Criteria.read(path)
