"""All that `bench` measured, as text: every part that is there, and why one is not."""

from __future__ import annotations

from detector.benchmark.baseline import BaselineReport
from detector.benchmark.compare import CompareReport, RuntimeCost
from detector.benchmark.pages import PagesReport, PageTimes
from detector.benchmark.processes import AtOnce, LongClip, LongReport
from detector.benchmark.report import Benchmark, Conditions, describe
from detector.benchmark.speed import Bounds, SpeedReport, Stage
from detector.benchmark.usage import Cost

CONDITIONS = Conditions("clip.mp4", 2, 1.5, {"processor": "a processor"})
BOUNDS = Bounds(decode_s=1.0, faces_s=2.0, networks_s=4.0, models_s=3.0, cores_s=4.5)
STAGES = (Stage("decode", 1.25, 0.5, Cost(1.0, 1.1)), Stage("forensics", 0.75, None))
SPEED = SpeedReport(
    "cpu", ("onnxruntime 1", "torch 2"), ("one",), 20.0, 100, 101, 6.0, 9.0, 2.0, 16.7, 3.33, STAGES, 900.0, 1000.0,
    None, BOUNDS, 1.5,
)  # fmt: skip


def test_the_largest_bound_is_of_what_was_measured_alone() -> None:
    assert BOUNDS.largest == ("networks", 4.0)
    text = describe(Benchmark(CONDITIONS, speed=SPEED))
    assert "largest lower bound  networks, 4.00 s; the analysis took 1.50 times that" in text
    assert "cpu, onnxruntime 1 and torch 2" in text
    rows = [line.split() for line in text.splitlines()]
    assert ["decode", "1.25", "0.50", "1.00", "1.10"] in rows
    assert ["forensics", "0.75"] in rows


def test_without_bounds_nothing_is_said_of_them() -> None:
    plain = SpeedReport("cpu", (), ("one",), 20.0, 100, 101, 6.0, 9.0, 2.0, 16.7, 3.33, STAGES, 900.0, 1000.0, 55.0)
    text = describe(Benchmark(CONDITIONS, speed=plain))
    assert "lower bound" not in text
    assert "55 MiB allocated" in text


def test_every_part_that_was_measured_is_told_and_why_another_was_not() -> None:
    runtime = RuntimeCost(
        "onnxruntime", "1", Cost(5.0, 8.0), 3.0, "inconclusive", 3e-5, {}, 0, False, {"m": "by torch"}
    )
    clip = LongClip(60.0, 300, 299, 20.0, 20.0, 30.0, 0.066, 1000.0)
    text = describe(
        Benchmark(
            CONDITIONS,
            compare=CompareReport(3, (runtime,), {"openvino": "not installed"}),
            baseline=BaselineReport("BlazeFace", "b4", 3, 31, 101, Cost(4.0, 6.0), 1.0, 1.0, 2.0, Cost(6.0, 9.0), 1.5),
            concurrency=(AtOnce(2, 10.0, 4.0, (9.0, 9.5), 2000.0),),
            long=LongReport((clip, clip), 0.12),
            pages=PagesReport(18_000, 3.0, 3, (PageTimes("examine", 0.01, 0.9, 2.0),)),
            not_measured={"pages": "No Chromium."},
        )
    )
    for told in (
        "3.0e-05",
        "openvino: left out, not installed",
        "by torch",
        "ratio            1.50",
        "growth of memory: +12.0%, more than allowed",
        "Examine with 18,000 scored frames",
        "pages: not measured. No Chromium.",
    ):
        assert told in text
    assert ["2", "10.00", "9.50", "4.00", "2000"] in [line.split() for line in text.splitlines()]
