"""git run comment: comments with their authors."""

from __future__ import annotations

from annotated import shown


def test_comments_add_up_with_their_author(runs) -> None:
    runs.run("comment", "-m", "first", check=True)
    runs.run("comment", "-m", "second\nline", check=True)
    comments = shown(runs)["comments"]
    assert [comment["text"] for comment in comments] == ["first", "second\nline"]
    assert {comment["author"] for comment in comments} == {"A User <user@example.org>"}


def test_comment_without_words_or_terminal_is_refused(runs) -> None:
    ended = runs.run("comment")
    assert (ended.returncode, "To give it: -m TEXT" in ended.stderr) == (129, True)
    assert runs.run("comment", "-m", "  ").returncode == 129
