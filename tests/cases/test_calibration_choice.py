"""Which calibration set is in force: who chose it is on record, and the log decides."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from detector.calibration import fitting
from detector.calibration.calibration import Policy
from detector.calibration.in_force import put_in_force
from detector.calibration.sets import CalibrationSet
from detector.cases import CaseStore, calibration_choice, restore
from detector.cases.calibration_choice import fit_models
from detector.errors import CalibrationError
from detector.registry import SHIPPED_SET, find_calibration

FITTED, OTHER = "frame-lite0", "blend-lite0"


@pytest.fixture(autouse=True)
def shipped_models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FRAMEWITNESS_WEIGHTS", raising=False)
    monkeypatch.setenv("FRAMEWITNESS_HOME", str(tmp_path / "home"))


@pytest.fixture(scope="module")
def ours() -> CalibrationSet:
    """A set of two shipped models, one of which had other weights when it was scored."""
    of = CalibrationSet.read(SHIPPED_SET)
    table = of.table[of.table["model"].isin([FITTED, OTHER])].reset_index(drop=True)
    return CalibrationSet("ours", "for a test", {FITTED: of.made_by[FITTED], OTHER: "0" * 16}, table)


@pytest.fixture(scope="module")
def fitted(ours: CalibrationSet) -> Callable[..., object]:
    """In place of `fit_models`: what it gives of the set, fitted once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("FRAMEWITNESS_WEIGHTS", raising=False)
        patch.setattr(fitting, "METHODS", ("temperature",))  # to try them all takes seconds
        found = fit_models(ours, Policy(false_alarms=0.02, misses=0.2))
    return lambda *_, **__: found


