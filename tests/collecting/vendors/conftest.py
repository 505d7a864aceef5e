"""Vendors on loopback, their keys in the environment, and the project's own command."""

from __future__ import annotations

import datetime
import ssl
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pandas as pd
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from intraday_rl.entry import main
from intraday_rl.market.catalogue import Catalogue
from intraday_rl.market.store import Series
from tests.collecting.conftest import recorded_rows
from tests.collecting.vendors.formats import AlpacaServer, TwelveDataServer, YahooServer
from tests.collecting.vendors.serving import VendorServer

MONTHS = ("2021-05-01", "2021-12-31")  # eight
RECENT_DAYS = 59
Command = Callable[..., "Ended"]


@dataclass(frozen=True)
class Ended:
    status: int
    out: str
    err: str


@dataclass(frozen=True)
class Place:
    """A vendor that answers, and where its bars go."""

    vendor: str
    server: VendorServer
    folder: Path
    span: tuple[str, str]
    secrets: tuple[str, ...]

    @property
    def overrides(self) -> list[str]:
        return [
            "task=download", f"data={self.vendor}", "symbol=SPY", f"task.start='{self.span[0]}'",
            f"task.end='{self.span[1]}'", "task.bar_minutes=15", "tracking=none",
            f"data.store={self.folder}/bars", f"paths.outputs={self.folder}/outputs",
            f"paths.state={self.folder}/state",
        ]  # fmt: skip

    def stored(self) -> Catalogue:
        catalogue = Series(self.folder / "bars", "SPY", self.vendor, 15).read()
        assert catalogue is not None
        return catalogue


@pytest.fixture(scope="session")
def rows_2021() -> pd.DataFrame:
    return recorded_rows(*MONTHS)


@pytest.fixture(scope="session")
def rows_recent() -> pd.DataFrame:
    today = pd.Timestamp.now("UTC").normalize().tz_localize(None)
    first, last = today - pd.Timedelta(days=70), today - pd.Timedelta(days=1)
    return recorded_rows(str(first.date()), str(last.date()))


@pytest.fixture(scope="session")
def identity(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, Path]:
    """A certificate for Yahoo's hosts, and the authority that a client must trust for it."""
    folder = tmp_path_factory.mktemp("identity")
    authority, chain = folder / "authority.pem", folder / "chain.pem"
    root_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    root = _certificate("authority of the tests", root_key, None, root_key)
    leaf = _certificate("yahoo", key, root.subject, root_key)
    authority.write_bytes(root.public_bytes(Encoding.PEM))
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    chain.write_bytes(secret + leaf.public_bytes(Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain)
    context.set_alpn_protocols(["http/1.1"])
    return context, authority


def _certificate(
    subject: str,
    key: ec.EllipticCurvePrivateKey,
    issuer: x509.Name | None,
    signed_by: ec.EllipticCurvePrivateKey,
) -> x509.Certificate:
    """An authority's own certificate if there is no issuer, else one for Yahoo's hosts."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)])
    hosts = [x509.DNSName(host) for host in ("*.yahoo.com", "*.finance.yahoo.com")]
    begin = datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=1)
    identifier = x509.SubjectKeyIdentifier.from_public_key
    authority = x509.AuthorityKeyIdentifier.from_issuer_public_key
    return (
        x509.CertificateBuilder(issuer or name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(begin + datetime.timedelta(days=30))
        .add_extension(x509.BasicConstraints(ca=issuer is None, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName(hosts), critical=False)
        .add_extension(identifier(key.public_key()), critical=False)
        .add_extension(authority(signed_by.public_key()), critical=False)
        .sign(signed_by, hashes.SHA256())
    )


@pytest.fixture
def alpaca(
    tmp_path: Path, rows_2021: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Place]:
    pytest.importorskip("alpaca")
    with AlpacaServer(rows_2021) as server:
        assert isinstance(server, AlpacaServer)
        monkeypatch.setenv("INTRADAY_RL_ALPACA_URL", server.url)
        monkeypatch.setenv("APCA_API_KEY_ID", server.key)
        monkeypatch.setenv("APCA_API_SECRET_KEY", server.secret)
        yield Place("alpaca", server, tmp_path, MONTHS, (server.key, server.secret))


@pytest.fixture
def twelvedata(
    tmp_path: Path, rows_2021: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Place]:
    pytest.importorskip("twelvedata")
    with TwelveDataServer(rows_2021) as server:
        assert isinstance(server, TwelveDataServer)
        monkeypatch.setenv("INTRADAY_RL_TWELVEDATA_URL", server.url)
        monkeypatch.setenv("TWELVEDATA_API_KEY", server.key)
        yield Place("twelvedata", server, tmp_path, MONTHS, (server.key,))


@pytest.fixture
def yahoo(
    tmp_path: Path,
    rows_recent: pd.DataFrame,
    identity: tuple[ssl.SSLContext, Path],
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Place]:
    """The library as it is, on its own hosts: a proxy of the environment stands in for them."""
    yfinance = pytest.importorskip("yfinance")
    context, authority = identity
    with YahooServer(rows_recent, context) as server:
        monkeypatch.setenv("HTTPS_PROXY", server.url)
        for name in ("CURL_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE"):
            monkeypatch.setenv(name, str(authority))
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
        yfinance.set_tz_cache_location(str(tmp_path / "cache"))
        today = pd.Timestamp.now("UTC").normalize()
        first, last = today - pd.Timedelta(days=RECENT_DAYS), today - pd.Timedelta(days=1)
        yield Place("yfinance", server, tmp_path, (str(first.date()), str(last.date())), ())


@pytest.fixture(params=["alpaca", "twelvedata", "yahoo"])
def place(request: pytest.FixtureRequest) -> Place:
    """Each of the vendors."""
    found = request.getfixturevalue(request.param)
    assert isinstance(found, Place)
    return found


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """The project's command line in this process, with a patience for tests."""
    from tests.collecting.vendors.impatient import forget_answers, impatient

    impatient(monkeypatch.setattr)

    def run(*arguments: str) -> Ended:
        forget_answers()
        monkeypatch.setattr(sys, "argv", ["intraday-rl", *arguments])
        with pytest.raises(SystemExit) as left:
            main()
        assert isinstance(left.value.code, int)
        return Ended(left.value.code, *capsys.readouterr())

    return run
