"""A time-stamping authority (RFC 3161) over HTTP on the loopback interface, whose tokens are real."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from asn1crypto.tsp import TimeStampReq

from tests.report.certificates import Chain


class Authority:
    """`asked` are the bodies it was sent. With `exchange` it signs another hash than it was sent; `instead` is sent in
    the place of an answer; while `answer` is cleared it lets who asked wait."""

    def __init__(self, chain: Chain) -> None:
        self.chain = chain
        self.asked: list[bytes] = []
        self.exchange = False
        self.instead: bytes | None = None
        self.answer = threading.Event()
        self.answer.set()
        authority = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                authority.asked.append(body)
                authority.answer.wait(30)
                request = TimeStampReq.load(body)
                if authority.exchange:
                    request["message_imprint"]["hashed_message"] = b"\1" * 32
                answer = authority.instead
                if answer is None:
                    answer = chain.stamper.request_tsa_response(request).dump()
                self.send_response(200)
                self.send_header("Content-Type", "application/timestamp-reply")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/tsa"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        self.answer.set()
        self.server.shutdown()
        self.server.server_close()
