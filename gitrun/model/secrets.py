"""Detection of secrets: by a file's name, by a flag's name, or by the text itself.

One rule serves the snapshot, the words and flags of a run, push and export. File names follow the lists of gitleaks and of
GitHub's templates for .gitignore; shapes of keys follow gitleaks and GitHub's secret scanning.
"""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from functools import lru_cache

from gitrun.lazy import lazy_pattern, shlex

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

SECRET_FILES = (
    ".env*", "*.env", ".netrc", "_netrc", ".authinfo", ".npmrc", ".pypirc", ".gem/credentials", ".cargo/credentials*",
    ".git-credentials", ".gitcookies", ".htpasswd", "htpasswd", ".pgpass", "pgpass.conf", ".my.cnf", ".mylogin.cnf",
    "credentials", "credentials.*", "*credentials.json", "*credentials.y*ml", "*credentials.db", ".aws/credentials",
    "client_secret*.json", "service[-_]account*.json", "serviceaccount*.json", "*[-_]service[-_]account*.json",
    "*firebase-adminsdk*.json", "kaggle.json", "token.json", "token.pickle", "auth.json", "accessTokens.json",
    ".docker/config.json", ".dockercfg", ".dockerconfigjson", "kubeconfig*", "*.kubeconfig", ".kube/config",
    "*.pem", "*.key", "*.p8", "*.p12", "*.pfx", "*.pkcs12", "*.jks", "*.keystore", "*.keytab", "*.kdb", "*.kdbx", "*.ppk",
    "*.ovpn", "*.agekey", "id_rsa*", "id_dsa*", "id_ecdsa*", "id_ed25519*", ".ssh/*", "secring.*", ".gnupg/*",
    "secrets", "secrets.*", "secret.json", "secret.toml", "secret.y*ml", "*.secret", "*.secrets", "*.secrets.y*ml",
    "*.tfvars", "*.tfvars.json", "*.tfstate", "*.tfstate.*", ".terraformrc", "terraform.rc", "*.tfrc.json",
    ".vault-token", ".vault_pass*", "vault_pass*", ".vault-pass*", "wp-config.php", "LocalSettings.php", ".dvc/config.local",
    ".s3cfg", ".boto", "rclone.conf", ".databrickscfg", ".sentryclirc", ".m2/settings.xml", "*.publishsettings",
    "sftp-config.json", ".ftpconfig", "filezilla.xml", ".*_history",
    ".remote-sync.json", "sitemanager.xml", "recentservers.xml", ".rclone.conf", ".muttrc", ".esmtprc", ".proftpdpasswd",
    "*.keychain", "huggingface/token", ".huggingface/token", "gh/hosts.yml", ".config/hub",
    "!*.pub", "!*[._-]example*", "!*[._-]sample*", "!*[._-]template*", "!*.dist", "!secrets.md", "!secrets.rst",
    "!pub*.pem", "!*[._-]pub*.pem", "!ca.pem", "!cacert.pem", "!ca[-_]*.pem", "!*cert.pem", "!*certs.pem", "!*chain.pem",
)  # fmt: skip
"""Patterns of file names, or of the end of a path if they contain a `/`. The last match decides; `!` excludes."""

