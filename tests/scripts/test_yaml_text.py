"""YAML as OmegaConf reads it, and its values as flags."""

from __future__ import annotations

import pytest

from gitrun.scripts import yaml_text


@pytest.fixture(autouse=True)
def yaml() -> None:
    pytest.importorskip("yaml")


def test_numbers_and_dates_are_those_of_omegaconf() -> None:
    read = yaml_text.read_yaml(b"lr: 1e-3\nday: 2026-01-02\nn: 1_000\n")
    assert read == {"lr": 0.001, "day": "2026-01-02", "n": 1000}


@pytest.mark.parametrize("data", [b"- 1\n- 2", b"a: [", b"a: !!python/object:os.system {}", b"#" * (yaml_text.MAX_BYTES + 1)])
def test_what_is_no_mapping_is_empty(data: bytes) -> None:
    assert yaml_text.read_yaml(data) == {}


def test_nested_values_are_flags_with_dotted_names() -> None:
    flags = {flag.name: flag for flag in yaml_text.read_yaml_flags({"opt": {"lr": 0.1, "name": "???"}, "n": 3}, "dotlist")}
    assert {name: flag.default for name, flag in flags.items()} == {"opt.lr": 0.1, "opt.name": None, "n": 3}
    assert [name for name, flag in flags.items() if flag.required] == ["opt.name"]
