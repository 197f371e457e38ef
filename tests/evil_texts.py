"""Texts of runs that a report must not obey."""

from __future__ import annotations

from html.parser import HTMLParser

TRAIN = """\
lr = 0.1
for n in range(12):
    print("loss:", lr / (n + 1))
"""


EVIL = "`x` ``y`` | a\\|b @you #12 <b>&amp; [l](http://x.example) www.x.example a@b.example <!-- \u202e \x1b[31m ]]> </details>"


class Tags(HTMLParser):
    """The tags of a page, each with its attributes, and its text."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""

    def handle_starttag(self, tag, attrs) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data) -> None:
        self.text += data
