"""HTTP for the clients that speak through `requests`: a time-out, patience, and whole answers."""

from __future__ import annotations

from email.utils import parsedate_to_datetime
from typing import Any

import requests

from intraday_rl.collecting.vendors.patience import Passing, Patience, patiently
from intraday_rl.collecting.vendors.vendor import VendorError
from intraday_rl.market.stamps import now

TOO_MANY, SERVER_ERROR = 429, 500

# What a broken line looks like, in the classes of `requests`; all other errors are ours.
BROKEN = (
    requests.exceptions.ConnectionError,
    requests.exceptions.Timeout,
    requests.exceptions.ChunkedEncodingError,
    requests.exceptions.ContentDecodingError,
)


class PatientSession(requests.Session):
    """Asks each page again while its failure may pass; never hands out half of an answer.

    The clients' own sessions have no time-out, or a fixed one, and their retries know neither
    broken connections nor `Retry-After`.
    """

    def __init__(self, vendor: str, patience: Patience) -> None:
        super().__init__()
        self.vendor, self.patience = vendor, patience

    def request(self, method: str, url: str, **options: Any) -> requests.Response:
        """As of `requests`; raises `VendorError` when patience ends."""
        return patiently(
            self.vendor, self.patience, lambda: self.judged(self.sent(method, url, **options))
        )

    def sent(self, method: str, url: str, **options: Any) -> requests.Response:
        """One request; a broken line is `Passing`."""
        options["timeout"] = self.patience.timeout_seconds
        try:
            return super().request(method, url, **options)
        except BROKEN as error:
            failure: Exception = Passing(f"no whole answer ({type(error).__name__})")
        except requests.RequestException as error:
            failure = VendorError(f"{self.vendor}: the request fails ({type(error).__name__})")
        # Outside of the handlers: the errors of `requests` hold the request, headers and all.
        raise failure

    def judged(self, response: requests.Response) -> requests.Response:
        """The response, if asking again would not change it; else raises `Passing`."""
        if response.status_code == TOO_MANY:
            raise Passing("too many requests", retry_after_seconds(response))
        if response.status_code >= SERVER_ERROR:
            raise Passing(f"status {response.status_code}", retry_after_seconds(response))
        if response.ok and not is_json(response):
            raise Passing("an answer that is cut off or no JSON")
        return response


def is_json(response: requests.Response) -> bool:
    """Whether the body can be read to its end."""
    try:
        response.json()
    except ValueError:
        return False
    return True


def retry_after_seconds(response: requests.Response) -> float | None:
    """What the header `Retry-After` asks for: seconds, or a date; None if it does not."""
    text = response.headers.get("Retry-After", "").strip()
    if text.isdecimal():
        return float(text)
    try:
        return (parsedate_to_datetime(text) - now().to_pydatetime()).total_seconds()
    except (TypeError, ValueError):
        return None
