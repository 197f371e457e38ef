"""Reads the words after `--` as a script's front end will: some give a flag, the others stay words.

A word counts as a flag only if there is one way to read it. All others stay on the command line unchanged.
"""

from __future__ import annotations

from gitrun.dataclass import dataclass, field
from gitrun.lazy import lazy_pattern
from gitrun.model.flags import Flag, Typed, Value, is_flag_name
from gitrun.model.values import parse_spelled, parse_value
from gitrun.scripts.script import ReadWords, find_commands, locate_commands

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from gitrun.scripts.script import Given, Script

ASSIGNING = ("hydra", "omegaconf", "sacred")
"""The front ends whose words are `name=value`. Sacred expects them after `with`."""
# argparse takes --learn for --learning-rate
ARGPARSE = ("argparse", "argparse-typed")
"""The front ends for programs that use argparse."""
ABBREVIATING = ("argparse", "dataclasses")
"""The front ends that accept an abbreviated option."""
DASHED = ("fire", "tyro", "dataclasses")
"""The front ends that treat `-` and `_` in an option alike."""
STRICT = ("click", "typer", "absl", "tyro", "dataclasses")
"""The front ends that refuse an option that the program does not define."""
SWITCHED = {"store_true": True, "store_false": False, "boolean_optional": True, "switch": True}
COUNTED = ("count", "times")
# the words of click.types.BoolParamType
CLICK_BOOLS = dict.fromkeys(("1", "true", "t", "yes", "y", "on"), True) | dict.fromkeys(
    ("0", "false", "f", "no", "n", "off"), False
)
# the words of absl.flags.BooleanParser
ABSL_BOOLS = {"true": True, "t": True, "1": True, "false": False, "f": False, "0": False}
# -5, -.5, -1e-05
NEGATIVE = lazy_pattern(r"-\d+|-\d*\.\d+|-\d+(\.\d*)?[eE][+-]?\d+")
# train, data/a.csv, user:latest
PLAIN_WORD = lazy_pattern(r"[A-Za-z_][A-Za-z0-9_./:-]*")
GRAMMAR = lazy_pattern(r"[{}()$]|^[^\[]*,")
"""Text with a meaning in Hydra's or OmegaConf's grammar that a flag cannot hold."""


class Unclear(Exception):
    """Raised for a word that has no single meaning."""


def read_given_words(script: Script, words: Sequence[str]) -> ReadWords:
    """Returns the flags that words give a script with options, and the words that stay."""
    if script.frontend in ASSIGNING:
        return read_assignments(script, words)
    if any(word.startswith(tuple(script.file_prefixes)) for word in words):
        # the file may hold any argument of the program
        return ReadWords({}, tuple(words), frozenset(flag.name for flag in script.flags if not flag.file))
    return WordReader(script, words).read()


def read_assignments(script: Script, words: Sequence[str]) -> ReadWords:
    """Reads `name=value` words for Hydra, OmegaConf and Sacred."""
    names = {flag.name for flag in script.flags}
    added_names = {flag.name for flag in script.flags if flag.option.startswith("+")}
    assignments: dict[str, Given] = {}
    rest: list[str] = []
    unsure: set[str] = set()
    for word in words:
        name, equals, text = word.partition("=")
        # +a=1 adds a value, ++a=1 adds or changes it, ~a deletes it
        bare = name.lstrip("+~") if script.frontend == "hydra" else name
        is_plain = (bool(equals) and not name.startswith(("+", "~"))) or (name.startswith("++") and bool(equals))
        is_plain = is_plain or (bool(equals) and bare in added_names)
        if bare in names and is_plain and not GRAMMAR.search(text):
            assignments[bare] = Typed(text)
            continue
        rest.append(word)
        # a word for db may also change db.host
        if bare and (equals or name.startswith("~")):
            unsure |= {full_name for full_name in names if full_name == bare or full_name.startswith(f"{bare}.")}
        elif script.frontend == "sacred" and "with" in rest[:-1]:
            unsure |= names  # a named configuration may change any of them
    if script.frontend == "sacred" and rest[-1:] == ["with"]:
        rest.pop()  # all values after `with` became flags, before whose words a `with` is added again
    return ReadWords(assignments, tuple(rest), frozenset(unsure - assignments.keys()))


