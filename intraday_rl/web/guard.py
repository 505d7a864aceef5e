"""What happens to a request before any route sees it, and to every answer.

| check | answer |
|---|---|
| more than `MOST_REQUESTS` at a time | 503 |
| addressed to a name that is not ours | 400 |
| no token, or another one | 401, after a pause that holds up this request alone |
| more than `LARGEST_BODY` | 413 |
| a body that does not come in time | 408 |
| a body that does not say that it is JSON | 415 |
| a body nested deeper than `DEEPEST` | 400 |
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Sequence

import anyio
from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from intraday_rl.web.token import Token

logger = logging.getLogger(__name__)

MOST_REQUESTS = 512
LARGEST_BODY = 65_536  # bytes
BODY_SECONDS = 10.0
DEEPEST = 16
FAILED_SECONDS = 1.0
OPEN_PATHS = ("/", "/health")
OPEN_FOLDER = "/console/"
API_POLICY = "default-src 'none'; frame-ancestors 'none'"
PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_OURS = "intraday_rl.addressed_to_us"
# The closing quote may be missing: then all the rest is inside the string. If it had to be there,
# every quote of a string that never ends would be tried as the beginning of another one.
_STRING = re.compile(rb'"(?:[^"\\]|\\.)*"?', re.DOTALL)


class SecurityHeaders:
    """Puts the headers on every answer, also on refusals."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        is_page = _is_page(scope)

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(HEADERS)
                policy = PAGE_POLICY if is_page else API_POLICY
                headers.setdefault("Content-Security-Policy", policy)  # a report has its own
                headers["Cache-Control"] = "no-cache" if is_page else "no-store"
            await send(message)

        await self._app(scope, receive, with_headers)


class NotTooMany:
    """Answers up to `most` requests at a time; streams count as long as they are open."""

    def __init__(self, app: ASGIApp, most: int = MOST_REQUESTS) -> None:
        self._app, self._most = app, most
        self._under_way = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and self._under_way >= self._most:
            again = [(b"retry-after", b"1")]
            await _refuse(send, 503, "too many requests are under way; come again", again)
            return
        self._under_way += 1
        try:
            await self._app(scope, receive, send)
        finally:
            self._under_way -= 1


class OwnHosts:
    """Refuses what is addressed to a name that is not ours, as from a page of another site.

    Starlette judges; its own refusal is a text, where every other one of ours is JSON.
    """

    def __init__(self, app: ASGIApp, hosts: Sequence[str]) -> None:
        self._app = app
        self._judge = TrustedHostMiddleware(_let_in, allowed_hosts=hosts, www_redirect=False)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        judged = {**scope, _OURS: False}
        await self._judge(judged, receive, _unheard)
        if judged[_OURS]:
            await self._app(scope, receive, send)
            return
        remedy = "task.allowed_hosts names the hosts that are served"
        await _refuse(send, 400, f"addressed to another host; {remedy}")


class TokenRequired:
    """Lets nobody past without the token, except to the page and to `/health`."""

    def __init__(self, app: ASGIApp, token: Token, failed_seconds: float) -> None:
        self._app, self._token, self._pause = app, token, failed_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or _is_open(scope) or self._bears_it(scope):
            await self._app(scope, receive, send)
            return
        client = scope.get("client")
        logger.warning(
            "refused without the token: %s %r from %s",
            scope["method"], scope["path"][:200], client[0] if client else "unknown",
        )  # fmt: skip
        await anyio.sleep(self._pause)  # so that guessing takes its time
        challenge = [(b"www-authenticate", b"Bearer")]
        await _refuse(send, 401, "a token is needed: Authorization: Bearer <token>", challenge)

    def _bears_it(self, scope: Scope) -> bool:
        given = [value for name, value in scope["headers"] if name == b"authorization"]
        return len(given) == 1 and self._token.is_borne_by(given[0])


class BodyChecked:
    """Reads the whole body of a request that may change something, within limits."""

    def __init__(self, app: ASGIApp, body_seconds: float) -> None:
        self._app, self._seconds = app, body_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] in ("GET", "HEAD", "OPTIONS"):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        length = headers.get("content-length", "0")
        if not length.isdigit() or len(length) > 9 or int(length) > LARGEST_BODY:
            await _refuse(send, 413, f"a body has at most {LARGEST_BODY} bytes")
            return
        try:
            with anyio.fail_after(self._seconds):
                body = await _read(receive)
        except TimeoutError:
            await _refuse(send, 408, f"the body took more than {self._seconds:g} seconds")
            return
        if body is None:
            await _refuse(send, 413, f"a body has at most {LARGEST_BODY} bytes")
            return
        media = headers.get("content-type", "").partition(";")[0].strip().lower()
        if body and media != "application/json":
            await _refuse(send, 415, "a body is application/json")
            return
        if _depth(body) > DEEPEST:
            await _refuse(send, 400, f"a body is nested at most {DEEPEST} deep")
            return
        await self._app(scope, _replay(body, receive), send)


async def _let_in(scope: Scope, receive: Receive, send: Send) -> None:
    scope[_OURS] = True


async def _unheard(message: Message) -> None:
    """Takes the place of `send` where nothing is to be said."""


async def _read(receive: Receive) -> bytes | None:
    """The body; None if it is too large."""
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return b"".join(parts)
        part = message.get("body", b"")
        parts.append(part)
        size += len(part)
        if size > LARGEST_BODY:
            return None
        if not message.get("more_body", False):
            return b"".join(parts)


def _replay(body: bytes, receive: Receive) -> Receive:
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def again() -> Message:
        return messages.pop() if messages else await receive()

    return again


def _depth(body: bytes) -> int:
    """How deep brackets are open at most, those inside strings left out."""
    depth = deepest = 0
    for sign in _STRING.sub(b"", body):
        if sign in b"[{":
            depth += 1
            deepest = max(deepest, depth)
        elif sign in b"]}":
            depth -= 1
    return deepest


def _is_open(scope: Scope) -> bool:
    reading = scope["method"] in ("GET", "HEAD")
    return reading and (scope["path"] in OPEN_PATHS or scope["path"].startswith(OPEN_FOLDER))


def _is_page(scope: Scope) -> bool:
    return bool(scope["path"] == "/" or scope["path"].startswith(OPEN_FOLDER))


async def _refuse(
    send: Send, status: int, detail: str, headers: list[tuple[bytes, bytes]] | None = None
) -> None:
    """A small JSON answer; the connection closes, as what is left of the request is unread."""
    body = json.dumps({"detail": detail}).encode()
    fixed = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (b"connection", b"close"),
    ]
    start = {"type": "http.response.start", "status": status, "headers": [*fixed, *(headers or [])]}
    await send(start)
    await send({"type": "http.response.body", "body": body})