PASSWORDS = frozenset({"password", "passwd", "passphrase", "passcode", "passwords", "secret", "secrets", "apikey", "bearer"})
ACCOUNTS = frozenset({"credential", "credentials", "creds", "authorization"})
KEYS = frozenset(
    {"api", "access", "secret", "private", "auth", "account", "storage", "encryption", "signing", "master", "license"}
)
"""Words that make a following `key` a secret."""
USERS = frozenset({
    "user", "db", "database", "smtp", "mail", "email", "http", "https", "ftp", "ssh", "mysql", "postgres", "pg", "redis",
    "root", "admin", "proxy", "login", "ldap", "registry", "docker", "wifi",
})  # fmt: skip
"""Words that make a following `pass`, `pwd`, `pw` or `auth` a password."""
TEXT_TOKENS = frozenset({
    "pad", "eos", "bos", "unk", "cls", "sep", "mask", "start", "end", "begin", "stop", "special", "next", "prev", "first",
    "last", "image", "img", "video", "audio", "class", "blank", "space", "trigger", "target", "separator", "placeholder",
    "prompt", "text", "word", "sub",
    "padding", "unknown", "max", "min", "num", "n", "per", "new", "by", "boi", "eoi", "bot", "eot", "think",
})  # fmt: skip
"""Words that make a following `token` a piece of text."""
QUICK_TEST = ("pass", "secret", "token", "key", "cred", "pwd", "pw", "auth", "bearer", "pat")
"""A quick test: every name of a secret contains one of these."""
SWITCHES = frozenset({
    "no", "without", "ask", "show", "hide", "is", "has", "have", "require", "requires", "enable", "disable", "skip", "check",
})  # fmt: skip
"""First words of names that are switches."""
LOGINS = frozenset({"-u", "--user", "--auth"})
OWNERS = frozenset({"docker", "podman", "nerdctl", "rsync", "chown", "install", "unshare", "runuser", "systemd-run", "ssh"})
"""Programs whose `-u` and `--user` name an owner or a host."""
PLACEHOLDER = lazy_pattern(
    r"""|none|null|true|false|yes|no|on|off|auto|default|todo|changeme|change_me|redacted|x{2,}|\*+|\.{2,}|-+
    |<.*>|\[.*\]|\$.*|%.*%|\{.*\}|your[-_ ].*|(?:env|file|vault|op|keyring):.*""",
    re.IGNORECASE | re.VERBOSE | re.DOTALL,
)
# ~/.kaggle/key.json and certs/server.pem name a file, and are no secrets themselves
PATH = lazy_pattern(
    r"(?:[~.]{0,2}/.*|.*\.(?:json|ya?ml|toml|txt|env|ini|cfg|conf|pem|key|pub|crt|py|csv|pickle|pkl|bin|model))"
)
NUMBER = lazy_pattern(r"[-+]?[0-9.]+(?:[eE][-+]?[0-9]+)?")
EXAMPLE_PASSWORDS = frozenset({
    b"password", b"passwd", b"pass", b"pwd", b"pw", b"secret", b"user", b"username", b"postgres", b"root", b"test", b"guest",
    b"admin", b"example", b"token", b"changeme", b"mysql", b"p", b"x", b"foo", b"bar", b"mypassword", b"yourpassword",
})  # fmt: skip
"""Passwords in example URLs of documentation."""

