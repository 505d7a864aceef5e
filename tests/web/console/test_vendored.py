"""What the page is made of: files of this folder only, and libraries as they were published."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import intraday_rl.web

CONSOLE = Path(intraday_rl.web.__file__).parent / "console"
VENDOR = CONSOLE / "vendor"
ROW = re.compile(r"^\| `([\w.-]+)` \|.*\| `([0-9a-f]{64})` \|$", re.MULTILINE)


def test_vendored_files_are_the_published_ones_and_have_their_licence():
    listed = dict(ROW.findall((VENDOR / "README.md").read_text("utf-8")))
    files = {file.name for file in VENDOR.iterdir() if file.suffix in (".js", ".css")}
    assert set(listed) == files
    for name, digest in listed.items():
        assert hashlib.sha256((VENDOR / name).read_bytes()).hexdigest() == digest
    for library in ("htm", "preact", "uplot", "pico"):
        text = (VENDOR / f"{library}.LICENSE").read_text("utf-8")
        assert "MIT" in text or "Apache License" in text or "Permission is hereby granted" in text


def test_the_page_fetches_nothing_from_elsewhere_and_runs_nothing_inline():
    index = (CONSOLE / "index.html").read_text("utf-8")
    assert not re.search(r"https?://", index)
    assert re.findall(r"<script[^>]*>[^<]+</script>", index) == []
    assert re.findall(r"\son\w+=|style=", index) == []
    own = [*CONSOLE.glob("*.js"), *CONSOLE.glob("*.css")]
    assert len(own) > 5
    for file in own:
        text = file.read_text("utf-8")
        assert not re.search(r"https?://|\beval\(|new Function|innerHTML", text), file.name
        for imported in re.findall(r'from "([^"]+)"', text):
            assert (file.parent / imported).is_file(), (file.name, imported)
