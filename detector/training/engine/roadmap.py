"""The next steps that a run's own figures suggest. Each names the figures it rests on; none is made without."""

from __future__ import annotations

from typing import Any, Final

from detector.training.data.leakage import NOT_CHECKED

# Differences below these are within what two seeds of one config differ by on sets of a thousand samples or so.
_GAP_AUC: Final = 0.08
_WEAK_GROUP: Final = 0.1
_LOW_AUC: Final = 0.6


def next_steps(report: dict[str, Any]) -> list[dict[str, str]]:
    """Findings in order of urgency, as {"finding", "measured", "suggestion"}; `report` as in `run_report`."""
    return [
        *_leakage(report),
        *_groups(report),
        *_fit(report),
        *_balance(report),
    ] or [
        {
            "finding": "nothing stands out",
            "measured": f"validation AUC {_number(report['at_best']['auc'])} in epoch {report['best_epoch']}",
            "suggestion": "Repeat with two other seeds first: their spread says what a gain must exceed.",
        }
    ]


def _leakage(report: dict[str, Any]) -> list[dict[str, str]]:
    leakage = report["leakage"]
    if leakage is None or NOT_CHECKED in leakage["warnings"]:
        why = "no leakage.json" if leakage is None else NOT_CHECKED
        return [_step("leakage not checked", why, "Run `python -m detector leakage` on what it trained on.")]
    return [
        _step(
            "a plain property predicts the label",
            warning,
            "Match it between genuine and manipulated samples, or destroy it in both alike, and train again: until "
            "then the scores may measure this property.",
        )
        for warning in leakage["warnings"]
    ]


def _groups(report: dict[str, Any]) -> list[dict[str, str]]:
    found = []
    overall = report["at_best"]["auc"]
    for row in report["groups"]:
        size = f"{row['genuine']} genuine, {row['manipulated']} manipulated"
        if row["auc"] is None:
            continue
        if row["inverted"]:
            found.append(
                _step(
                    "an inverted group",
                    f"{row['name']}: AUC {row['auc']:.3f} ({size})",
                    "Something else than manipulation is read there. Compare its genuine samples with the others in "
                    "sharpness, codec and resolution, and add samples of both labels that share what differs.",
                )
            )
    weak = [row for row in report["groups"] if row["auc"] is not None and not row["inverted"]]
    if overall is not None and weak and weak[0]["auc"] < overall - _WEAK_GROUP:
        row = weak[0]
        found.append(
            _step(
                "a weak group",
                f"{row['name']}: AUC {row['auc']:.3f} against {overall:.3f} overall",
                "Add fakes of that kind, or genuine samples of that source, or draw them more often.",
            )
        )
    return found


def _fit(report: dict[str, Any]) -> list[dict[str, str]]:
    auc, gap, rise = report["at_best"]["auc"], report["gap"]["auc"], report["rise"]
    found = []
    if rise["still_rising"]:
        found.append(
            _step(
                "still rising",
                f"validation AUC grows by {rise['auc_per_epoch']:.4f} an epoch at the end; {report['stopped_because']}",
                "Train longer with the same settings before trying others.",
            )
        )
    if gap is not None and gap > _GAP_AUC:
        found.append(
            _step(
                "overfitting",
                f"training AUC {_number(report['at_best']['train_auc'])}, validation AUC {_number(auc)}",
                "More people and sources first; then stronger augmentation, mixup, weight decay or dropout.",
            )
        )
    elif auc is not None and auc < _LOW_AUC and not rise["still_rising"]:
        found.append(
            _step(
                "hardly learning",
                f"validation AUC {auc:.3f}, training AUC {_number(report['at_best']['train_auc'])}",
                "Start with coarser fakes or from pretrained weights, give more weight to the blend map, or raise the "
                "resolution.",
            )
        )
    return found


def _balance(report: dict[str, Any]) -> list[dict[str, str]]:
    confusion = report["confusion"]
    real = confusion["true_genuine"] + confusion["false_manipulated"]
    manipulated = confusion["true_manipulated"] + confusion["false_genuine"]
    if not real or not manipulated:
        return []
    specificity = confusion["true_genuine"] / real
    sensitivity = confusion["true_manipulated"] / manipulated
    if abs(specificity - sensitivity) <= 0.1:
        return []
    side = "manipulated" if sensitivity < specificity else "genuine"
    return [
        _step(
            "lopsided calls",
            f"{specificity:.0%} of genuine and {sensitivity:.0%} of manipulated samples called rightly at logit 0",
            f"More or harder {side} samples (hard-negative mining), or another positive_weight; thresholds set "
            "afterwards cannot mend what ranks wrongly.",
        )
    ]


def _step(finding: str, measured: str, suggestion: str) -> dict[str, str]:
    return {"finding": finding, "measured": measured, "suggestion": suggestion}


def _number(value: float | None) -> str:
    return "not measurable" if value is None else f"{value:.3f}"
