"""What the web server tells every browser, and whom it answers: response headers, host names and WebSocket origins.

Headers follow the OWASP HTTP Headers Cheat Sheet and Content Security Policy Level 3. Streamlit draws with styles in
the page, so these are allowed; of scripts, only its own files, its one inline script and those of `scripts.ALL`, each
by its hash.
"""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import streamlit as st
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import HTTPConnection
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pages.parts.shared import scripts
from pages.parts.shared.intake import LOOPBACK
from pages.parts.shared.media import BROWSER_COOKIE

_INLINE = re.compile(r"<script>(.*?)</script>", re.DOTALL)
_UNUSED = ("accelerometer", "camera", "display-capture", "geolocation", "gyroscope", "magnetometer", "microphone")


def content_security_policy() -> str:
    """The policy of every page; addresses are this server's own, in requests, frames and workers too."""
    index = (Path(st.__file__).parent / "static" / "index.html").read_text(encoding="utf-8")
    hashes = " ".join(_source_hash(script) for script in [*_INLINE.findall(index), *scripts.ALL])
    return "; ".join(
        [
            "default-src 'none'",
            f"script-src 'self' {hashes}",
            "style-src 'self' 'unsafe-inline'",
            "img-src 'self' data: blob:",
            "font-src 'self' data:",
            "media-src 'self'",
            "connect-src 'self'",
            "worker-src 'self' blob:",
            "manifest-src 'self'",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        ]
    )


def headers() -> dict[str, str]:
    """Headers of every response that does not bring its own."""
    return {
        "Content-Security-Policy": content_security_policy(),
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
        "Referrer-Policy": "same-origin",
        "Permissions-Policy": ", ".join(f"{name}=()" for name in (*_UNUSED, "payment", "usb")),
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
    }


class Guard:
    """ASGI middleware around the whole application.

    A request under a host name that is not this server's gets 421: a foreign name that was made to resolve to this
    machine (DNS rebinding) would count as same-origin otherwise. A WebSocket from any other page than this server's
    own is refused before it opens. Pages served under more names need `browser.serverAddress` or
    `server.corsAllowedOrigins` in Streamlit's configuration.

    Streamlit's pictures and downloads, whose addresses follow from their content, are 404 for a browser that has no
    page of this server open.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self._headers = headers()
        self._open_pages: Counter[str] = Counter()  # by the secret of the browser

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on what may come in; add the headers to what goes out."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        asked = Headers(scope=scope)
        host = asked.get("host", "")
        browser = HTTPConnection(scope).cookies.get(BROWSER_COOKIE, "")
        if scope["type"] == "websocket":
            if is_served_host(host) and is_served_origin(asked.get("origin"), host):
                with self._page_of(browser):
                    await self.app(scope, receive, send)
            else:
                await send({"type": "websocket.close", "code": 1008})
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                answer = MutableHeaders(scope=message)
                for name, value in self._headers.items():
                    answer.setdefault(name, value)
                if is_page(asked, answer) and not browser:
                    secret = secrets.token_urlsafe(24)
                    answer.append("Set-Cookie", f"{BROWSER_COOKIE}={secret}; Path=/; HttpOnly; SameSite=Strict")
            await send(message)

        answering = self.app
        if not is_served_host(host):
            answering = PlainTextResponse(
                "This server does not go by that name. Set browser.serverAddress to the name it is reached under.",
                status_code=421,
            )
        elif is_media(scope["path"]) and not (browser and self._open_pages[browser]):
            answering = PlainTextResponse("Not found", status_code=404)
        await answering(scope, receive, send_with_headers)

    @contextmanager
    def _page_of(self, browser: str) -> Iterator[None]:
        """A page of the browser is open inside, for as long as its WebSocket is."""
        self._open_pages[browser] += 1
        try:
            yield
        finally:
            self._open_pages[browser] -= 1
            self._open_pages += Counter()  # keeps none of those that are at zero


def is_page(asked: Headers, answer: Headers) -> bool:
    """Whether a response is a page that a browser opens, and not one of the many files that belong to it."""
    return asked.get("sec-fetch-dest") == "document" or answer.get("content-type", "").startswith("text/html")


def is_media(path: str) -> bool:
    """Whether a path is one of those that Streamlit serves its pictures and downloads under."""
    base = str(st.get_option("server.baseUrlPath") or "").strip("/")
    return path.startswith(f"/{base}/media/" if base else "/media/")


def is_served_host(host: str) -> bool:
    """Whether a `Host` header names this server: a loopback name, the address it listens on, or a configured one.

    A server on every interface does not know its names: any goes until `browser.serverAddress` says which.
    """
    address, public = st.get_option("server.address") or "", st.get_option("browser.serverAddress")
    names = {*LOOPBACK, address, public, *(urlsplit(origin).hostname for origin in _other_origins())}
    known = address in LOOPBACK or public not in LOOPBACK
    name = _host_name(host)
    return name is not None and (not known or name in names)


def is_served_origin(origin: str | None, host: str) -> bool:
    """Whether an `Origin` header is that of a page from `host`, or one of `server.corsAllowedOrigins`, in full."""
    if origin is None:
        return False
    parts = urlsplit(origin)
    return (parts.scheme in ("http", "https") and parts.netloc == host) or origin in _other_origins()


def _other_origins() -> list[str]:
    return [str(origin).strip() for origin in st.get_option("server.corsAllowedOrigins") or []]


def _host_name(host: str) -> str | None:
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:
        return None


def _source_hash(script: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"
