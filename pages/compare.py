"""Compare: models side by side, on one exhibit frame by frame, and on a data set whose truth is known."""

from __future__ import annotations

from detector.errors import StoreError
from pages.parts.compare import exhibit_choice, side_by_side
from pages.parts.shared import actor, markup


def render() -> None:
    """Show the page: the chosen models on the chosen exhibit."""
    who = actor.required()
    if not who:
        return
    try:
        exhibit = exhibit_choice.choose(who)
        if exhibit is not None:
            side_by_side.show(exhibit, who)
    except StoreError as error:
        markup.problem("This exhibit cannot be compared", str(error))
