"""The runner of prose sees what is not true: without that, every story would pass."""

from __future__ import annotations

import pytest
from transcript import Transcript

FALSE = {
    "another line": "```console\n$ echo a\nb\n```\n",
    "a line too many": "```console\n$ echo a\n```\n",
    "a line too few": "```console\n$ true\na\n```\n",
    "another id": "```console\n$ echo abcdef01; echo abcdef02\n1234567a\n1234567a\n```\n",
    "words of ours on stdout": "```console\n$ echo gitrun: a\ngitrun: a\n```\n",
    "a line after any lines": "```console\n$ seq 3\n...\n4\n```\n",
    "Python that prints another": "```pycon\n>>> 1 + 1\n3\n```\n",
}
TRUE = {
    "an id twice": "```console\n$ echo abcdef01; echo abcdef01\n1234567a\n1234567a\n$ echo 1234567a | cut -c 1-2\nab\n```\n",
    "any lines": "```console\n$ seq 9\n1\n...\n8\n9\n```\n",
    "words on stderr": "```console\n$ echo gitrun: a >&2; echo b\nb\ngitrun: a\n```\n",
    "an exit status": "```console\n$ (exit 3)\n$ echo $?\n3\n```\n",
    "a file and Python": "```python a.py\nb = 2\n```\n```pycon\n>>> import runpy\n>>> runpy.run_path('a.py')['b']\n2\n```\n",
    "a change of directory": "```console\n$ mkdir d\n$ cd d\n$ basename $PWD\nd\n```\n",
    "a time and a duration": "```console\n$ echo 2001-02-03 04:05:06 in 7.8s\n2026-01-01 00:00:00 in 0.1s\n```\n",
}


@pytest.mark.parametrize("text", FALSE.values(), ids=FALSE)
def test_what_is_not_true_is_seen(tmp_path, text) -> None:
    with pytest.raises(AssertionError):
        Transcript(tmp_path).live(text)


@pytest.mark.parametrize("text", TRUE.values(), ids=TRUE)
def test_what_is_true_passes(tmp_path, text) -> None:
    assert Transcript(tmp_path).live(text)


@pytest.mark.parametrize(
    ("text", "rewritten"),
    [
        ("```console\n$ echo b\na\n```\n", "```console\n$ echo b\nb\n```\n"),
        ("```console\n$ echo 3.5s\n1.2s\n```\n", "```console\n$ echo 3.5s\n1.2s\n```\n"),
        ("```console\n$ printf 'a\n> b\n> '\n?\n```\n", "```console\n$ printf 'a\n> b\n> '\na\nb\n```\n"),
        ("```console\n$ echo gitrun: x >&2; echo y\n?\n```\n", "```console\n$ echo gitrun: x >&2; echo y\ny\n```\n"),
        ("```console\n$ echo gitrun: x >&2\ngitrun: ?\n```\n", "```console\n$ echo gitrun: x >&2\ngitrun: x\n```\n"),
        (
            "```console\n$ echo abcdef01\n1234567a\n$ echo new abcdef01\n?\n$ echo 1234567a\n?\n```\n",
            "```console\n$ echo abcdef01\n1234567a\n$ echo new abcdef01\nnew 1234567a\n$ echo 1234567a\n1234567a\n```\n",
        ),
    ],
)
def test_outputs_that_differ_are_written_anew(tmp_path, text, rewritten) -> None:
    assert Transcript(tmp_path).rewrite(text) == rewritten
    assert Transcript(tmp_path).live(rewritten)
