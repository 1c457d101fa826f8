"""The stored evidence as a seekable stream for the browser's own player.

Streamlit identifies large media by samples of their bytes, so two files can be taken for one; this route is keyed on
the whole file's SHA-256. The address carries a keyed hash that only this server's pages can compute.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from pathlib import Path

from starlette.requests import Request
from starlette.responses import FileResponse, PlainTextResponse, Response

from pages.parts.shared import services

_KEY = secrets.token_bytes(32)
_SHA256 = re.compile(r"[0-9a-f]{64}")


def _token(sha256: str) -> str:
    return hmac.new(_KEY, sha256.encode(), hashlib.sha256).hexdigest()[:32]


def address(sha256: str) -> str:
    """The path under which this server streams the file; valid until the server restarts."""
    return f"/evidence/{_token(sha256)}/{sha256}"


def media_type(path: Path) -> str | None:
    """The type under which a browser can play the file, from its first bytes; None where no browser plays it."""
    with path.open("rb") as file:
        head = file.read(12)
    if head[4:8] == b"ftyp":
        return "video/mp4"
    if head[:4] == b"\x1a\x45\xdf\xa3":
        return "video/webm"
    return None


async def serve(request: Request) -> Response:
    """200 or 206 with the bytes asked for; 404 for everything that is not a stored file with its right token."""
    sha256, token = request.path_params["sha256"], request.path_params["token"]
    refusal = PlainTextResponse("Not found", status_code=404)
    if not _SHA256.fullmatch(sha256) or not hmac.compare_digest(token.encode(), _token(sha256).encode()):
        return refusal
    if not services.are_open():
        return refusal
    path = services.current().store.evidence_dir / sha256[:2] / sha256
    if not path.is_file():
        return refusal
    kind = media_type(path)
    if kind is None:
        return refusal
    # Evidence is hostile input: the browser must not guess another type, run anything in it, or keep a copy.
    headers = {
        "X-Content-Type-Options": "nosniff",
        "Content-Security-Policy": "sandbox; default-src 'none'; media-src 'self'",
        "Cache-Control": "no-store",
    }
    return FileResponse(path, media_type=kind, headers=headers)
