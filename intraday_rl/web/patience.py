"""How long a connection may take to say what it wants, and to take in the answer.

| who | may take |
|---|---|
| a connection that has not sent a whole request head | `head_seconds`, however it dribbles |
| the same after an answer, if it sends nothing | uvicorn's own time-out of idle connections |
| more than `most_waiting` of them | the one that has waited longest gives way to the new one |
| an answer that nobody reads | `answer_seconds` until there is room for more of it |

So whoever opens connections and says nothing keeps nobody out.
"""

from __future__ import annotations

import asyncio
import itertools
import json

import h11
from uvicorn.protocols.http.h11_impl import STATUS_PHRASES, H11Protocol

_TURNS = itertools.count()


class PatientProtocol(H11Protocol):
    """HTTP/1.1 by h11, whose patience ends."""

    head_seconds = 10.0
    answer_seconds = 60.0
    most_waiting = 128

    waiting_since: int | None = None  # a count: loops tell one time to all of one round
    _head_due: asyncio.TimerHandle | None = None
    _answer_due: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._look()
        others = [one for one in self.connections if isinstance(one, PatientProtocol)]
        waiting = {one: one.waiting_since for one in others if one.waiting_since is not None}
        if len(waiting) > self.most_waiting:
            longest = min(waiting, key=lambda one: waiting[one])
            longest._stop_waiting()  # it is lost a moment later: the next one must not choose it
            longest.transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._unset_keepalive_if_required()
        self._stop_waiting()
        self.resume_writing()

    def handle_events(self) -> None:
        super().handle_events()
        self._look()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._look()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._answer_due = self._answer_due or self.loop.call_later(
            self.answer_seconds, self.transport.abort
        )

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._answer_due is not None:
            self._answer_due.cancel()
            self._answer_due = None

    def send_400_response(self, msg: str) -> None:
        """What is no request is refused in the same shape as everything else."""
        body = json.dumps({"detail": msg}).encode()
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", str(len(body)).encode()),
            (b"connection", b"close"),
        ]
        answer = h11.Response(status_code=400, headers=headers, reason=STATUS_PHRASES[400])
        for event in (answer, h11.Data(data=body), h11.EndOfMessage()):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()

    def _look(self) -> None:
        """The time runs from when there was no request to answer, not from the last byte."""
        if self.transport.is_closing() or not (self.cycle is None or self.cycle.response_complete):
            self._stop_waiting()
        elif self._head_due is None:
            self.waiting_since = next(_TURNS)
            self._head_due = self.loop.call_later(self.head_seconds, self.transport.close)

    def _stop_waiting(self) -> None:
        self.waiting_since = None
        if self._head_due is not None:
            self._head_due.cancel()
            self._head_due = None
