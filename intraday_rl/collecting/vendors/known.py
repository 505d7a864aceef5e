"""The table of vendors: the name in `data.vendor`, and the class behind it, loaded when asked."""

from __future__ import annotations

import importlib

from intraday_rl.collecting.vendors.vendor import Vendor
from intraday_rl.errors import ConfigError
from intraday_rl.market.store_data import StoreData

VENDORS = {
    "alpaca": "intraday_rl.collecting.vendors.alpaca:Alpaca",
    "yfinance": "intraday_rl.collecting.vendors.yahoo:Yahoo",
    "twelvedata": "intraday_rl.collecting.vendors.twelvedata:TwelveData",
}


def vendor_of(data: object) -> tuple[str, Vendor]:
    """The vendor that `data` names, with its keys from the environment."""
    name = data.vendor if isinstance(data, StoreData) else None
    if name is None or name not in VENDORS:
        remedy = f"a download needs a vendor: data={' or data='.join(VENDORS)}"
        raise ConfigError("data.vendor", name, remedy)
    module, made = VENDORS[name].split(":")
    try:
        vendor: Vendor = getattr(importlib.import_module(module), made)()
    except ImportError as error:
        remedy = f"needs {error.name}: pip install 'intraday-rl[data]'"
        raise ConfigError("data.vendor", name, remedy) from error
    return name, vendor
