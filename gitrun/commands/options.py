"""Moves a script's options behind `--` if they were typed before it, as in `git run train.py --lr 0.3`."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import click

from gitrun.commands.usage_errors import find_offer
from gitrun.commands.verbs import load_command
from gitrun.errors import UsageError
from gitrun.scripts.passthrough import ABBREVIATING, CLICK_BOOLS, DASHED, with_dashes

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from gitrun.model.flags import Flag
    from gitrun.scripts.discover import Command
    from gitrun.source.catalog import Offer

SIGNS = ("+", "~")
"""Prefixes of Hydra words that add to a configuration or remove from it."""
HYDRA = "hydra"
ABSL = "absl"


def move_options(words: Sequence[str]) -> list[str] | None:
    """Returns the words with the script's own options behind `--`; None if one is neither ours nor the script's.

    Raises UsageError for an option without its value, and for an unknown one behind one of the script's.
    """
    end = words.index("--") if "--" in words else len(words)
    ours, rest = list(words[:end]), list(words[end + 1 :])
    # --tag takes the next word, --needed does not
    takes = {name: not param.is_flag for param in run_options() for name in param.opts}
    offer = find_operation(ours, takes)
    if offer is None:
        return None
    front: list[str] = []
    behind: list[str] = []
    own_words: list[str] = []
    at = 0
    while at < len(ours):
        name, equals, _ = ours[at].partition("=")
        if is_known(name, takes):
            # `--tag x` are two words, `--tag=x` is one
            count = 2 if takes.get(name) and not equals else 1
            own_words += ours[at : at + count]
        elif not name.startswith("-"):
            count = 1
            own_words += ours[at : at + 1]
        else:
            inner = False
            flag = find_flag(name, offer.flags or (), offer.frontend)
            if flag is None:
                # a sub-command's option must follow its name: tool.py --verbose train --lr 0.1
                flag, inner = find_flag(name, flags_below(offer.commands), offer.frontend), True
            if flag is None and (front or behind):
                raise UsageError(f"{offer.name} has no option {name}", "To pass it to the program: put it after --")
            if flag is None:
                return None
            is_alone = equals or not takes_value(flag, name) or is_bare_switch(flag, ours[at + 1 :], offer)
            count = 1 if is_alone else 1 + count_values(ours[at + 1 :], flag, offer)
            if not is_alone and count == 1:
                raise UsageError(f"option {name} of {offer.name} needs a value", f"To give it: {flag.name}=VALUE")
            (behind if inner else front).extend(ours[at : at + count])
        at += count
    return [*own_words, "--", *front, *rest, *behind]


def hydra_words(operation: str, words: Sequence[str], commit: str | None = None) -> list[str]:
    """Returns the words that edit a Hydra configuration, `+a=1`, `++a=1` and `~a`, if the script uses Hydra.

    The script is that of the commit, or of the working tree.
    """
    assignments = [word for word in words if word.startswith(SIGNS)]
    # the script is read only for words that could be Hydra's
    offer = find_offer(operation, commit) if assignments else None
    return assignments if offer and offer.frontend == HYDRA else []


def run_options() -> list[click.Option]:
    """Returns the options of git run."""
    return [param for param in load_command("run").params if isinstance(param, click.Option)]


def find_operation(words: Sequence[str], takes: dict[str, bool]) -> Offer | None:
    """Returns the operation among the words, skipping the values of options."""
    before, commit = "", find_commit_word(words)
    for word in words:
        if before in {"-m", "--module"}:
            return find_offer(f"-m {word}", commit)
        is_name = not takes.get(before) and not word.startswith(("-", *SIGNS)) and "=" not in word
        if is_name and (offer := find_offer(word, commit)):
            return offer
        before = word
    return None


def find_commit_word(words: Sequence[str]) -> str | None:
    """Returns the value of `--at`; None without it."""
    joined = next((word.removeprefix("--at=") for word in words if word.startswith("--at=")), None)
    return next((value for word, value in pairwise(words) if word == "--at"), joined)


def is_known(name: str, takes: dict[str, bool]) -> bool:
    """Returns whether git run has the option; short options may be combined."""
    # `-yn` is two options, `--yn` is one
    is_letters = name[:1] == "-" != name[1:2] and len(name) > 1
    return name in takes or (is_letters and all(takes.get(f"-{letter}") is False for letter in name[1:]))


def find_flag(name: str, flags: Iterable[Flag], frontend: str) -> Flag | None:
    """Returns the flag that the option sets. The start of one option is enough where the front end takes it for the option."""
    options = {word: flag for flag in flags for word in (flag.option, *flag.aliases, *switch_off_words(flag))}
    if frontend in DASHED:
        name, options = with_dashes(name), {with_dashes(word): flag for word, flag in options.items()}
    # --config.lr belongs to --config
    if frontend == ABSL:
        return options.get(name.partition(".")[0])
    if name in options or frontend not in ABBREVIATING or not name.startswith("--"):
        return options.get(name)
    near = {flag.name: flag for word, flag in options.items() if word.startswith(name)}
    return next(iter(near.values())) if len(near) == 1 else None


def switch_off_words(flag: Flag) -> tuple[str, ...]:
    """Returns the options that set the flag to a fixed value."""
    # argparse.BooleanOptionalAction: --no-verbose beside --verbose
    if flag.action == "boolean_optional":
        return tuple(f"--no-{word[2:]}" for word in (flag.option, *flag.aliases) if word.startswith("--"))
    # absl writes --noverbose
    if flag.action == "equals" and flag.kind == "bool":
        return (f"--no{flag.option.lstrip('-')}",)
    return tuple(word for word in flag.words if word.startswith("-") and len(word) > 2)


def takes_value(flag: Flag, name: str) -> bool:
    """Returns whether a value follows the option."""
    is_switch = flag.action in {"store_true", "store_false", "boolean_optional", "switch", "const", "count", "times"}
    is_off = with_dashes(name) in map(with_dashes, switch_off_words(flag))
    return not (is_switch or is_off or (flag.action == "equals" and flag.kind == "bool"))


def is_bare_switch(flag: Flag, words: Sequence[str], offer: Offer) -> bool:
    """Returns whether an option that may have true or false as its value has none. `words` follow it."""
    after = "".join(words[:1])
    if flag.action == "titled" and offer.frontend == "dataclasses":
        return after.lower() not in CLICK_BOOLS
    return flag.bare is not None and (not after or after.startswith("-") or "=" in after or after == offer.name)


def count_values(words: Sequence[str], flag: Flag, offer: Offer) -> int:
    """Returns the number of words that are values of the option: one, or all up to the next flag if it takes several."""
    if flag.size or not flag.many or flag.action in {"append", "repeat", "equals", "separated", "spaced"}:
        return min(flag.size or 1, len(words))
    # `--layers 64 32 train.py`: two values, then the operation
    stops = (at for at, word in enumerate(words) if word.startswith("--") or "=" in word or word == offer.name)
    return next(stops, len(words))


def flags_below(commands: Iterable[Command]) -> Iterator[Flag]:
    """Yields the flags of sub-commands."""
    for command in commands:
        yield from command.flags
        yield from flags_below(command.commands)
