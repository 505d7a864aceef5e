"""What threads have for the session, in the order in which it came."""

from __future__ import annotations

import threading
from collections import deque
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Inbox(Generic[Item]):
    """Threads put things in; the session takes them out, and may wait for the next."""

    def __init__(self) -> None:
        self._items: deque[Item] = deque()
        self._changed = threading.Condition()

    def put(self, item: Item) -> None:
        with self._changed:
            self._items.append(item)
            self._changed.notify_all()

    def take_all(self) -> list[Item]:
        """What has come since the last call."""
        with self._changed:
            items = list(self._items)
            self._items.clear()
        return items

    def wait(self, timeout_seconds: float) -> bool:
        """Until there is something; False if nothing came in time."""
        with self._changed:
            return self._changed.wait_for(lambda: bool(self._items), timeout_seconds)
