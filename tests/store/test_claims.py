"""Claims: which runs of a remote this machine executes, and whose results it still has to hand over."""

from __future__ import annotations

from gitrun.store.claims import bundle_path, list_claims, record_claim, remove_claim

ONE, TWO = "1" * 40, "2" * 40


def test_claims_are_listed_by_remote_and_oldest_first(tmp_path) -> None:
    for run_id, remote in ((TWO, "origin"), (ONE, "origin"), ("3" * 40, "other")):
        record_claim(tmp_path, run_id, remote)
    assert list_claims(tmp_path, "origin") == [TWO, ONE]
    assert list_claims(tmp_path, "nowhere") == []


def test_a_removed_claim_takes_its_bundle_along(tmp_path) -> None:
    record_claim(tmp_path, ONE, "origin")
    bundle_path(tmp_path, ONE).touch()
    remove_claim(tmp_path, ONE)
    remove_claim(tmp_path, ONE)
    assert list((tmp_path / "claims").iterdir()) == []


def test_other_files_are_no_claims(tmp_path) -> None:
    record_claim(tmp_path, ONE, "origin")
    bundle_path(tmp_path, ONE).write_text("origin")
    (tmp_path / "claims" / "note").write_text("origin")
    assert list_claims(tmp_path, "origin") == [ONE]