# key = value   "key": "value"   key: value
ASSIGNED = r"[\"']?\s{0,9}[=:]\s{0,9}[\"']?"
SHAPES = {
    # the literal is found first; (?<=\bgh[pousr]_) then looks at the text before it: `ghp_`
    "_": {
        "github": r"(?<=\bgh[pousr]_)[A-Za-z0-9]{36}|(?<=\bgithub_pat_)[A-Za-z0-9_]{50,200}",
        "hub": r"(?<=\bhf_)[A-Za-z0-9]{34}\b",
        "api": r"(?<=\bgsk_)[A-Za-z0-9]{40,90}|(?<=\br8_)[A-Za-z0-9]{37}\b",
        "package": r"(?<=\bnpm_)[A-Za-z0-9]{36}\b|(?<=\bdckr_[po]at_)[A-Za-z0-9_-]{27,60}",
        "stripe": r"(?<=\b[sr]k_live_)[0-9a-zA-Z]{20,120}",
        "cloud": r"(?<=\bdop_v1_)[a-f0-9]{64}|(?<=\bshp(?:at|ss|ca|pa)_)[a-fA-F0-9]{32}|(?<=\bsbp_)[a-f0-9]{40}"
        r"|(?<=\bglsa_)[A-Za-z0-9]{32}",
        "secret": rf"(?i:(?<=secret_)access_key){ASSIGNED}(?![A-Za-z0-9/+]{{0,40}}EXAMPLE)[A-Za-z0-9/+]{{40}}\b",
    },
    "-": {
        "api": r"(?<=\bsk-)(?:[A-Za-z0-9]{32,200}|(?:proj|svcacct|admin|ant|or)-[A-Za-z0-9_-]{20,300})",
        "gitlab": r"(?<=\bglpat-)[A-Za-z0-9_-]{20}|(?<=\bgl[rd]t-)[A-Za-z0-9_-]{20}|(?<=\bglptt-)[a-f0-9]{40}",
        "slack": r"(?<=\bxox[abeoprs]-)[A-Za-z0-9-]{20,250}",
        "package": r"(?<=\bpypi-)AgE[A-Za-z0-9_-]{50,500}",
        "google": r"(?<=\bGOCSPX-)[A-Za-z0-9_-]{28}",
        "private": r"(?<=\bPuTTY-)User-Key-File-[23]",
    },
    "-----BEGIN ": {"private": r"(?:[A-Z0-9]{1,20} ){0,3}PRIVATE KEY(?: BLOCK)?-----"},
    "A": {
        # AKIAIOSFODNN7EXAMPLE stands in the documentation of AWS
        "aws": r"(?<=\bA)(?:KIA|SIA|BIA|CCA)(?![0-9A-Z]{0,16}EXAMPLE)[0-9A-Z]{16}\b",
        "google": r"(?<=\bA)Iza[0-9A-Za-z_-]{35}\b",
        "cloud": r"(?<=\bA)(?:GE-SECRET-KEY-1[A-Z0-9]{58}|ccountKey=[A-Za-z0-9/+]{86}==)",
    },
    ".": {
        "cloud": r"(?<=\bSG\.)[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43}|(?<=\bhvs\.)[A-Za-z0-9_-]{24,200}"
        r"|atlasv1\.[A-Za-z0-9_=-]{60,200}",
        "google": r"(?<=\bya29\.)[A-Za-z0-9_-]{30,500}",
        "slack": r"slack\.com/services/T[A-Z0-9]{6,20}/B[A-Z0-9]{6,20}/[A-Za-z0-9]{20,40}",
    },
    # base64 of `{"` and a letter, with which header and payload begin
    "eyJ": {"jwt": r"(?<=\beyJ)[A-Za-z0-9_-]{10,900}\.eyJ[A-Za-z0-9_-]{10,1900}\.[A-Za-z0-9_-]{20,900}"},
    "dapi": {"cloud": r"(?<=\bdapi)[a-f0-9]{32}\b"},
    # without the first letter: headers are written Authorization or authorization
    "uthorization": {"bearer": rf"{ASSIGNED}(?:[Bb]earer|[Bb]asic|[Tt]oken) [A-Za-z0-9._~+/=-]{{16,900}}"},
    "UTHORIZATION": {"bearer": rf"{ASSIGNED}(?:[Bb]earer|[Bb]asic|[Tt]oken) [A-Za-z0-9._~+/=-]{{16,900}}"},
    "SecretAccessKey": {"secret": rf"{ASSIGNED}[A-Za-z0-9/+]{{40}}\b"},
    "://": {
        "url": r"[^\s/:@\"'<>{}$%*]{0,64}:(?P<password>[^\s/:@\"'<>{}$%*]{1,64})@(?P<host>[^\s/:\"'<>]{1,99})",
    },
}
"""Shapes of keys by a literal text that all of them contain: searching for that first is ten times faster."""
DESCRIPTIONS = {
    "aws": "an AWS access key", "secret": "an AWS secret key", "github": "a GitHub token", "gitlab": "a GitLab token",
    "slack": "a Slack token", "hub": "a Hugging Face token", "api": "an API key", "google": "a Google API key",
    "stripe": "a Stripe key", "package": "a token of a package registry", "cloud": "a token of a cloud service",
    "bearer": "an Authorization header", "jwt": "a JSON web token", "private": "a private key",
    "url": "a password in a URL",
}  # fmt: skip
MIN_SECRET, MAX_SECRET, CONTEXT = 16, 4096, 80
"""Fewest bytes of a shape other than a URL, most bytes of any, and bytes of context before one."""


class Scanner:
    """A scanner for content that arrives in pieces of any size; keeps at most the last few KiB."""

    def __init__(self) -> None:
        self._rest = b""
        self._is_first = True
        self.finding = ""

    def feed(self, piece: bytes) -> None:
        """Scans the next piece. Sets `finding` to a description once something looks like a secret."""
        if not self.finding:
            text = self._rest + piece
            self.finding = find_secret(text, is_first=self._is_first, is_last=False)
            self._is_first = self._is_first and len(text) <= MAX_SECRET
            # scanned again with the next piece, because a secret may span two
            self._rest = text[-MAX_SECRET:]

    def close(self) -> str:
        """Scans the rest. Returns a description of what looks like a secret; empty if nothing does."""
        self.finding = self.finding or find_secret(self._rest, is_first=self._is_first, is_last=True)
        self._rest = b""
        return self.finding


