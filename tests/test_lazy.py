"""Doors of packages: a module is imported when it is first used."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from gitrun.lazy import lazy_modules, lazy_pattern


def test_a_module_is_imported_at_its_first_use() -> None:
    code = (
        "import sys; from gitrun import store; seen = ['gitrun.store.trash' in sys.modules];"
        "store.trash; seen.append('gitrun.store.trash' in sys.modules); print(seen)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[False, True]\n"


def test_a_module_that_does_not_exist_is_no_attribute() -> None:
    with pytest.raises(AttributeError, match=r"module .gitrun\.store. has no attribute .nothing."):
        lazy_modules("gitrun.store")("nothing")


def test_a_module_that_misses_a_package_says_which(tmp_path, monkeypatch) -> None:
    (tmp_path / "half").mkdir()
    (tmp_path / "half" / "__init__.py").touch()
    (tmp_path / "half" / "broken.py").write_text("import no_such_package\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="no_such_package"):
        lazy_modules("half")("broken")


def test_a_lazy_pattern_is_compiled_at_its_first_use(monkeypatch):
    compiled = []
    compile_text = re.compile
    monkeypatch.setattr(re, "compile", lambda *words: compiled.append(words) or compile_text(*words))
    lazy = lazy_pattern("a(B)?", re.IGNORECASE)
    assert compiled == []
    assert lazy.fullmatch("Ab")[1] == "b"
    assert lazy.sub("x", "abc") == "xc"
    assert lazy.pattern == "a(B)?"
    assert lazy_pattern(b"a").findall(b"aa") == [b"a", b"a"]
    with pytest.raises(AttributeError):
        assert lazy.no_such_method
