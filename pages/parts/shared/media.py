"""The stored evidence as a seekable stream for the browser's own player.

Streamlit identifies large media by samples of their bytes, so two files can be taken for one; this route is keyed on
the whole file's SHA-256. The address carries a random token that one session of one browser was given: it lapses with
the session, in any other browser, and half an hour after it was last shown or played.
"""

from __future__ import annotations

import hmac
import re
import secrets
import threading
import time
from dataclasses import dataclass
from pathlib import Path

import streamlit as st
from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response
from streamlit import runtime
from streamlit.runtime.scriptrunner import get_script_run_ctx

from pages.parts.shared import actor, services

LIFETIME_S = 1800.0
# A secret of each browser, which the server gives out with a page (`guard`) and no script can read.
BROWSER_COOKIE = "framewitness_browser"
# Evidence is hostile input: the browser must not guess another type, run anything in it, or keep a copy.
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Content-Security-Policy": "sandbox; default-src 'none'; media-src 'self'",
    "Cache-Control": "no-store",
}
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(slots=True)
class _Grant:
    """What a token opens, and for whom: `reader` works there. `until_s` on the monotonic clock."""

    sha256: str
    session_id: str
    browser: str
    until_s: float
    reader: str


_lock = threading.Lock()
_grants: dict[str, _Grant] = {}


def address(sha256: str) -> str:
    """The path under which this server streams the file to the session at hand. Drawn again, it stays the same.

    Raises RuntimeError outside of a session.
    """
    context = get_script_run_ctx()
    if context is None:
        raise RuntimeError("Evidence is streamed to a session: ask for its address from a page.")
    session_id, browser, now_s = context.session_id, _browser(), time.monotonic()
    with _lock:
        for token in [token for token, grant in _grants.items() if grant.until_s < now_s]:
            del _grants[token]
        wanted = (sha256, session_id, browser)
        token = next(
            (token for token, one in _grants.items() if (one.sha256, one.session_id, one.browser) == wanted),
            secrets.token_urlsafe(24),
        )
        _grants[token] = _Grant(*wanted, now_s + LIFETIME_S, actor.name())
    return f"/evidence/{token}/{sha256}"


def _opens(token: str, sha256: str, browser: str) -> bool:
    """Whether the token opens this file to this browser now; if so, it lasts anew from now."""
    with _lock:
        now_s, grant = time.monotonic(), _grants.get(token)
        if grant is None or grant.until_s < now_s or grant.sha256 != sha256:
            return False
        if not hmac.compare_digest(grant.browser.encode(), browser.encode()) or not _is_live(grant.session_id):
            return False
        grant.until_s = now_s + LIFETIME_S
        return True


def _browser() -> str:
    return str(st.context.cookies.get(BROWSER_COOKIE, ""))


def _is_live(session_id: str) -> bool:
    return runtime.exists() and runtime.get_instance().is_active_session(session_id)


def media_type(path: Path) -> str | None:
    """The type under which a browser can play the file, from its first bytes; None where no browser plays it."""
    with path.open("rb") as file:
        head = file.read(12)
    if head[4:8] == b"ftyp":
        return "video/mp4"
    if head[:4] == b"\x1a\x45\xdf\xa3":
        return "video/webm"
    return None


def opens(request: Request) -> bool:
    """Whether a request under an address of `address` or below it may see the file that it names. True lengthens the
    life of the address."""
    sha256, token = request.path_params["sha256"], request.path_params["token"]
    known = bool(_SHA256.fullmatch(sha256)) and _opens(token, sha256, request.cookies.get(BROWSER_COOKIE, ""))
    return known and services.are_open()


def reader(request: Request) -> str:
    """The name under which the page works that gave out a request's token; empty where it does not open anything."""
    with _lock:
        grant = _grants.get(request.path_params["token"])
        return "" if grant is None else grant.reader


def refusal() -> Response:
    """404, whatever it was that did not open."""
    return PlainTextResponse("Not found", status_code=404)


async def serve(request: Request) -> Response:
    """200 or 206 with the bytes asked for; 404 for everything that is not a stored file with this browser's token."""
    if not opens(request):
        return refusal()
    sha256 = request.path_params["sha256"]
    path = services.current().store.evidence_dir / sha256[:2] / sha256
    kind = media_type(path) if path.is_file() else None
    if kind is None:
        return refusal()
    return FileResponse(path, media_type=kind, headers=HEADERS)
