"""The store as a whole: a new case, a case from elsewhere, a copy of everything, and a check of everything."""

from __future__ import annotations

import tempfile
from pathlib import Path

import streamlit as st

from detector.errors import EvidenceError, StoreError
from pages.parts.shared import address, intake, markup, services
from pages.parts.shared.address import Place

_CHUNK_BYTES = 1 << 20


def show(who: str) -> None:
    """The part beside the list while no case is chosen."""
    left, right = st.columns(2, gap="large")
    with left:
        markup.heading("New case")
        _new_case(who)
    with right:
        markup.heading("Take in a case", "from another store's bundle")
        _import(who)
        markup.heading("Back up everything")
        _back_up(who)
        markup.heading("Verify everything")
        _verify_all()


def _new_case(who: str) -> None:
    with st.form("new_case", border=True):
        title = st.text_input("Title", key="new_title", max_chars=200, placeholder="What the case is about")
        reference = st.text_input("Reference number", key="new_reference", max_chars=80, placeholder="given if empty")
        examiner = st.text_input("Examiner in charge", who, key="new_examiner", max_chars=120)
        tags = st.multiselect("Tags", [], accept_new_options=True, key="new_tags", placeholder="type one, then Enter")
        blind = st.toggle(
            "Blind first",
            key="new_blind",
            help="Scores, heatmaps and the conclusion of an exhibit are held back from each person until "
            "they have recorded an opinion on it.",
        )
        sent = st.form_submit_button("Create the case", icon=":material/create_new_folder:", key="new_send")
    if not sent:
        return
    store = services.current().store
    try:
        case = store.create_case(title, reference=reference, examiner=examiner, author=who)
        store.metadata.set_tags(case.case_id, tags, author=who)
        store.metadata.set_blind_first(case.case_id, blind, author=who)
    except StoreError as error:
        markup.problem("The case was not created", str(error))
        return
    address.go(Place(case=case.case_id))
    st.rerun()


def _import(who: str) -> None:
    bundle = st.file_uploader("A case bundle (.zip)", key="import_file", type="zip")
    if not st.button("Take it in", icon=":material/unarchive:", key="import_do", disabled=bundle is None):
        return
    assert bundle is not None
    try:
        with st.spinner("Checking and taking in…"), tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "bundle.zip"
            with path.open("wb") as file:
                while chunk := bundle.read(_CHUNK_BYTES):
                    file.write(chunk)
            case = services.current().store.import_case(path, author=who)
    except (StoreError, OSError) as error:
        markup.problem("The case was not taken in", str(error))
        return
    address.go(Place(case=case.case_id))
    st.rerun()


def _back_up(who: str) -> None:
    if intake.path_root() is None:
        markup.note(
            "Not offered from another machine. On the server: python -m detector cases export --all --out FOLDER"
        )
        return
    text = st.text_input(
        "An empty folder on this machine",
        key="backup_folder",
        placeholder="/media/backup/2026-01-31",
        help="Gets the database as Parquet, every original and every result, with a manifest of hashes. "
        "python -m detector cases import FOLDER makes a store of it.",
    )
    if not st.button("Back up", icon=":material/backup:", key="backup_do", disabled=not text.strip()):
        return
    root = intake.path_root()
    try:
        folder = intake.named_path(text)
    except EvidenceError as error:
        markup.problem("Nothing was copied", str(error))
        return
    if root is None or not folder.is_absolute() or not folder.resolve().is_relative_to(root):
        markup.problem("Nothing was copied", f"Expected a whole path beneath {root}.")
        return
    try:
        with st.spinner("Copying and hashing…"):
            services.current().store.back_up(folder, author=who)
    except StoreError as error:
        markup.problem("The backup failed", str(error))
        return
    markup.outcome("backup", "var(--fw-blue)", "Backed up", f"Everything is in {folder}.")


def _verify_all() -> None:
    markup.note("Every case, every file, and that no case was taken away. A large store takes its time.")
    if not st.button("Verify the whole store", icon=":material/verified_user:", key="verify_all"):
        return
    bar = st.progress(0.0, text="Recomputing…")

    def progress(part: float, case_id: str) -> None:
        bar.progress(part, text=f"Recomputing case {markup.plain(case_id)}…")

    try:
        outcome = services.current().store.check_all(progress=progress)
    except StoreError as error:
        markup.problem("The store was not verified", str(error))
        return
    finally:
        bar.empty()
    for sha256 in outcome.missing:
        markup.note(f"Missing from the evidence folder: {sha256}")
    if outcome.strays:
        markup.note(
            f"{len(outcome.strays):,} file(s) of the store are named by nothing, as after a crash: "
            "python -m detector cases strays lists and clears them."
        )
    if outcome.ok:
        files = sum(case.files_checked for case in outcome.cases)
        markup.outcome(
            "verified_user",
            "var(--fw-blue)",
            "Verified: everything agrees",
            f"{len(outcome.cases):,} cases with {files:,} files, and the store's own log.",
        )
        return
    if outcome.problem:
        markup.problem("The store does not verify", outcome.problem)
    for case in outcome.cases:
        if not case.ok:
            markup.problem(f"The case {case.case_id} does not verify", case.problem or "")
