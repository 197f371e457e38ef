"""What is lent, as it was found."""

from __future__ import annotations

import time

from ignored_files import look


def test_equal_files_have_equal_digests_and_others_do_not(tmp_path):
    entries = []
    for name, text in (("one", "same"), ("two", "same"), ("three", "else")):
        (tmp_path / name / "data").mkdir(parents=True)
        (tmp_path / name / "data" / "a").write_text(text)
        entries.append(look(tmp_path / name, b"data/").entries[0])
    assert entries[0] == entries[1] != entries[2]


def test_nothing_of_a_secret_is_in_a_digest(top):
    digests = []
    for text in ("hunter2", "letmein"):
        (top / ".env").write_text(text)
        (top / "data").mkdir(exist_ok=True)
        (top / "data" / "id_rsa").write_text(text)
        digests.append([one.digest for one in look(top, b".env", b"data/").entries])
    assert digests[0] == digests[1]
    assert digests[0][0] == ""


def test_contents_are_hashed_once(top, monkeypatch):
    (top / "data").mkdir()
    (top / "data" / "a").write_text("a")
    time.sleep(0.1)
    first = look(top, b"data/")
    read: list[bytes] = []
    monkeypatch.setattr("gitrun.workspace.lending.sha256_of", read.append)
    assert look(top, b"data/").entries == first.entries
    assert read == []
