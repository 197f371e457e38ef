"""The verbs of `git run`: their groups and summaries, and how a verb is loaded."""

from __future__ import annotations

from importlib import import_module

from gitrun import commands
from gitrun.commands import declared

TYPE_CHECKING = False
if TYPE_CHECKING:
    import click

    from gitrun.commands.declared import Verb

GROUPS = {
    "start a program": {
        "run": "start a run, or another attempt of one",
        "ops": "list what can be run here, with its flags",
        "watch": "follow the output of a run, or several runs at once",
        "stop": "stop a running run",
    },
    "look at runs": {
        "list": "list runs, newest attempt first",
        "show": "show one run",
        "log": "show the attempts of a run, or commits with their runs",
        "ls": "list the files of a run",
        "cat": "print a file of a run, or its output",
        "select": "print the ids of runs",
        "status": "count running runs, and runs that no remote has",
        "view": "look at runs in a browser, as they change",
        "tensorboard": "show runs in your own TensorBoard",
        "mcp": "let a coding agent look at runs, and start them if you allow it",
    },
    "compare runs": {
        "diff": "show how two runs differ: flags, source, output",
        "compare": "show many runs side by side",
        "plot": "draw metrics over steps, or runs against each other",
    },
    "keep, name and delete runs": {
        "checkout": "copy what a run produced into the working tree",
        "label": "name runs",
        "tag": "put tags on runs",
        "comment": "add a comment to runs",
        "mark": "mark the run that its operation's name means",
        "rm": "move runs to the trash",
        "restore": "restore deleted runs",
        "purge": "delete the runs in the trash for good",
    },
    "share runs": {
        "push": "send runs to a remote",
        "fetch": "get runs from a remote",
        "pull": "get runs from a remote and merge them",
        "trust": "allow runs from elsewhere to be executed",
        "export": "write runs into a file, or hand them to MLflow",
        "import": "read runs from a file",
        "worker": "execute runs that others handed out",
        "hooks": "install hooks that push runs with their commits",
    },
    "review runs": {
        "report": "write a report: Markdown, HTML, JSON, JUnit",
        "site": "write runs as a static site, or as one page",
        "verify": "execute a run again and compare",
        "check": "check the metrics of a run against limits",
        "bisect": "find the commit that made a metric worse",
    },
    "maintain the repository": {
        "doctor": "find problems, and repair them",
        "gc": "clean up: old runs, slots, files; pack loose objects",
        "notes": "show runs in git log --notes=runs",
        "install-docs": "install man pages and completions, if the installer hides them",
        "demo": "try git run in a scratch repository",
        "help": "show a guide, or the usage of a verb",
    },
}
"""Every verb with its summary, in groups as `git help` has them."""
VERBS = {name: words for group in GROUPS.values() for name, words in group.items()}
TOPICS = {
    "tutorial": "the whole story, from the first run to a shared one",
    "files": "what happens to your files: snapshot, workspace, outputs",
    "flags": "flags of scripts, notebooks, config files and commands",
    "metrics": "how numbers in the output become metrics",
    "looking": "find the best run and see why; plots, watching, pages in a browser",
    "batches": "many runs from one line: lists, files, commits, going on after any end",
    "search": "the best flags in a range: optimizers, pruning, repeats",
    "machines": "hand runs out to other machines",
    "project": "gitrun.toml: operations, steps, needs, inputs",
    "sharing": "push, fetch, trust, signing and hooks",
    "publishing": "a static site of runs, on GitHub or GitLab Pages, or in one file",
    "review": "reports, gates, bisecting and continuous integration",
    "format": "how runs are stored in git",
    "settings": "git config gitrun.*",
    "tools": "runs in pandas, notebooks, TensorBoard, MLflow, prompts, fzf and CI",
    "agents": "let a coding agent look at runs and start them; a text to give it",
    "python": "runs from Python, and metrics of your program",
    "coming-from-guild": "for users of Guild AI",
    "coming-from-dvc": "for users of DVC",
    "coming-from-mlflow": "for users of MLflow",
    "architecture": "for contributors: where everything is",
    "testing": "for contributors: how gitrun is tested",
    "speed": "for contributors: measurements and limits",
    "style": "for contributors: rules for words and code",
}
"""Guides of `git run help <topic>` with their summaries."""
MANUAL = "git-run"
"""Topic that is the man page, with every option and setting."""
PLUMBING = frozenset({"hook"})
"""Verbs for gitrun's own hook scripts, not for people."""
LOOKING = frozenset({"list", "show", "log", "diff", "compare", "plot", "ls"})
"""Verbs with paged and coloured output. They start no user program."""


def format_names(names: dict[str, str], width: int = max(map(len, VERBS))) -> str:
    """Returns names, padded to the width, with their summaries: a line each."""
    return "\n".join(f"  {name:<{width}}  {words}" for name, words in names.items())


# click does not fill a paragraph that begins with a line of \b
EPILOG = (
    "\b\n"
    + "\n\n\b\n".join(f"{heading.capitalize()}:\n{format_names(group)}" for heading, group in GROUPS.items())
    + "\n\n\b\nGuides: git run help <topic>. To list the topics: git run help"
)


def verb_module_name(verb: str) -> str:
    """Returns the module name of a verb; `import_` for the keyword `import`."""
    return "import_" if verb == "import" else verb.replace("-", "_")


def load_verb(verb: str) -> Verb:
    """Imports the verb and returns what it declares."""
    declaration: Verb = import_module(f"gitrun.commands.{verb_module_name(verb)}").command
    return declaration


def load_command(verb: str) -> click.Command:
    """Imports the verb and returns its click command."""
    return load_verb(verb).click_command(commands.screen.COLOUR_OPTIONS if verb in LOOKING else ())


def print_help(verb: str, command: click.Command) -> int:
    """Prints the usage. Returns 129, git's exit code for it."""
    # the verbs' docstrings are raw, so click's \b marker arrives as two characters
    command.help = (command.help or "").replace("\\b\n", "\b\n")
    context = declared.click_library().Context(command, info_name="git run" if verb == "run" else f"git run {verb}")
    print(command.get_help(context))
    return 129
