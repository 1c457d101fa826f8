"""Analyse a stored exhibit again, with other models or settings: nothing is uploaded, what was found before stays."""

from __future__ import annotations

import streamlit as st

from detector.cases import Exhibit, JobRequest
from detector.errors import FramewitnessError
from pages.parts.analyse import followed, settings_form
from pages.parts.models import model_choice
from pages.parts.shared import markup, navigation, services


def offer(exhibit: Exhibit, who: str) -> None:
    """A popover with models and settings, worked out only while it is open, whose button queues the analysis in the
    name of `who` and leads to the queue. Not offered for exhibits of archived cases, to which nothing is added."""
    if services.current().store.case(exhibit.case_id).status == "archived":
        return
    key = f"again_{exhibit.exhibit_id}"
    popover = st.popover(
        "Analyse again with …",
        icon=":material/replay:",
        key=key,
        on_change="rerun",
        help="Other models or settings on the file as it is stored. The analyses there are stay.",
    )
    if not popover.open:
        return
    with popover:
        model_ids = model_choice.choose(key)
        settings = settings_form.choose(key)
        if st.button(
            "Add to the queue",
            type="primary",
            icon=":material/play_arrow:",
            key=f"{key}_start",
            disabled=not (who and model_ids),
        ):
            try:
                request = JobRequest(exhibit.exhibit_id, model_ids, settings)
                followed.remember([services.current().jobs.submit(request, author=who)])
            except FramewitnessError as error:
                markup.problem("The analysis was not queued", str(error))
                return
            navigation.go("analyse", followed.params())
        markup.note("Equal file, models and settings give the analysis that is kept already.")