@dataclass
class WordReader:
    """A reader of words in the manner of argparse, click, absl, Fire, jsonargparse and tyro."""

    script: Script
    words: Sequence[str]
    assignments: dict[str, Given] = field(default_factory=dict)
    kept_words: dict[int, str] = field(default_factory=dict)
    loose: list[int] = field(default_factory=list)
    """The indexes of the words that are not options."""
    unsure: set[str] = field(default_factory=set)
    is_clear: bool = True

    def __post_init__(self) -> None:
        """Builds the table of options."""
        self.is_clear = not self.script.partial
        self.options = dict(option_table(self.script))
        self.commands = {start for start, _ in locate_commands(self.script, self.words)}

    def read(self) -> ReadWords:
        """Reads the words up to their end, or up to `--` or an argument that takes all the rest."""
        at = 0
        takes_rest = any(flag.action == "positional" and flag.words for flag in self.script.flags)
        while at < len(self.words):
            word = self.words[at]
            if word == "--" or (takes_rest and at not in self.commands and is_loose(word)):
                self.is_clear = False
                self.keep(at, len(self.words))
                break
            if is_loose(word):
                self.loose += [] if at in self.commands else [at]
                self.keep(at, at + 1)
                at += 1
                continue
            try:
                at += self.option(at)
            # the words after an unclear option may be its values, so no word is assigned to an argument
            except Unclear:
                self.is_clear = False
                self.keep(at, at + 1)
                self.unsure |= {flag.name for flag, _ in self.named(word)} or self.set_by_unread()
                at += 1
        self.arguments()
        is_file = self.script.frontend == "dataclasses" and all(map(is_loose, self.words)) and not self.has_arguments()
        # a program may read all values from a file that its only word names
        if is_file and self.loose:
            self.unsure |= {flag.name for flag in self.script.flags}
        rest = tuple(word for _, word in sorted(self.kept_words.items()))
        # a flag that a word gives is passed on with its value
        return ReadWords(self.assignments, rest, frozenset(self.unsure - self.assignments.keys()))

    def set_by_unread(self) -> set[str]:
        """Returns the flags that an unknown option may set."""
        # the program takes the option, so it may be a spelling that was not read from the source
        is_spelling = self.script.frontend in STRICT and not self.script.partial
        return {flag.name for flag in self.script.flags} if is_spelling else set()

    def keep(self, start: int, end: int) -> None:
        """Leaves these words on the command line."""
        self.kept_words |= {number: self.words[number] for number in range(start, end)}

    def spelled(self, name: str) -> str:
        """Returns the option as the table of options spells it."""
        return with_dashes(name) if self.script.frontend in DASHED else name

    def named(self, word: str) -> list[tuple[Flag, object]]:
        """Returns the flag of the option that the word is, with the value that it stands for (`TAKES` if it takes one).

        Returns several if the word abbreviates several options or combines short ones.
        """
        name = self.spelled(word.partition("=")[0])
        if name in self.options:
            return [self.options[name]]
        # absl takes -lr for --lr
        if self.script.frontend == "absl" and name.startswith("-") and f"-{name}" in self.options:
            return [self.options[f"-{name}"]]
        if self.script.frontend in {*ABBREVIATING, *ARGPARSE} and name.startswith("--") and len(name) > 2:
            return [flag for option, flag in self.options.items() if option.startswith(name)]
        if self.script.frontend == "fire":
            return self.named_for_fire(name)
        # -vq can be two switches, -n5 an option with its value
        if not name.startswith("--") and word[:2] in self.options:
            return [self.options[option] for letter in word[1:] if (option := f"-{letter}") in self.options]
        return []

    def named_for_fire(self, name: str) -> list[tuple[Flag, object]]:
        """Returns the flags that Fire may take an option for: `-lr` and `-l` for `--lr`, `--nobest` for `--best`."""
        bare = name.lstrip("-")
        if f"--{bare}" in self.options:
            return [self.options[f"--{bare}"]]
        if bare.startswith("no") and f"--{bare[2:]}" in self.options:
            return [(self.options[f"--{bare[2:]}"][0], False)]
        return [(flag, UNKNOWN) for option, (flag, _) in self.options.items() if len(bare) == 1 and option[2:3] == bare]

    def option(self, at: int) -> int:
        """Reads the option at an index. Returns the number of words that it uses. Raises Unclear."""
        word = self.words[at]
        name, equals, text = word.partition("=")
        # --config.lr=0.1 of ml_collections, which reads its flags only when it runs
        if equals and self.script.frontend == "absl" and self.base(name) and name not in self.options:
            self.assignments[name.lstrip("-")] = Typed(text)
            return 1
        flag_named = self.named(word)
        if self.script.frontend == "fire" and (flag := self.bare_flag(at, flag_named)):
            self.assignments[flag.name] = flag_named[0][1] is not False
            return 1
        is_short = word[:2] in self.options and not name.startswith("--") and name not in self.options
        is_short = is_short and self.script.frontend != "absl"
        if is_short and flag_named:
            return self.short(word)
        if len({id(flag) for flag, _ in flag_named}) != 1 or len(flag_named) != 1:
            raise Unclear
        flag, stands_for = flag_named[0]
        # what abbreviates an option may be another one that was not read
        # Fire takes --nobest for false only where no value follows
        if (
            (stands_for is False and self.script.frontend == "fire")
            or stands_for is UNKNOWN
            or (self.script.partial and name.startswith("--") and self.spelled(name) not in self.options)
        ):
            raise Unclear
        if stands_for is not TAKES:
            return self.switch(flag, stands_for, text if equals else None)
        if equals:
            self.give(flag, [text])
            return 1
        # HfArgumentParser and simple_parsing take --x for --x True
        bare = True if flag.action == "titled" and self.script.frontend == "dataclasses" else flag.bare
        if bare is not None and not (at + 1 < len(self.words) and is_loose(self.words[at + 1])):
            self.assignments[flag.name] = bare
            return 1
        values = self.values(flag, at + 1)
        self.give(flag, list(self.words[at + 1 : at + 1 + values]))
        return 1 + values

    def base(self, name: str) -> str:
        """Returns the option that names the configuration of `--config.lr`; empty if there is none."""
        start, dot, rest = name.lstrip("-").partition(".")
        return f"--{start}" if dot and is_flag_name(f"{start}.{rest}") and f"--{start}" in self.options else ""

    def bare_flag(self, at: int, named: Sequence[tuple[Flag, object]]) -> Flag | None:
        """Returns the bool that the option at an index turns on or off, since no value follows it."""
        is_bare = "=" not in self.words[at] and not (at + 1 < len(self.words) and is_loose(self.words[at + 1]))
        is_bool = is_bare and len(named) == 1 and named[0][0].kind == "bool" and named[0][1] is not UNKNOWN
        return named[0][0] if is_bool else None

    def short(self, word: str) -> int:
        """Reads the short options `-n5` and `-vq`. Returns the number of words used. Raises Unclear."""
        first, stands_for = self.options[word[:2]]
        if stands_for is TAKES:
            # argparse reads -n=5 as 5, click as =5
            if "=" in word and self.script.frontend != "argparse":
                raise Unclear
            self.give(first, [word[2:].removeprefix("=") if self.script.frontend == "argparse" else word[2:]])
            return 1
        flags = [self.options.get(f"-{letter}") for letter in word[1:]]
        if any(one is None or one[1] is TAKES for one in flags):
            raise Unclear
        for one in flags:
            if one is not None:
                self.switch(one[0], one[1], None)
        return 1

    def switch(self, flag: Flag, stands_for: object, text: str | None) -> int:
        """Reads an option that stands for a value, such as a switch. Returns the number of words used, 1. Raises Unclear."""
        if text is not None:
            # absl takes --x=false for a switch, but not --nox=false
            if flag.action != "equals" or text.lower() not in ABSL_BOOLS or stands_for is False:
                raise Unclear
            stands_for = ABSL_BOOLS[text.lower()]
        # argparse counts from the default, click from 0
        if flag.action in COUNTED:
            start = flag.default if flag.action == "count" and isinstance(flag.default, int) else 0
            before = self.assignments.get(flag.name, start)
            self.assignments[flag.name] = (before if isinstance(before, int) else 0) + 1
        else:
            self.assignments[flag.name] = stands_for  # type: ignore[assignment]  # a value of the table
        return 1

    def values(self, flag: Flag, start: int) -> int:
        """Returns the number of words from `start` on that are values of the option. Raises Unclear if it is not certain."""
        front = self.script.frontend
        # click takes exactly nargs words, even those with a dash
        if flag.size and front in {"click", "typer"}:
            return self.number(flag.size, start)
        follow = 0
        while start + follow < len(self.words) and is_value(self.words[start + follow], front):
            follow += 1
            if not (flag.many and flag.action in {"store", "append", "extend", "tyro", "any_order"}) or front == "click":
                break
        # the last words may be arguments or a sub-command instead
        if flag.many and follow != 1 and (self.has_arguments() or self.script.commands):
            raise Unclear
        if not follow:
            raise Unclear
        return follow

    def number(self, count: int, start: int) -> int:
        """Returns `count`. Raises Unclear if there are fewer words than that."""
        if start + count > len(self.words):
            raise Unclear
        return count

    def has_arguments(self) -> bool:
        """Returns whether the script takes arguments that are not options."""
        return any(flag.action == "positional" for flag in self.script.flags)

    def give(self, flag: Flag, texts: list[str]) -> None:
        """Gives the flag the value of these words. Raises Unclear if a flag cannot hold it."""
        if not flag.many and flag.action not in {"append", "extend", "repeat"}:
            self.assignments[flag.name] = read_value(flag, texts[0])
            return
        if flag.action in {"separated", "spaced"}:
            texts = texts[0].split(",") if flag.action == "separated" else texts[0].split()
            # absl reads a line of CSV, where a quote is no part of the item
            if any('"' in text for text in texts):
                raise Unclear
            self.assignments[flag.name] = [read_item(flag, text.strip()) for text in texts if text.strip()]
            return
        if flag.action == "append" and len(texts) > 1:
            raise Unclear
        items: list[Value] = [read_item(flag, text) for text in texts]
        before = self.assignments.get(flag.name)
        adds = flag.action in {"append", "extend", "repeat"} or (flag.action == "equals" and flag.many)
        if before is None and flag.action in {"append", "extend"}:
            # argparse appends to the default; click and absl replace it
            before = list(flag.default) if isinstance(flag.default, list) else []
        self.assignments[flag.name] = [*before, *items] if adds and isinstance(before, list) else items

    def arguments(self) -> None:
        """Assigns the words that are not options to the script's arguments, if it is clear which belongs to which."""
        takers = [flag for flag in self.script.flags if flag.action == "positional"]
        commands = find_commands(self.script, self.words)
        inner = {flag.name for command in commands for flag in command.flags}
        is_plain = not self.script.commands or (bool(commands) and all(flag.name in inner for flag in takers))
        self.unsure |= {flag.name for flag in takers if self.loose or not self.is_clear}
        if not self.loose or not self.is_clear or not is_plain or self.script.frontend in {"fire", "jsonargparse"}:
            return
        # only the last argument can take any number of words without doubt
        if any(flag.many for flag in takers[:-1]) or (len(self.loose) > len(takers) and not (takers and takers[-1].many)):
            return
        try:
            for number, flag in enumerate(takers[: len(self.loose)]):
                places_of = self.loose[number:] if flag.many else self.loose[number : number + 1]
                texts = [self.words[start] for start in places_of]
                self.assignments[flag.name] = (
                    [read_item(flag, text) for text in texts] if flag.many else read_value(flag, texts[0])
                )
                for start in places_of:
                    del self.kept_words[start]
            self.unsure -= {flag.name for flag in takers}
        except Unclear:
            return


