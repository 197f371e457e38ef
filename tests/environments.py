"""Environments of Python with packages that are only named."""

from __future__ import annotations

import sys


def make_environment(place, *packages: str) -> str:
    """Makes an environment in which these packages are installed. Returns its Python."""
    installed = place / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}" / "site-packages"
    for package in ("bare-1.0", *packages):
        (installed / f"{package}.dist-info").mkdir(parents=True)
    (place / "bin").mkdir()
    (place / "bin" / "python").symlink_to(sys.executable)
    (place / "pyvenv.cfg").write_text(f"home = {sys.base_prefix}/bin\n")
    return str(place / "bin" / "python")
