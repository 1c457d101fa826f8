"""The same analysis with its networks on different runtimes: times and numbers side by side."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from detector.analysis import Analysis, analysis_to_dict
from detector.analysis.comparison import compare
from detector.benchmark.baseline import middle
from detector.benchmark.speed import Timed, timed_analysis
from detector.benchmark.usage import Cost
from detector.errors import SettingsError
from detector.evidence.types import Evidence
from detector.runtime import version_of
from detector.settings import RUNTIMES, AnalysisSettings

if TYPE_CHECKING:
    from detector.registry import LoadedModel

KNOWN = tuple(name for name in RUNTIMES if name != "auto")


@dataclass(frozen=True, slots=True)
class RuntimeCost:
    """One runtime in its `version`: the median `cost` of an analysis, and the median busy seconds of its `networks_s`,
    those that read face crops.

    `largest_logit_difference` is that of any logit of the record from the first runtime's, `per_model` by model;
    `missing` the values that only one of the two records has. `label` is the conclusion's, and `changed` says that it
    is another than the first runtime's. `by_torch` are the models that torch computed in its place, each with the
    reason.
    """

    runtime: str
    version: str
    cost: Cost
    networks_s: float
    label: str
    largest_logit_difference: float
    per_model: dict[str, float]
    missing: int
    changed: bool
    by_torch: dict[str, str]


@dataclass(frozen=True, slots=True)
class CompareReport:
    """`runtimes` in the order given, which is that of each round; `left_out` says why for those that did not run."""

    rounds: int
    runtimes: tuple[RuntimeCost, ...]
    left_out: dict[str, str]


def check_runtimes(names: Sequence[str]) -> None:
    """Raises SettingsError for a runtime that this program does not know."""
    if unknown := [name for name in names if name not in KNOWN]:
        raise SettingsError(f"There is no runtime {', '.join(unknown)}; known: {', '.join(KNOWN)}.")


def compare_runtimes(
    evidence: Evidence,
    names: Sequence[str],
    load: Callable[[str], Sequence[LoadedModel]],
    settings: AnalysisSettings,
    *,
    rounds: int,
) -> CompareReport:
    """Analyse with each runtime in turn, `rounds` times after one unmeasured, in one process.

    `load` gives the models on the runtime named. One that is not installed is left out, with the reason. Raises
    SettingsError for a name that is unknown or where none is installed, and what loading and an analysis raise.
    """
    check_runtimes(names)
    left_out = {
        name: f"not installed; python -m pip install {name} adds it" for name in names if version_of(name) is None
    }
    models = {name: load(name) for name in names if name not in left_out}
    if not models:
        raise SettingsError(f"None of these runtimes is installed: {', '.join(names)}.")
    timed: dict[str, list[Timed]] = {name: [] for name in models}
    for number in range(1 + rounds):
        for name, chosen in models.items():
            one = timed_analysis(evidence, chosen, settings)
            if number:
                timed[name].append(one)
    first = next(iter(timed.values()))[0].analysis
    costs = tuple(_cost(name, models[name], runs, first) for name, runs in timed.items())
    return CompareReport(rounds, costs, left_out)


def _cost(name: str, models: Sequence[LoadedModel], runs: Sequence[Timed], first: Analysis) -> RuntimeCost:
    analysis = runs[0].analysis
    per_model, missing = logit_differences(first, analysis)
    busy_s = sorted(_networks_s(one.analysis.timings) for one in runs)
    return RuntimeCost(
        runtime=name,
        version=version_of(name) or "unknown",
        cost=middle([one.cost for one in runs]),
        networks_s=busy_s[len(busy_s) // 2],
        label=analysis.conclusion.label,
        largest_logit_difference=max(per_model.values(), default=0.0),
        per_model=per_model,
        missing=missing,
        changed=analysis.conclusion.label != first.conclusion.label,
        by_torch={model.card.model_id: model.runtime.reason for model in models if model.runtime.reason is not None},
    )


def _networks_s(timings: Mapping[str, float]) -> float:
    return sum(seconds for name, seconds in timings.items() if name.startswith("scores:"))


def logit_differences(one: Analysis, other: Analysis) -> tuple[dict[str, float], int]:
    """The largest difference of a logit by model, 0 where all are equal; and how many values only one of both has."""
    largest = {result.model_id: 0.0 for result in one.models}
    missing = 0
    for group in compare(analysis_to_dict(one), analysis_to_dict(other)).groups:
        missing += sum(difference.absent_from is not None for difference in group.differences)
        model_id = group.path.removeprefix("models[").split("]")[0]
        if model_id in largest and group.path.endswith(".logit") and group.largest is not None:
            largest[model_id] = max(largest[model_id], group.largest)
    return largest, missing
