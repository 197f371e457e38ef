"""A real browser that looks at a page on a phone, a tablet and a desk."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

WIDTHS = (360, 800, 1400)
"""Pixels of the screens."""
MEASURED = (
    "f.contentDocument.documentElement.scrollWidth - f.clientWidth + ':' + f.contentDocument.querySelectorAll('tr').length"
)


def looked_at(page: Path, scratch: Path) -> list[tuple[int, int]]:
    """For each screen, by how many pixels the page is wider than it, and how many table rows it shows."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("there is no chromium")
    script = f"document.title = [...document.querySelectorAll('iframe')].map(f => {MEASURED}).join(' ')"
    frames = "".join(f"<iframe src='{page.as_uri()}' width={width} height=900></iframe>" for width in WIDTHS)
    (scratch / "frames.html").write_text(f"<title>-</title>{frames}<script>onload = () => {{ {script} }}</script>")
    words = (
        browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
        "--disable-background-networking", "--disable-component-update", "--allow-file-access-from-files",
        f"--user-data-dir={scratch / 'profile'}", "--virtual-time-budget=5000", "--dump-dom",
        (scratch / "frames.html").as_uri(),
    )  # fmt: skip
    home = {**os.environ, "HOME": str(scratch)}
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60, env=home)
    found = re.search(r"<title>(.*?)</title>", done.stdout)
    assert found, done.stderr
    return [(int(wider), int(rows)) for wider, rows in (pair.split(":") for pair in found[1].split())]


def rendered(page: Path, scratch: Path) -> str:
    """The page as a browser has it after its scripts ran, if it has any."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("there is no chromium")
    words = (
        browser, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
        f"--user-data-dir={scratch / 'profile'}", "--virtual-time-budget=5000", "--dump-dom", page.as_uri(),
    )  # fmt: skip
    done = subprocess.run(
        words, capture_output=True, text=True, check=True, timeout=60, env={**os.environ, "HOME": str(scratch)}
    )
    return done.stdout
