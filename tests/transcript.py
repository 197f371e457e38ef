"""Prose that runs: the fenced blocks of a Markdown file, lived in order in a repository and held against what happens.

    ```console          commands after `$ ` and what they write: lines of `gitrun: ` to stderr, the others to stdout
    ```pycon            Python after `>>> ` and what it prints, all of a file in one namespace
    ```python NAME.py   a file of the working tree; without a name it is run
    other blocks        are only read

What differs from one time to the next is written as an example: `3fa2c1d8` is one id wherever it stands, in commands
too; a time, how long ago it was (`just now`), a duration (`12.4s`) and a number of nine digits or more (a seed) stand
for any other. A line `...` is any lines. What is not shown of stderr is not compared.

`REWRITE_EXAMPLES=1 pytest tests/stories/test_stories.py` writes the outputs of console blocks again where they differ: to be
read as a diff before it is committed. A line `gitrun: ?` asks for the lines on stderr.
"""

from __future__ import annotations

import doctest
import os
import re
import shlex
import subprocess
from contextlib import redirect_stdout
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from calling import call

if TYPE_CHECKING:
    from collections.abc import Iterator

BLOCK = re.compile(r"^```(\w+)[ ]?([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
EXAMPLE = re.compile(
    r"(?P<id>\b(?=[0-9]*[a-f])(?=[a-f]*[0-9])[0-9a-f]{7,40}\b)"
    r"|(?P<zulu>[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z)|(?P<time>[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9:]{8})"
    r"|(?P<ago>\bjust now\b|\b[0-9]+ [a-z]+ ago\b)|(?P<duration>\b[0-9]+\.[0-9]{1,2}s\b)|(?P<number>\b[0-9]{9,}\b)"
)
ANY = {
    "ago": "just now|[0-9]+ [a-z]+ ago", "zulu": r"[0-9-]{10}T[0-9:.]{15}Z", "time": r"[0-9-]{10} [0-9:]{8}",
    "duration": r"[0-9]+\.[0-9]{1,2}s", "number": r"[0-9]+",
}  # fmt: skip
OURS = "gitrun: "
HOOK_SETTING = re.compile(r"hook\.gitrun-(\S+), a setting of git")
PLAIN = re.compile(r"""git run(?: (?!~)(?:[][\w./:=,@%+~-]|'[^'\n]*'|"[^"$`\\\n]*")+)*\n""")
"""Commands about which a shell does nothing: no file here has a name that `lr=[0.1,0.2]` fits."""


@dataclass
class Transcript:
    """What has been lived so far of one file: where we stand, the last exit status, the real ids, Python's names."""

    directory: Path
    status: int = 0
    ids: dict[str, str] = field(default_factory=dict)
    names: dict[str, Any] = field(default_factory=dict)
    spelled: dict[str, str] = field(default_factory=dict)

    def rewrite(self, text: str) -> str:
        """The text with what its console commands write now."""
        return BLOCK.sub(self.rewrite_block, text)

    def rewrite_block(self, block: re.Match[str]) -> str:
        """A block, its outputs renewed if it is a console."""
        language, name, body = block.groups()
        if language != "console":
            self.live_block(language, name, body)
            return block[0]
        found = "".join(self.rewrite_command(command, expected) for command, expected in commands(body))
        return block[0].replace(body, found)

    def rewrite_command(self, command: str, expected: str) -> str:
        """A command with what is written, if that is true, else with what it wrote."""
        ended = self.obey(command)
        told = "$ " + command.removesuffix("\n").replace("\n", "\n> ") + "\n"
        try:
            self.compare_streams(command, expected, ended)
        except AssertionError:
            ours = [line for line in ended.stderr.splitlines(keepends=True) if line.startswith(OURS)]
            expected = self.with_examples(expected, ended.stdout + ("".join(ours) if OURS in expected else ""))
        return told + expected

    def with_examples(self, expected: str, found: str) -> str:
        """What was found, with ids as examples: those of the text before, as far as it had them."""
        examples = [match["id"] for match in EXAMPLE.finditer(expected) if match["id"] and match["id"][:7] not in self.ids]
        for match in EXAMPLE.finditer(found):
            real = match["id"]
            if real and not any(known.startswith(real) or real.startswith(known) for known in self.ids.values()):
                spelled = examples.pop(0) if examples else real
                self.ids[spelled[:7]], self.spelled[spelled[:7]] = real, spelled[:8]

        def example(match: re.Match[str]) -> str:
            real = match["id"]
            if not real:
                return match[0]
            spelled = next(key for key, known in self.ids.items() if known.startswith(real) or real.startswith(known))
            return (self.spelled.get(spelled, spelled) * 6)[: len(real)]

        return EXAMPLE.sub(example, found)

    def live(self, text: str) -> int:
        """Lives the blocks of a Markdown text in order; how many there were. Raises AssertionError where it is not true."""
        found = [self.live_block(*block) for block in BLOCK.findall(text)]
        return sum(found)

    def live_block(self, language: str, name: str, body: str) -> bool:
        """Whether the block is one to be lived."""
        if language == "console":
            for command, expected in commands(body):
                self.live_command(command, expected)
        elif language == "pycon":
            for example in doctest.DocTestParser().get_examples(body):
                self.compare(example.source, example.want, self.printed(example.source, "single"))
        elif language == "python" and name:
            (self.directory / name).write_text(body)
        elif language == "python":
            self.printed(body, "exec")
        else:
            return False
        return True

    def live_command(self, command: str, expected: str) -> None:
        """Obeys a command, and holds what it wrote against what is expected."""
        self.compare_streams(command, expected, self.obey(command))

    def obey(self, command: str) -> subprocess.CompletedProcess[str]:
        """One command of a shell, which knows the exit status of the one before and leaves us where it goes."""
        line = EXAMPLE.sub(lambda found: self.ids.get(found[0][:7], found[0]) if found["id"] else found[0], command)
        if PLAIN.fullmatch(line):  # a shell would do nothing about it
            called = call(shlex.split(line)[2:], self.directory, os.environ, b"", 120)
            self.status = called.returncode
            return subprocess.CompletedProcess(line, self.status, called.stdout.decode(), called.stderr.decode())
        there, back = os.pipe()
        script = f"(exit {self.status})\n{line}\nstatus=$?\npwd >&{back}\nexit $status"
        ended = subprocess.run(
            ["bash", "-c", script], cwd=self.directory, stdin=subprocess.DEVNULL, capture_output=True, check=False,
            encoding="utf-8", timeout=120, pass_fds=[back],
        )  # fmt: skip
        os.close(back)
        with os.fdopen(there, encoding="utf-8") as place:
            self.directory = Path(place.read().removesuffix("\n") or self.directory)
        self.status = ended.returncode
        return ended

    def compare_streams(self, command: str, expected: str, ended: subprocess.CompletedProcess[str]) -> None:
        """Raises AssertionError if stdout, or as far as it is shown stderr, is another than expected."""
        shown = expected.splitlines(keepends=True)
        ours = "".join(line for line in shown if line.startswith(OURS))
        theirs = "".join(line for line in shown if not line.startswith(OURS))
        self.compare(command, theirs, ended.stdout, ended.stderr)
        if ours:
            # what the guides say holds for git before 2.54
            self.compare(command, ours, HOOK_SETTING.sub(r".git/hooks/\1", ended.stderr))

    def printed(self, source: str, mode: str) -> str:
        """What Python prints when it runs the source."""
        came_from = Path.cwd()
        os.chdir(self.directory)
        try:
            with redirect_stdout(StringIO()) as out:
                exec(compile(source, "<transcript>", mode), self.names)
        finally:
            os.chdir(came_from)
        return out.getvalue()

    def compare(self, what: str, expected: str, found: str, beside: str = "") -> None:
        """Raises AssertionError if what happened is not what is written."""
        said = f"{what}\n--- written\n{expected}--- found\n{found}{beside}"
        lines = iter(found.splitlines())
        anything = False
        for wanted in expected.splitlines():
            if wanted.strip() == "...":
                anything = True
                continue
            match = next((self.matches(wanted, line) for line in lines if not anything or self.matches(wanted, line)), False)
            assert match, said
            anything = False
        assert anything or not list(lines), said

    def matches(self, wanted: str, line: str) -> bool:
        """Whether the line is the wanted one; its ids are known from then on."""
        examples = [found["id"] for found in EXAMPLE.finditer(wanted) if found["id"]]
        match = re.fullmatch("".join(self.patterns(wanted)), line)
        if not match:
            return False
        for example, real in zip(examples, match.groups(), strict=True):
            known = self.ids.get(example[:7], "")
            if not (real.startswith(known) or known.startswith(real)):
                return False
            self.ids[example[:7]] = max(known, real, key=len)
            self.spelled.setdefault(example[:7], example[:8])
        return True

    def patterns(self, wanted: str) -> Iterator[str]:
        """The pieces of a pattern for the line."""
        end = 0
        for found in EXAMPLE.finditer(wanted):
            yield re.escape(wanted[end : found.start()])
            yield f"([0-9a-f]{{{len(found[0])}}})" if found["id"] else f"(?:{ANY[found.lastgroup or 'number']})"
            end = found.end()
        yield re.escape(wanted[end:])


def commands(body: str) -> Iterator[tuple[str, str]]:
    """Each command of a console block with the lines below it; `> ` goes on with a command."""
    command, expected = "", ""
    for line in body.splitlines(keepends=True):
        if line.startswith("$ "):
            if command:
                yield command, expected
            command, expected = line[2:], ""
        elif line.startswith("> ") and not expected:
            command += line[2:]
        else:
            expected += line
    if command:
        yield command, expected
