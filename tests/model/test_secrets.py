"""What looks like a secret, by name and by content, and what only resembles one."""

from __future__ import annotations

import random

import pytest

from gitrun.model.secrets import (
    DESCRIPTIONS,
    MAX_SECRET,
    SECRET_FILES,
    Scanner,
    find_secret,
    is_secret_file,
    is_secret_value,
    secrets_in_flags,
    secrets_in_words,
)

HEX, B64 = "0123456789abcdef" * 8, "AbCdEfGhIjKlMnOpQrStUvWxYz0123456789" * 8
KEYS = {
    "an AWS access key": "AKIA" + B64[:26].upper()[:16],
    "an AWS secret key": "AWS_SECRET_ACCESS_KEY=" + B64[:40],
    "a GitHub token": "ghp_" + B64[:36],
    "a GitLab token": "glpat-" + B64[:20],
    "a Slack token": "xoxb-" + B64[:24],
    "a Hugging Face token": "hf_" + B64[:34],
    "an API key": "sk-proj-" + B64[:40],
    "a Google API key": "AIza" + B64[:35],
    "a Stripe key": "sk_live_" + B64[:24],
    "a token of a package registry": "pypi-AgE" + B64[:60],
    "a token of a cloud service": "dop_v1_" + HEX[:64],
    "an Authorization header": "Authorization: Bearer " + B64[:30],
    "a JSON web token": f"eyJ{B64[:20]}.eyJ{B64[:30]}.{B64[:43]}",
    "a private key": "-----BEGIN OPENSSH PRIVATE KEY-----",
    "a password in a URL": "postgres://ann:h0nter2@db.company.org/x",
}


@pytest.mark.parametrize("path", [
    ".vscode/.remote-sync.json", "sitemanager.xml", "recentservers.xml", ".rclone.conf", ".muttrc", ".esmtprc",
    ".proftpdpasswd", "login.keychain", ".cache/huggingface/token", ".huggingface/token", ".config/gh/hosts.yml", ".config/hub",
    ".env", "deploy/.env.production", "prod.env", ".netrc", ".npmrc", ".pypirc", "credentials.json"
    , "a/b/google-credentials.json",
    "service-account.json", "service_account_prod.json", "my-service-account.json", "x-firebase-adminsdk-1.json",
    ".aws/credentials", "home/.aws/credentials", ".docker/config.json", "kubeconfig", "kubeconfig.yaml", ".kube/config",
    "cert.p12", "cert.pfx", "server.key", "store.jks", "my.keystore", "vault.kdbx", "id_rsa", "id_ed25519"
    , ".ssh/config",
    ".git-credentials", "secrets.yml", "secrets.yaml", "config/secrets.toml", "terraform.tfvars", "prod.auto.tfvars",
    "terraform.tfstate", "terraform.tfstate.backup", ".htpasswd", "htpasswd", ".pgpass", "wp-config.php", ".s3cfg",
    "client_secret_1.json", "kaggle.json", ".dvc/config.local", "AuthKey.p8", "private.pem", "me.ppk", ".bash_history",
    ".vault_pass.txt", ".gem/credentials", ".cargo/credentials.toml", ".m2/settings.xml", "ops.agekey",
])  # fmt: skip
def test_credential_files_are_secrets(path):
    assert is_secret_file(path, SECRET_FILES)


@pytest.mark.parametrize("path", [
    "tokenizer.json", "vocab.json", "config.json", "docker/config.json", "monkey.py", "keys.py", "key.txt"
    , "keyboard.json",
    "id_rsa.pub", "id_ed25519.pub", "public.pem", "ca.pem", "fullchain.pem", "server-cert.pem", ".env.example"
    , ".env.sample",
    "secrets.example.yml", "config", "settings.xml", "secretary.txt", "passwords.py", "model.bin", "credential.py"
    , "environment.yml",
    "history.csv", "env.py", "train_history.json", "wp-config-sample.php", "terraform.tf", "token_dim.txt",
])  # fmt: skip
def test_files_that_resemble_credentials_are_none(path):
    assert not is_secret_file(path, SECRET_FILES)


def test_the_last_pattern_that_fits_counts():
    assert is_secret_file("id_rsa.pub", ("*.pub", "!*.key"))
    assert not is_secret_file("my.secret", ("*.secret", "!my.*"))
    assert not is_secret_file("anything", ())
    assert is_secret_file("deep/conf/a.txt", ("conf/*.txt",))
    assert not is_secret_file("deep/other/a.txt", ("conf/*.txt",))


@pytest.mark.parametrize(("name", "value"), [
    ("password", "X"), ("token", "x"), ("hf_token", "hunter2"), ("passphrase", "two words"), ("API_TOKEN", "x"),
    ("api-key", "x"), ("apiKey", "abc"), ("db.password", "hunter2"), ("DB_PASS", "hunter2"), ("clientSecret", "abcd"),
    ("aws_secret_access_key", "abcd"), ("secret", 42), ("api_key_2", "abcd"), ("github_pat", "abcd"), ("passwords"
    , ["a", "b"]),
    ("smtp_pwd", "x"), ("WANDB_API_KEY", "0a12"), ("auth_token", "abc"), ("http_auth", "u:p"),
])  # fmt: skip
def test_values_of_these_names_are_secrets(name, value):
    assert [found for found, _ in secrets_in_flags({name: value})] == [name]


