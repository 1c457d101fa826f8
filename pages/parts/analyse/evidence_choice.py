"""The evidence to take in: files or a whole folder from the browser, or a path on this machine."""

from __future__ import annotations

import streamlit as st

from pages.parts.shared import intake, markup
from pages.parts.shared.intake import Incoming, Named
from pages.parts.shared.wording import size_text

_ROUND = "analyse_round"
_FILES, _FOLDER, _PATH = "Files", "A folder", "Path on this machine"
_KINDS_HELP = (
    "Each file is stored unaltered under its SHA-256. Any name and any type may be given; what cannot be examined is "
    "refused with the reason."
)


def choose() -> Named:
    """The evidence named so far; a path that cannot be used is already refused."""
    round_ = st.session_state.get(_ROUND, 0)
    offered = [_FILES, _FOLDER] if intake.path_root() is None else [_FILES, _FOLDER, _PATH]
    source = st.segmented_control(
        "Source", offered, default=_FILES, required=True, key="analyse_source", label_visibility="collapsed"
    )
    if source == _PATH:
        return _name_path(round_)
    if source == _FOLDER:
        uploads = st.file_uploader(
            "A folder of videos or stills, with its subfolders",
            accept_multiple_files="directory",
            key=f"analyse_folder_{round_}",
            help=_KINDS_HELP,
        )
    else:
        uploads = st.file_uploader(
            "Videos or stills", accept_multiple_files=True, key=f"analyse_upload_{round_}", help=_KINDS_HELP
        )
    limit = f"At most {st.get_option('server.maxUploadSize') / 1024:.3g} GiB a file through the browser; larger ones "
    if intake.path_root() is None:
        markup.note(f"{limit}by path, where the server's owner sets FRAMEWITNESS_EVIDENCE_ROOT.")
    else:
        markup.note(f"{limit}by “{_PATH}”, which reads them from disk.")
    inside = sorted(uploads, key=lambda upload: upload.name) if source == _FOLDER else uploads
    return Named(tuple(Incoming(upload.name, upload, size_bytes=upload.size) for upload in inside))


def renew() -> None:
    """Let go of what was named and uploaded, so that a second start finds nothing to start."""
    st.session_state[_ROUND] = st.session_state.get(_ROUND, 0) + 1


def put_back(path: str) -> None:
    """Show a path that came to nothing again, to be corrected; before the widgets are drawn."""
    st.session_state[f"analyse_path_{st.session_state.get(_ROUND, 0)}"] = path


def _name_path(round_: int) -> Named:
    text = st.text_input(
        "Path of a file, or of a folder with its subfolders",
        key=f"analyse_path_{round_}",
        placeholder="/evidence/clip.mp4",
        help="For large files: read from disk straight into the store, without passing through the browser. Of a "
        f"folder at most {intake.MOST_FILES} files, in the order of their names.",
    )
    if not text.strip():
        return Named()
    named = intake.from_path(text)
    for refusal in named.refusals[:1]:
        markup.problem(f"Not found: {refusal.name}", refusal.reason)
    if len(named.files) > 1:
        total = size_text(sum(item.size_bytes for item in named.files))
        markup.note(f"{len(named.files)} files, {total}: {named.files[0].name} to {named.files[-1].name}")
    return named
