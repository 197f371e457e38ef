"""Values of the files that a script merges with its command line by OmegaConf."""

from __future__ import annotations

import pytest
from script_text import around

from gitrun.scripts.discover import argument_words, read_script

SOURCE = b"from omegaconf import OmegaConf\nbase = OmegaConf.load('conf.yaml')\n"
MERGED = SOURCE + b"more = OmegaConf.load('more.yaml')\ncfg = OmegaConf.merge(base, more, OmegaConf.from_cli())\n"
FILES = {"conf.yaml": "lr: 0.1\nopt:\n  name: sgd\n", "more.yaml": "lr: 0.5\n"}


def test_later_files_override_earlier_ones() -> None:
    pytest.importorskip("yaml")
    script = read_script(MERGED, "tool.py", around(FILES))
    assert {flag.name: flag.default for flag in script.flags} == {"lr": 0.5, "opt.name": "sgd"}
    assert argument_words(script, {"lr": 0.2, "opt.name": "sgd"}) == ["lr=0.2"]


def test_a_file_beside_the_script_is_read() -> None:
    pytest.importorskip("yaml")
    beside = {f"src/{name}": text for name, text in FILES.items()}
    assert [flag.name for flag in read_script(MERGED, "src/tool.py", around(beside)).flags] == ["lr", "opt.name"]


def test_a_file_that_is_not_there_is_partial() -> None:
    script = read_script(MERGED, "tool.py", around({"conf.yaml": FILES["conf.yaml"]}))
    assert script.partial == "it loads a configuration that is not in the source"


def test_loading_without_the_command_line_gives_no_options() -> None:
    assert read_script(SOURCE, "tool.py", around(FILES)).frontend != "omegaconf"
