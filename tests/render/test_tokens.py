"""The colours that pages, reports and plots share."""

from __future__ import annotations

import re

from gitrun.render.tokens import HUES, light_tokens, read_tokens


def test_every_hue_has_a_light_and_a_dark_colour() -> None:
    for number in range(1, HUES + 1):
        assert len(re.findall(rf"--hue-{number}: #[0-9a-f]{{6}};", read_tokens())) == 2
    assert f"--hue-{HUES + 1}:" not in read_tokens()


def test_light_tokens_are_those_of_the_light_scheme() -> None:
    light, dark = read_tokens().split("@media")
    for name in ("text", "soft", "line", "back", "hue-1"):
        assert f"--{name}: {light_tokens()[name]};" in light
        assert f"--{name}: {light_tokens()[name]};" not in dark
