"""Runtimes side by side: equal turns, differences of logits, changed conclusions, what is not installed."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import pytest

from detector.analysis.types import Analysis, Conclusion, FrameScore, ModelResult, Tool, TrackScore
from detector.benchmark import compare
from detector.benchmark.speed import Timed
from detector.benchmark.usage import Cost
from detector.errors import SettingsError
from detector.runtime import Runtime
from detector.settings import AnalysisSettings
from tests.analysis.fakes import make_evidence

EVIDENCE = make_evidence()


def analysis(logit: float, label: str = "inconclusive", frames: int = 2) -> Analysis:
    scores = tuple(FrameScore(number, number, number / 10, logit + number, 1.0) for number in range(frames))
    result = ModelResult("one", "ab" * 32, logit, (TrackScore(1, logit, scores),))
    other = replace(result, model_id="other", logit=0.0, tracks=())
    conclusion = Conclusion(label, 0.5, ())  # type: ignore[arg-type]
    return Analysis(
        "a", Tool("framewitness", "0", None), AnalysisSettings(), EVIDENCE, (), (result, other), conclusion, 2
    )


def model(runtime: str) -> list[SimpleNamespace]:
    reason = "its check failed" if runtime == "onnxruntime" else None
    return [SimpleNamespace(card=SimpleNamespace(model_id="one"), runtime=Runtime("torch", "2", runtime, reason))]


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Whose turn it was; openvino is not installed."""
    turns: list[str] = []
    said = {"torch": analysis(1.0), "onnxruntime": analysis(1.25, "likely_manipulated")}

    def timed(_evidence: object, models: list[SimpleNamespace], _settings: object) -> Timed:
        turns.append(models[0].runtime.asked)
        seconds = float(len(turns))
        found = replace(said[turns[-1]], timings={"scores:one": seconds, "decode": 50.0, "total": 60.0})
        return Timed(found, Cost(seconds, 2 * seconds), {}, 0.0, 0.0)

    monkeypatch.setattr(compare, "timed_analysis", timed)
    monkeypatch.setattr(compare, "version_of", {"torch": "2", "onnxruntime": "1"}.get)
    return turns


def test_runtimes_take_turns_after_one_unmeasured_round(ran: list[str]) -> None:
    report = compare.compare_runtimes(
        EVIDENCE,
        ["torch", "openvino", "onnxruntime"],
        model,
        AnalysisSettings(),
        rounds=3,
    )
    assert ran == ["torch", "onnxruntime"] * 4
    torch, onnx = report.runtimes
    assert (torch.cost, onnx.cost) == (Cost(5.0, 10.0), Cost(6.0, 12.0))  # of turns 3, 5, 7 and 4, 6, 8
    assert (torch.networks_s, onnx.networks_s) == (5.0, 6.0)
    assert (torch.largest_logit_difference, torch.changed) == (0.0, False)
    assert (onnx.per_model, onnx.largest_logit_difference) == ({"one": 0.25, "other": 0.0}, 0.25)
    assert onnx.changed
    assert (onnx.version, onnx.by_torch) == ("1", {"one": "its check failed"})
    assert "not installed" in report.left_out["openvino"]


def test_a_score_that_only_one_record_has_is_counted() -> None:
    assert compare.logit_differences(analysis(1.0), analysis(1.0, frames=3)) == ({"one": 0.0, "other": 0.0}, 1)


def test_a_runtime_that_is_unknown_or_alone_missing_is_an_error(ran: list[str]) -> None:
    with pytest.raises(SettingsError, match="no runtime tensorrt"):
        compare.check_runtimes(["torch", "tensorrt"])
    with pytest.raises(SettingsError, match="None of these runtimes is installed: openvino"):
        compare.compare_runtimes(EVIDENCE, ["openvino"], lambda name: (), AnalysisSettings(), rounds=1)
    assert ran == []
