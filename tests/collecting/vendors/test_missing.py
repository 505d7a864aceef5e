"""Without the extra, a download says what to install."""

from __future__ import annotations

import sys

import pytest

from intraday_rl.collecting.vendors import known
from intraday_rl.errors import ConfigError
from intraday_rl.market.store_data import StoreData


@pytest.mark.parametrize("vendor", known.VENDORS)
def test_a_vendor_without_its_client_names_the_extra(
    vendor: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tenacity", None)
    for name in ("patience", known.VENDORS[vendor].partition(":")[0].rpartition(".")[2]):
        monkeypatch.delitem(sys.modules, f"intraday_rl.collecting.vendors.{name}", raising=False)
    with pytest.raises(ConfigError, match=r"pip install 'intraday-rl\[data\]'"):
        known.vendor_of(StoreData(vendor=vendor))