@pytest.mark.parametrize(("name", "value"), [
    ("tokenizer", "bpe"), ("max_tokens", 512), ("max_tokens", "512"), ("n_tokens", 3), ("token_dim", 64), ("key"
    , "value"),
    ("keys", "a,b"), ("monkey", "x"), ("public_key", "abc"), ("sort_key", "name"), ("primary_key", "id")
    , ("eos_token", "<eos>"),
    ("pad_token", "PAD"), ("mask_token", "[MASK]"), ("token", 5), ("use_auth_token", True), ("use_auth_token", "true"),
    ("password_file", "p.txt"), ("password", ""), ("password", "${PW}"), ("api_key", "$API_KEY"), ("token_type"
    , "word"),
    ("author", "Ann"), ("pattern", "a*"), ("passes", 3), ("first_pass", "a"), ("pass_rate", 0.5), ("compass", "n")
    , ("secretary", "Ann"),
    ("credentials", "creds.json"), ("private_key", "keys/me.pem"), ("api_key_env", "OPENAI"), ("path", "x"), ("auth"
    , "basic"),
    ("no_password", "x"), ("password_length", 8), ("lr", 0.1), ("private_key", "~/k"), ("token", None), ("model"
    , "sk-learn"),
    ("url", "https://example.org/a:b@c"), ("remote", "git@github.com:a/b.git"),
])  # fmt: skip
def test_values_of_these_names_are_none(name, value):
    assert list(secrets_in_flags({name: value})) == []
    assert not is_secret_value(name, value)


@pytest.mark.parametrize("words", [
    ["train", "--password=X"], ["train", "--password", "X"], ["curl", "-u", "u:p", "x"], ["curl", "-uu:p"], ["curl"
    , "--user", "u:p"],
    ["env", "API_TOKEN=x", "make"], ["p", "--api-key", "x"], ["p", "--api_key=x"], ["sh", "-c", "API_TOKEN=x make"],
    ["sh", "-c", "curl -u u:p https://h && true"], ["sh", "-c", "cd a;p --password hunter2"], ["git", "clone"
    , "https://u:p@h/x"],
    ["p", "--", "-token", "abc"], ["sh", "-c", "echo 'open quote --password=x"], ["curl", "-H"
    , f"Authorization: token {B64[:20]}"],
    ["p", f"--thing={KEYS['a GitHub token']}"], ["bash", "-c", "sh -c 'p --secret hunter2'"],
])  # fmt: skip
def test_words_that_give_a_secret_are_found(words):
    assert len(list(secrets_in_words(words))) >= 1
    assert not any("hunter2" in name or "u:p" in name for name, _ in secrets_in_words(words))


@pytest.mark.parametrize("words", [
    ["python", "-u", "train.py"], ["docker", "run", "-u", "1000:1000", "x"], ["docker", "run", "--user", "ann:staff"
    , "x"],
    ["rsync", "-u", "host:dir", "."], ["p", "--max-tokens", "512"], ["p", "--tokenizer", "bpe"], ["p", "--key", "a"],
    ["p", "--password"], ["p", "--password", "--other"], ["p", "--password-stdin", "x"], ["p", "--token-file", "t"],
    ["sh", "-c", "echo $API_TOKEN"], ["sh", "-c", "TOKEN=$TOKEN p"], ["echo", "password"], ["scp", "a:b", "c"], ["p"
    , "n_tokens=5"],
    ["p", "--user", "ann"], ["uvicorn", "app:main"], ["curl", "https://host/a:b"], ["p", "--no-password", "x"],
])  # fmt: skip
def test_words_that_resemble_a_secret_are_not_found(words):
    assert list(secrets_in_words(words)) == []


@pytest.mark.parametrize("what", KEYS)
def test_every_shape_is_found_wherever_it_stands(what):
    key = KEYS[what].encode()
    for text in (key, b"x = '" + key + b"'\n", b"\0\1" + key + b"\0", b"\n" * 5000 + key + b" " * 5000):
        assert find_secret(text) == what


def test_every_name_of_a_shape_is_tested():
    assert set(KEYS) == set(DESCRIPTIONS.values())


@pytest.mark.parametrize("text", [
    "AKIAIOSFODNN7EXAMPLE", "postgres://user:password@db.company.org/x", "http://a:b@localhost:80/"
    , "x" + KEYS["a GitHub token"],
    "sk-learn", "task-" + B64[:40], "sk-estimator-doc-link-hover-and-more-words-in-it", "git@github.com:a/b"
    , "ghp_short",
    "https://h/a:b/c@d", "user:pw@host", "-----BEGIN PUBLIC KEY-----", "-----BEGIN CERTIFICATE-----", "hf_" + "a" * 60,
    "https://{user}:{password}@host.org", "https://$USER:$PW@host.org", "Authorization: Bearer $TOKEN"
    , HEX, B64, "=" * 99,
])  # fmt: skip
def test_texts_that_resemble_a_key_are_none(text):
    assert find_secret(text.encode()) == ""


@pytest.mark.parametrize("what", KEYS)
def test_content_in_pieces_is_read_as_a_whole(what):
    chance = random.Random(what)
    for place in (0, 1, MAX_SECRET - 5, MAX_SECRET, 300_000, 600_003):
        text = b"ab cd\n" * (place // 6) + b"\n" * (place % 6) + KEYS[what].encode() + b"\n" * chance.choice([0, 1, 5000])
        scanner = Scanner()
        while text:
            size = chance.choice([1, 7, 4096, 65536, 1 << 20]) if len(text) < 100_000 else 65536
            scanner.feed(text[:size])
            text = text[size:]
        assert scanner.close() == what


def test_a_longer_word_in_pieces_is_no_key():
    word = b"x" + KEYS["a Hugging Face token"].encode() + b"more"
    for cut in range(1, len(word)):
        scanner = Scanner()
        scanner.feed(b"\n" * MAX_SECRET + word[:cut])
        scanner.feed(word[cut:])
        assert scanner.close() == ""