UNKNOWN = object()
"""Stands for "sets a value that is not known" in the table of options."""
TAKES = object()
"""Stands for "takes a value" in the table of options."""


def option_table(script: Script) -> Iterator[tuple[str, tuple[Flag, object]]]:
    """Yields every word that gives a flag a value, with the flag and that value (`TAKES` for the next word)."""
    for flag in script.flags:
        names = [name for name in (flag.option, *flag.aliases) if name]
        if script.frontend in DASHED:
            names = [with_dashes(name) for name in names]
        if flag.action == "const":
            yield from ((word, (flag, choice)) for choice, word in zip(flag.choices, flag.words, strict=False))
            yield from ((word, (flag, UNKNOWN)) for word in flag.aliases)
            continue
        # absl makes two options of a bool: --x and --nox
        if flag.action == "equals" and flag.kind == "bool":
            yield from ((name, (flag, True)) for name in names)
            yield from ((f"--no{name.lstrip('-')}", (flag, False)) for name in names)
            continue
        stands_for = SWITCHED.get(flag.action, TAKES) if flag.kind == "bool" else TAKES
        stands_for = 1 if flag.action in COUNTED else stands_for
        yield from ((name, (flag, stands_for)) for name in names)
        if (flag.action == "switch" and stands_for is not TAKES) or flag.action == "titled":
            yield from ((with_dashes(word) if script.frontend in DASHED else word, (flag, False)) for word in flag.words)
        # --fast of dest="mode" beside an option --mode that takes a value
        if flag.option and flag.action != "switch" and (flag.action == "store" or script.frontend in ARGPARSE):
            yield from ((word, (flag, UNKNOWN)) for word in flag.words)
        if flag.action == "boolean_optional":
            yield from ((f"--no-{name[2:]}", (flag, False)) for name in names if name.startswith("--"))


