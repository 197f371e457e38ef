"""What looks like a secret: said before it is recorded, and not given away by push or export without being asked."""

from __future__ import annotations

import pytest
from clones import make_team
from leaks import refused
from sampled import sampled
from templates import place_made_once


@pytest.fixture
@place_made_once
def team(tmp_path):
    return make_team(tmp_path)


@pytest.mark.parametrize(
    ("words", "said"),
    sampled(
        4,
        [
            (["--", "echo", "--password=hunter2"], "run.toml: it holds what looks like a password in the command (--password)"),
            (["--", "true", "-u", "ann:hunter2"], "run.toml: it holds what looks like a password in the command (-u)"),
            (["--", "env", "API_TOKEN=hunter2", "true"], "in the command (API_TOKEN)"),
            (["--", "true", "--api-key", "hunter2"], "in the command (--api-key)"),
            (["--", "sh", "-c", "true --api-key hunter2"], "in the command (--api-key)"),
            (["--", "true", "https://ann:hunter2@host/x"], "a password in a URL in the command (word 2)"),
            (["hf_token=hunter2", "--", "true"], "flags.toml: it holds what looks like a password in a flag (hf_token)"),
            (["token=hunter2", "--", "true"], "in a flag (token)"),
            (["passphrase=hunter2", "--", "true"], "in a flag (passphrase)"),
            (["url=https://ann:hunter2@host/x", "--", "true"], "a password in a URL in a flag (url)"),
        ],
    ),
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_a_secret_given_in_words_is_told_at_the_start_and_not_given_away(team, leaving, words, said):
    begun = team.ann.run(*words, check=True)
    assert "gitrun: warning: " in begun.stderr
    assert "recorded in the run. To keep secrets out" in begun.stderr
    assert "hunter2" not in begun.stderr
    assert said in refused(team.ann, leaving)


def test_ordinary_words_and_flags_are_pushed_without_a_word(team):
    flags = ["tokenizer=bpe", "max_tokens=512", "n_tokens=3", "token_dim=64", "key=a", "keys=b", "monkey=c", "eos_token=EOS"]
    begun = team.ann.run(*flags, "--", "true", "--max-tokens", "5", "-u", "t.py", check=True)
    assert "warning" not in begun.stderr
    assert "pushed 1 run" in team.ann.run("push", check=True).stderr
    team.ann.run("export", "1", "out.bundle", check=True)


@pytest.mark.parametrize(
    "name", sampled(2, ["id_ed25519", "store.jks", "service-account.json", ".aws/credentials", "terraform.tfstate"])
)
def test_credential_files_are_left_out_of_the_snapshot(repo, name):
    repo.write(name, "hidden")
    ended = repo.run("--", "grep", "-c", "hidden", name, check=True)
    assert f"{name} is not recorded: it looks like a secret" in ended.stderr
    assert name not in repo.run("ls", "1", "-z", check=True).stdout.split("\0")


def test_public_keys_are_part_of_the_snapshot(repo):
    for name in ("public.pem", "id_rsa.pub", ".env.example", "tokenizer.json"):
        repo.write(name, "shown")
    assert "not recorded" not in repo.run("echo.py", check=True).stderr
    assert {"public.pem", "id_rsa.pub", ".env.example", "tokenizer.json"} <= set(repo.run("ls", "1", "-z").stdout.split("\0"))