def find_secret(text: bytes, *, is_first: bool = True, is_last: bool = True) -> str:
    """Returns a description of the first part of the text that looks like a secret; empty if nothing does.

    If the text is a part (not `is_first` or not `is_last`), matches at its edges do not count: they may be incomplete.
    """
    start, end = 0 if is_first else CONTEXT, len(text) + is_last
    for match in find_shapes(text):
        is_whole = start <= match.start() and match.end() < end
        if is_whole and not (match.lastgroup == "url" and is_example(match["password"], match["host"])):
            return DESCRIPTIONS[match.lastgroup or ""]
    return ""


def find_shapes(text: bytes) -> Iterator[re.Match[bytes]]:
    """Yields the matches of all shapes in the text."""
    for one in compiled_shapes():
        yield from one.finditer(text)


@lru_cache(maxsize=1)
def compiled_shapes() -> tuple[re.Pattern[bytes], ...]:
    """Compiles the shapes on first use, because that takes as long as the rest of a short command."""
    shapes = []
    for text, kinds in SHAPES.items():
        either = "|".join(f"(?P<{kind}>{pattern})" for kind, pattern in kinds.items())
        shapes.append(re.compile(f"{re.escape(text)}(?:{either})".encode()))
    return tuple(shapes)


def is_example(password: bytes, host: bytes) -> bool:
    """Returns whether a password in a URL is one of documentation or tests."""
    return password.lower() in EXAMPLE_PASSWORDS or host.lower().startswith(
        (b"localhost", b"127.0.0.1", b"example.", b"host", b"[::1]")
    )


def is_secret_file(path: str, patterns: Sequence[str]) -> bool:
    """Returns whether the path of a file looks like that of a secret; the last matching pattern decides."""
    # from the end, since the last pattern that matches decides
    for pattern, piece in reversed(with_literal_parts(tuple(patterns))):
        if piece in path and matches_path(path, pattern.removeprefix("!")):
            return not pattern.startswith("!")
    return False


def matches_path(path: str, pattern: str) -> bool:
    """Returns whether a pattern matches a file's name, or the end of its path if the pattern contains a `/`."""
    return fnmatchcase(f"/{path}", f"*/{pattern}") if "/" in pattern else fnmatchcase(path.rpartition("/")[2], pattern)


@lru_cache(maxsize=4)
def with_literal_parts(patterns: tuple[str, ...]) -> tuple[tuple[str, str], ...]:
    """Returns each pattern with its longest literal part: most paths lack it, and need no pattern match."""
    return tuple((one, max(re.split(r"\[[^]]*\]|[*?]", one.removeprefix("!")), key=len)) for one in patterns)


def is_secret_name(name: str) -> bool:
    """Returns whether a name is one of a password, key or token: `hf_token`, `--api-key`, `clientSecret`."""
    lower = name.lower()
    if not any(part in lower for part in QUICK_TEST):
        return False
    words = name_words(name)
    # `ask_password` and `no_auth` are switches
    if not words or words[0] in SWITCHES:
        return False
    last, before = words[-1], words[-2] if len(words) > 1 else ""
    if last in PASSWORDS or last in ACCOUNTS:
        return True
    # `pad_token` and `eos_token` are pieces of text, `hf_token` is a secret
    if last == "token":
        return before not in TEXT_TOKENS
    # `api_key` is a secret, `sort_key` is none
    if last == "key":
        return before in KEYS
    return last in {"pass", "pwd", "pw", "auth", "pat"} and (
        before in USERS or (last == "pat" and before in {"github", "gh", "azure"})
    )


def name_words(name: str) -> list[str]:
    """Splits a name into lower-case words without a final number: `API_KEY_2` and `apiKey` are `api`, `key`."""
    # parts camelCase
    parted = re.sub(r"([a-z0-9])([A-Z])", r"\1 \2", name)
    words = [word.lower() for word in re.split(r"[^A-Za-z0-9]+", parted) if word]
    while len(words) > 1 and words[-1].isdigit():
        words.pop()
    return words


