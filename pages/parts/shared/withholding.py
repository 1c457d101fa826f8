"""The exhibits whose scores must not be shown yet to whoever works here: those of blind-first cases on which they gave
no opinion of their own."""

from __future__ import annotations

from detector.cases import Case
from pages.parts.shared import actor, services

WORDS = "Scores held back until you record your opinion"


def withheld(case: Case) -> frozenset[str]:
    """The ids of such exhibits of the case. Raises StoreError for a case that the store does not hold."""
    return (
        services.current().store.statements.withheld_in(case.case_id, actor.name()) if case.blind_first else frozenset()
    )


def withheld_in_log(case: Case) -> frozenset[str]:
    """Those and the ones that were filed in another case and wait there: of all of them the log tells."""
    return services.current().store.statements.withheld_in_log(case.case_id, actor.name())


def is_withheld(exhibit_id: str) -> bool:
    """Whether this exhibit is one of them. Raises StoreError for one that the store does not hold."""
    return services.current().store.statements.scores_withheld(exhibit_id, actor.name())