@pytest.fixture
def quick(fitted: Callable[..., object], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("detector.cases.calibration_choice.fit_models", fitted)


def name_in_force() -> str:
    found = find_calibration(FITTED)
    assert found is not None
    return found.set_name


def actions(store: CaseStore) -> list[str]:
    return [event.action for event in store.events()]


@pytest.mark.usefixtures("quick")
def test_a_set_is_in_force_at_once_with_its_policy_and_the_log_says_who_chose_it(
    store: CaseStore, ours: CalibrationSet, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert name_in_force() == "public-2026"
    policy = Policy(false_alarms=0.02, misses=0.2)
    choice = store.calibration.use(ours, policy, author="Ada")
    found = find_calibration(FITTED)
    assert found is not None
    assert (found.set_name, found.set_sha256, found.policy) == ("ours", ours.sha256, policy)
    assert store.calibration.in_force() == choice
    (left,) = choice.left_out
    assert left.name == OTHER
    assert "other weights" in left.reason
    assert (store.home / "calibration" / f"{ours.sha256}.parquet").read_bytes() == ours.to_bytes()
    event = store.events()[-1]
    assert (event.action, event.actor) == ("calibration_chosen", "Ada")
    assert event.details["set"] == {"before": "shipped", "after": "ours"}
    assert event.details["set_sha256"] == {"before": None, "after": ours.sha256}
    assert event.details["false_alarms"] == {"before": None, "after": 0.02}
    assert event.details["misses"] == {"before": None, "after": 0.2}
    assert event.details["models"] == {"before": [], "after": [FITTED]}
    assert store.verify_all().ok
    # The folder that the environment names still goes first.
    named = found.model_copy(update={"set_name": "named"})
    (tmp_path / f"{FITTED}.calibration.json").write_text(named.model_dump_json(), encoding="utf-8")
    monkeypatch.setenv("FRAMEWITNESS_CALIBRATIONS", str(tmp_path))
    assert name_in_force() == "named"


@pytest.mark.usefixtures("quick")
def test_what_was_shipped_can_be_put_in_force_again(store: CaseStore, ours: CalibrationSet) -> None:
    store.calibration.use(ours, Policy(), author="Ada")
    choice = store.calibration.use_shipped()
    assert name_in_force() == "public-2026"
    event = store.events()[-1]
    assert event.actor == "tester"
    assert event.details["set"] == {"before": "ours", "after": "shipped"}
    assert event.details["choice_sha256"]["after"] == choice.sha256
    assert [one.details["set"]["after"] for one in store.calibration.changes()] == ["ours", "shipped"]
    assert store.verify_all().ok


def test_a_set_of_which_no_model_can_be_fitted_changes_nothing(store: CaseStore, ours: CalibrationSet) -> None:
    foreign = CalibrationSet("foreign", "", {OTHER: "0" * 16, "not-here": "1" * 16}, ours.table)
    before = actions(store)
    with pytest.raises(CalibrationError, match=r"No model can be calibrated on foreign.*other weights.*not-here"):
        store.calibration.use(foreign, Policy())
    assert (name_in_force(), actions(store)) == ("public-2026", before)


def killed(*_: object, **__: object) -> None:
    raise KeyboardInterrupt


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("step", ["append_event", "put_in_force"])
def test_a_choice_that_is_interrupted_leaves_the_old_one_or_is_finished_as_the_log_says(
    store: CaseStore, ours: CalibrationSet, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    alive = getattr(calibration_choice, step)
    monkeypatch.setattr(calibration_choice, step, killed)
    with pytest.raises(KeyboardInterrupt):
        store.calibration.use(ours, Policy())
    monkeypatch.setattr(calibration_choice, step, alive)
    assert name_in_force() == "public-2026"
    logged = step == "put_in_force"
    assert store.verify_all().ok != logged
    store.close()
    with CaseStore.open(store.home, actor="tester") as again:
        assert name_in_force() == ("ours" if logged else "public-2026")
        assert any("was put back" in warning for warning in again.warnings) == logged
        assert ("calibration_put_back" in actions(again)) == logged
        assert again.verify_all().ok


@pytest.mark.usefixtures("quick")
def test_what_was_changed_behind_the_program_s_back_is_found(store: CaseStore, ours: CalibrationSet) -> None:
    choice = store.calibration.use(ours, Policy())
    put_in_force(None, store.layout.calibration)
    assert "by the log it is" in (store.verify_all().problem or "")
    put_in_force(choice.sha256, store.layout.calibration)
    assert store.verify_all().ok
    kept = store.layout.calibration / f"{ours.sha256}.parquet"
    kept.write_bytes(kept.read_bytes() + b" ")
    assert "calibration set in force was changed" in (store.verify_all().problem or "")
    kept.unlink()
    assert "calibration set in force" in (store.verify_all().problem or "")
    (path,) = store.layout.calibration.glob("*.choice.json")
    path.write_text(path.read_text(encoding="utf-8").replace('"ours"', '"others"'), encoding="utf-8")
    assert "changed since they were chosen" in (store.verify_all().problem or "")
    with pytest.raises(CalibrationError, match="changed since they were chosen"):
        find_calibration(FITTED)
    store.calibration.use_shipped()
    assert store.verify_all().ok


@pytest.mark.usefixtures("quick")
def test_a_copy_of_the_store_has_the_choice_and_the_set(
    store: CaseStore, ours: CalibrationSet, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.calibration.use(ours, Policy())
    store.back_up(tmp_path / "copy")
    restore(tmp_path / "copy", tmp_path / "there")
    monkeypatch.setenv("FRAMEWITNESS_HOME", str(tmp_path / "there"))
    assert name_in_force() == "ours"
    with CaseStore.open(tmp_path / "there") as there:
        assert there.verify_all().ok
        assert (there.layout.calibration / f"{ours.sha256}.parquet").is_file()


def test_what_a_killed_process_left_of_a_choice_is_a_stray(store: CaseStore) -> None:
    (store.layout.calibration / ".writing-abc").write_bytes(b"half")
    assert [one.path.name for one in store.intake.strays()] == [".writing-abc"]
