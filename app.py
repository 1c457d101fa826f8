"""Framewitness in a browser: `streamlit run app.py`.

The server, not a page, owns the case store and the analysis worker: both are opened once when it starts and closed
when it stops, however many browser sessions come and go.
"""

from __future__ import annotations

import atexit
import gc
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import anyio.to_thread
import streamlit as st
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from detector.cases import default_home
from detector.errors import EvidenceError, FramewitnessError
from detector.evidence.sandbox import warm_up
from pages import router  # noqa: F401  seconds of imports, which the first visitor would otherwise wait for
from pages.parts.player import routes as player_routes
from pages.parts.shared import services
from pages.parts.shared.guard import Guard


@asynccontextmanager
async def lifespan(_app: st.App) -> AsyncIterator[None]:
    """Open the store and the worker with the app, and close them with it. A store that cannot be opened ends the server
    with the reason."""
    try:
        await anyio.to_thread.run_sync(services.open_services, default_home())
    except FramewitnessError as error:
        print(f"error: {error.code}: {error}", file=sys.stderr, flush=True)
        os._exit(error.exit_status)  # an exception would put the server's traceback above the reason
    with suppress(EvidenceError):  # /readyz says so
        await anyio.to_thread.run_sync(warm_up)
    # Each redraw of a page ends with a whole garbage collection: 0.3 s, as long as that goes through the libraries too.
    gc.freeze()
    atexit.register(gc.unfreeze)
    try:
        yield
    finally:
        await anyio.to_thread.run_sync(services.close_services)


async def health(_request: Request) -> JSONResponse:
    """200 while the case store is open and the job service runs, else 503."""
    ready = services.are_open()
    return JSONResponse({"status": "ok" if ready else "starting"}, status_code=200 if ready else 503)


async def readiness(_request: Request) -> JSONResponse:
    """200 while files can be read as well, with the limits that the system lets their readers have, else 503."""
    if not services.are_open():
        return JSONResponse({"status": "starting"}, status_code=503)
    try:
        limits = await anyio.to_thread.run_sync(warm_up)
    except EvidenceError:
        return JSONResponse({"status": "no file can be read"}, status_code=503)
    return JSONResponse({"status": "ok", "resources_limited": limits.resources, "network_refused": limits.no_network})


app = st.App(
    "pages/router.py",
    lifespan=lifespan,
    middleware=[Middleware(Guard)],
    routes=[Route("/healthz", health), Route("/readyz", readiness), *player_routes.ROUTES],
)