def is_secret_value(name: str, value: object) -> bool:
    """Returns whether a value is a secret, by its name and by not being a number, placeholder or path."""
    if isinstance(value, list):
        return any(is_secret_value(name, item) for item in value)
    if isinstance(value, bool) or value is None or not is_secret_name(name):
        return False
    text, last = str(value), name_words(name)[-1]
    if PLACEHOLDER.fullmatch(text) or PATH.fullmatch(text):
        return False
    # 123456 may be a password, but hardly a key or a token
    return last in PASSWORDS or last in {"pass", "pwd", "pw"} or not NUMBER.fullmatch(text)


def secrets_in_flags(flags: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """Yields the names of flags whose values look like secrets, each with a description."""
    for name, value in flags.items():
        if is_secret_value(name, value):
            yield name, "a secret"
        else:
            yield from ((name, secret) for text in texts_in_value(value) if (secret := describe_secret(text)))


def texts_in_value(value: object) -> Iterator[str]:
    """Yields the texts in a value: itself, or those in its lists."""
    if isinstance(value, list):
        for item in value:
            yield from texts_in_value(item)
    elif isinstance(value, str):
        yield value


def describe_secret(text: str) -> str:
    """Describes the secret in a typed value; empty without one. Any password in a URL counts, even an example."""
    # most flags are short: spare them the patterns
    if len(text) < MIN_SECRET and "://" not in text:
        return ""
    # a word that is not UTF-8 gets its bytes back
    data = text.encode(errors="surrogateescape")
    if shape := find_secret(data):
        return shape
    return next((DESCRIPTIONS["url"] for match in find_shapes(data) if match.lastgroup == "url"), "")


def secrets_in_words(words: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yields the names of secrets in the words of a command, each with a description, never the value."""
    for position, word in enumerate(words):
        # a value may stand in the word itself or in the next one
        name, following = option_and_value(word, words[position + 1 : position + 2])
        gives_login = name in LOGINS and is_login(following) and not names_owner_program(words[:position])
        if gives_login or is_secret_value(name, following):
            yield name, "a secret"
        elif secret := describe_secret(word):
            yield f"word {position + 1}", secret
        elif inner := split_shell_command(word):  # the argument of `sh -c`
            yield from secrets_in_words(inner)


def option_and_value(word: str, following: Sequence[str]) -> tuple[str, str]:
    """Returns the name that a word gives a value to, and the value: `--key=x`, `--key x`, `NAME=x`, `-ux`."""
    name, equals, value = word.partition("=")
    if equals and re.fullmatch(r"-{0,2}[A-Za-z_][\w.-]*", name):
        return name, value
    # `--key --other` gives no value
    gives_value = word.startswith("-") and following and not following[0].startswith("-")
    if gives_value and re.fullmatch(r"--?[A-Za-z_][\w.-]*", word):
        return word, following[0]
    return ("-u", word[2:]) if word.startswith("-u") and len(word) > 2 else ("", "")


def is_login(text: str) -> bool:
    """Returns whether the text is `user:password` and not `uid:gid`, `host:path` or `user:group`."""
    user, colon, password = text.partition(":")
    # `build:build` and `1000:1000` name owners, as for chown
    is_other = bool(colon and user and password) and user != password and not (user.isdigit() and password.isdigit())
    return is_other and "/" not in text and not PLACEHOLDER.fullmatch(password)


def names_owner_program(words: Sequence[str]) -> bool:
    """Returns whether these words contain a program whose `-u` names an owner or a host."""
    return any(word.rpartition("/")[2] in OWNERS for word in words)


def split_shell_command(word: str) -> list[str]:
    """Splits a word that holds a shell command into words; returns none if it is a single word."""
    if not any(char.isspace() or char in ";&|" for char in word):
        return []
    try:
        parts = shlex.split(word.replace(";", " ").replace("&", " ").replace("|", " "))
    except ValueError:  # an unclosed quote
        parts = word.split()
    return parts if parts != [word] else []


def describe_secrets(secrets: Iterable[tuple[str, str]]) -> list[str]:
    """Describes what was found, without duplicates."""
    return list(dict.fromkeys(f"{name} ({what})" if what != "a secret" else name for name, what in secrets))
