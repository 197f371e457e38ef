"""`git run install-docs`: installs the man pages and completions for this user."""

from __future__ import annotations

import os
from pathlib import Path

import click

from gitrun.commands import declared
from gitrun.commands.verbs import TOPICS
from gitrun.model.text import count_text, safe_text

SHARE = Path(__file__).parents[1] / "share"
# below the data directory, where man, bash and fish look by themselves
PLACES = {
    "git-run.1": "man/man1/git-run.1",
    **{f"man/git-run-{topic}.7": f"man/man7/git-run-{topic}.7" for topic in TOPICS},
    "completion/git-run": "bash-completion/completions/git-run",
    "completion/_git-run": "zsh/site-functions/_git-run",
    "completion/git-run.fish": "fish/vendor_completions.d/git-run.fish",
    "completion/git-run.conf.fish": "fish/vendor_conf.d/git-run.fish",
}
OURS = b"git-run-tracker"
"""Marker in every file that we install, in all versions."""


@declared.command(add_help_option=False)
@declared.option("--uninstall", is_flag=True, help="Remove them again.")
def command(*, uninstall: bool) -> int:
    r"""Installs the man pages and the completions for bash, zsh and fish in ~/.local/share (or XDG_DATA_HOME).

    \b
      git run install-docs

    You need this if man and the shell do not find them, as with pipx and uv tool. It does not overwrite files of others.
    """
    skipped = 0
    for name, directory in PLACES.items():
        file = data_home() / directory
        outcome = remove(file) if uninstall else install((SHARE / name).read_bytes(), file)
        say(f"{outcome}: {safe_text(str(file))}")
        skipped += outcome.startswith("left")
    if not uninstall:
        # zsh searches only $fpath, which has no directory below the home directory by default
        zsh = data_home() / "zsh/site-functions"
        say(f"note: zsh needs this line in ~/.zshrc, before compinit: fpath=({safe_text(str(zsh))} $fpath)")
    if skipped:
        say(f"{count_text(skipped, 'file')} not written by gitrun. To install ours: move them away first")
    return 1 if skipped else 0


def say(words: str) -> None:
    """Prints a message on stderr."""
    click.echo(f"gitrun: {words}", err=True)


def data_home() -> Path:
    """Returns the user's data directory (XDG_DATA_HOME)."""
    directory = os.environ.get("XDG_DATA_HOME", "")
    # the XDG specification ignores relative paths
    return Path(directory) if directory.startswith("/") else Path.home() / ".local/share"


def is_foreign(file: Path) -> bool:
    """Returns whether the path holds something that we did not install."""
    # gitrun writes no links, so a link belongs to somebody else
    return file.is_symlink() or (file.exists() and not (file.is_file() and OURS in file.read_bytes()))


def install(content: bytes, file: Path) -> str:
    """Writes the file. Returns a word for the outcome."""
    if is_foreign(file):
        return "left as it is"
    if file.exists() and file.read_bytes() == content:
        return "already installed"
    file.parent.mkdir(parents=True, exist_ok=True)
    # a shell that starts at this moment, or a kill, must not meet half a file
    beside = file.with_name(f".{file.name}.{os.getpid()}")
    beside.write_bytes(content)
    beside.replace(file)
    return "installed"


def remove(file: Path) -> str:
    """Removes the file. Returns a word for the outcome."""
    if is_foreign(file):
        return "left as it is"
    if not file.exists():
        return "not installed"
    # the directories stay: other programs install their pages there too
    file.unlink()
    return "removed"
