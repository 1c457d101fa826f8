"""Which family a manipulation is of: read from members that differ by family, on generators left out of each fit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from detector.analysis.family import errors_of
from detector.errors import SettingsError
from detector.registry import Thresholds
from detector.training.engine.config import config_sha256
from detector.training.ensemble.families import read_families
from detector.training.ensemble.generators import pool_facts
from detector.training.ensemble.recipe import EnsembleConfig, cross_validated, fit_fusion, fuse, load_ensemble_config
from detector.training.evaluation.cards import cross_validated_results
from detector.training.evaluation.families_read import families_read

MEMBERS = ({"model_id": "seams"}, {"model_id": "motion"})
PLAIN = EnsembleConfig("both", "Both", MEMBERS, method="noisy_or", strength=0.001, pool="extended")
CONFIG = replace(PLAIN, families=("swap", "whole"))
SPEAKS = {"swap": (4.0, 0.0), "lipsync": (4.0, 0.0), "whole": (0.0, 4.0), "": (0.0, 0.0)}


def clips(counts: dict[str, tuple[int, int]], *, spread: float = 0.7) -> pd.DataFrame:
    """Clips of each family ("" genuine), so many a generator or source: `seams` speaks on swaps and lip-sync, `motion`
    on whole pictures and is absent for lip-sync."""
    rng, rows = np.random.default_rng(0), []
    for family, (makers, each) in counts.items():
        for number in range(makers * each):
            maker = f"{family or 'camera'} {number % makers}"
            said = [level + spread * rng.normal() for level in SPEAKS[family]]
            rows.append((family, maker, said[0], np.nan if family == "lipsync" else said[1]))
    table = pd.DataFrame(rows, columns=["family", "generator", "logit:seams", "logit:motion"])
    return table.assign(
        kind="video", split="val", pool="extended", source=table["generator"], manipulation="",
        file=table.index.map(str), label=np.where(table["family"] == "", "real", "fake"),
        group=[f"g{number}" for number in table.index],
    )  # fmt: skip


POOL = {"": (6, 20), "swap": (6, 10), "whole": (6, 10), "lipsync": (6, 10)}


def test_families_are_read_of_generators_that_the_fit_never_saw() -> None:
    crossed = cross_validated(CONFIG, clips(POOL))
    table = families_read(crossed)
    assert table is not None
    assert table.columns == ("swap", "whole", "not_read")
    assert [name for name, _ in table.rows] == ["swap", "lipsync", "whole"]
    assert [sum(cells) for _, cells in table.rows] == [60, 60, 60]
    assert table.cell("swap", "swap") > 55  # type: ignore[operator]
    assert table.cell("whole", "whole") > 55  # type: ignore[operator]
    assert table.cell("lipsync", "swap") > 55  # type: ignore[operator] # not told apart, and read as what it looks like
    probabilities = np.exp(crossed[["family:swap", "family:whole"]].to_numpy())
    np.testing.assert_allclose(probabilities.sum(1), 1, atol=1e-5)


def test_run_and_card_have_the_errors() -> None:
    crossed = cross_validated(CONFIG, clips(POOL))
    facts = pool_facts(crossed, MEMBERS)["families_read"]
    assert set(facts) == {"swap", "lipsync", "whole"}
    results = cross_validated_results(crossed, Thresholds(1.0, -1.0, "set by hand"), MEMBERS)
    found = errors_of(results)
    assert found is not None
    assert found.data == ("cross_validated", "families_read")
    assert dict(zip(found.columns, dict(found.rows)["swap"], strict=True)) == facts["swap"]
    plain = cross_validated(PLAIN, clips(POOL))
    assert "families_read" not in pool_facts(plain, MEMBERS)
    assert errors_of(cross_validated_results(plain, Thresholds(1.0, -1.0, "set by hand"), MEMBERS)) is None


def test_a_family_of_one_generator_is_not_read_rather_than_read_wrongly() -> None:
    config = replace(CONFIG, families=("swap", "whole", "lipsync"))
    crossed = cross_validated(config, clips({**POOL, "whole": (1, 30)}))
    table = families_read(crossed)
    assert table is not None
    assert dict(table.rows)["whole"] == (0, 0, 0, 30)
    assert dict(table.rows)["swap"][3] == 0


def test_the_fused_logit_is_the_same_with_families_as_without() -> None:
    table = clips(POOL)
    apart, plain = (fuse(fit_fusion(config, table), config, table) for config in (CONFIG, PLAIN))
    np.testing.assert_array_equal(apart, plain)


def test_families_count_alike_however_many_their_clips() -> None:
    table = clips({"": (2, 20), "swap": (2, 60), "whole": (2, 6)})
    table[["logit:seams", "logit:motion"]] = np.random.default_rng(1).normal(size=(len(table), 2))
    read = np.exp(read_families(fit_fusion(replace(CONFIG, strength=1.0), table), CONFIG, table, fitted=table))
    np.testing.assert_allclose(read, 0.5, atol=0.1)


def test_the_penalty_keeps_readings_apart_from_certainty() -> None:
    table = clips(POOL, spread=0.01)
    mild, strong = (
        np.exp(read_families(fit_fusion(config, table), config, table, fitted=table)).max()
        for config in (CONFIG, replace(CONFIG, strength=1.0))
    )
    assert strong < 0.9 < mild


def test_an_ensemble_without_families_keeps_the_hash_of_its_config_and_its_architecture() -> None:
    assert config_sha256(replace(CONFIG, families=())) == config_sha256(PLAIN) != config_sha256(CONFIG)
    assert "families" not in PLAIN.architecture
    assert CONFIG.architecture["families"] == 2


@pytest.mark.parametrize(
    ("families", "pool", "problem"),
    [
        ("[swap]", "extended", "two or more"),
        ("[swap, swap]", "extended", "two or more"),
        ("[swap, mood]", "extended", "mood"),
        ("[swap, whole]", '""', "only with pool"),
    ],
)
def test_families_of_a_config_are_checked(tmp_path: Path, families: str, pool: str, problem: str) -> None:
    path = tmp_path / "ensemble.yaml"
    path.write_text(
        f"kind: ensemble\nmodel_id: x\ntitle: X\nmembers:\n  - {{model_id: a}}\npool: {pool}\nfamilies: {families}\n"
    )
    with pytest.raises(SettingsError, match=problem):
        load_ensemble_config(path)
