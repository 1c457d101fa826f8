"""The exhibits whose scores must not be shown yet: those of blind-first cases on which nobody gave an opinion."""

from __future__ import annotations

from detector.cases import Case
from pages.parts.shared import services

WORDS = "Scores held back until an opinion is recorded"


def withheld(case: Case) -> frozenset[str]:
    """The ids of such exhibits of the case. Raises StoreError for a case that the store does not hold."""
    if not case.blind_first:
        return frozenset()
    store = services.current().store
    spoken = {opinion.exhibit_id for opinion in store.statements.opinions(case.case_id)}
    return frozenset(exhibit.exhibit_id for exhibit in store.exhibits(case.case_id)) - spoken