def with_dashes(option: str) -> str:
    """Returns the option with `-` for every `_` after its leading dashes."""
    start = len(option) - len(option.lstrip("-"))
    return option[:start] + option[start:].replace("_", "-")


def is_loose(word: str) -> bool:
    """Returns whether the word is not an option: it has no leading dash, is a negative number, or is a lone dash."""
    # argparse takes -5 for a value unless one of its options looks like a negative number
    return not word.startswith("-") or word == "-" or NEGATIVE.fullmatch(word) is not None


def is_value(word: str, frontend: str) -> bool:
    """Returns whether the front end takes the word as the value of the option before it."""
    # click and absl take any next word for the value, even one that looks like an option
    return is_loose(word) or (frontend in {"click", "typer", "absl"} and word != "--")


def read_value(flag: Flag, text: str) -> Given:
    """Returns the value that the text gives the flag. Raises Unclear."""
    # only the empty text is false: `bool("False")` is True
    if flag.action == "type_bool":
        return bool(text)
    if flag.action == "titled":
        return read_bool_word(text.lower(), CLICK_BOOLS)
    if flag.action == "literal":
        return read_fire_literal(text)
    # no flag holds a dict
    if flag.action == "json" and text.startswith("{"):
        raise Unclear
    if text in flag.words or (text == "null" and flag.kind != "str"):
        raise Unclear
    return Typed(text)


def read_bool_word(text: str, words: Mapping[str, bool]) -> bool:
    """Returns the bool that the word stands for. Raises Unclear."""
    if text not in words:
        raise Unclear
    return words[text]


def read_fire_literal(text: str) -> Given:
    """Returns the value that Fire reads in the text: a Python literal, or the text itself. Raises Unclear."""
    from ast import literal_eval  # takes 2 ms, and few words need it

    try:
        value = literal_eval(text)
    # a text that nests deeply, such as a long row of minus signs, raises RecursionError or MemoryError
    except (ValueError, SyntaxError, MemoryError, RecursionError) as error:
        if PLAIN_WORD.fullmatch(text):
            return text
        raise Unclear from error
    if not isinstance(value, bool | int | float | str | list):
        raise Unclear
    return value


def read_item(flag: Flag, text: str) -> Value:
    """Returns an item of a list. Raises Unclear."""
    if flag.action == "literal":
        value: Given = read_fire_literal(text)
    else:
        value = parse_spelled(text) if flag.as_typed else parse_value(text)
        value = text if flag.as_typed == "all" and isinstance(value, bool) else value
    if value is None or isinstance(value, Typed):
        raise Unclear
    return value
