"""The learning rate follows its schedule from where a run stands alone."""

from typing import Any

import pytest

from detector.training.engine.schedule import Schedule, rate_share


def _share(schedule: Schedule, **where: Any) -> float:
    return rate_share(schedule, **{"step": 100, "warmup_steps": 10, "epoch": 0.0, "done": 0.0, **where})


def test_it_warms_up_whatever_the_schedule() -> None:
    shares = [_share("plateau", step=step) for step in range(12)]
    assert shares[:10] == pytest.approx([(step + 1) / 10 for step in range(10)])
    assert shares[10:] == [1.0, 1.0]


def test_one_cosine_falls_to_a_hundredth_and_stays() -> None:
    shares = [_share("cosine", done=part / 10) for part in range(12)]
    assert shares[0] == pytest.approx(1)
    assert shares[5] == pytest.approx(0.505)
    assert shares[10] == shares[11] == pytest.approx(0.01)
    assert shares[:11] == sorted(shares[:11], reverse=True)


def test_restarts_come_after_ten_epochs_then_twenty_more() -> None:
    shares = {epoch: _share("cosine_restarts", epoch=epoch) for epoch in (0.0, 9.9, 10.0, 20.0, 29.9, 30.0, 50.0)}
    assert shares[0.0] == shares[10.0] == shares[30.0] == pytest.approx(1)
    assert shares[9.9] < 0.02
    assert shares[29.9] < 0.02
    assert shares[20.0] == shares[50.0] == pytest.approx(0.505)


def test_a_plateau_halves_the_rate_each_time_it_lasts() -> None:
    losses = [1.0, 0.9, 0.95, 0.92, 0.91, 0.93, 0.5]
    shares = [_share("plateau", validation_losses=losses[:count]) for count in range(len(losses) + 1)]
    assert shares == [1.0, 1.0, 1.0, 1.0, 0.5, 0.5, 0.25, 0.25]
