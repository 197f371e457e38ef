"""One module a verb: parses its options, calls the project, prints."""

TYPE_CHECKING = False  # importing typing for its constant takes longer than a prompt may wait

# mypy cannot see through __getattr__; `import x as x` marks the names as exported (PEP 484)
if TYPE_CHECKING:
    from gitrun.commands import bisect as bisect
    from gitrun.commands import cat as cat
    from gitrun.commands import check as check
    from gitrun.commands import checkout as checkout
    from gitrun.commands import comment as comment
    from gitrun.commands import compare as compare
    from gitrun.commands import completion as completion
    from gitrun.commands import demo as demo
    from gitrun.commands import diff as diff
    from gitrun.commands import doctor as doctor
    from gitrun.commands import edit_flags as edit_flags
    from gitrun.commands import entry as entry
    from gitrun.commands import export as export
    from gitrun.commands import fetch as fetch
    from gitrun.commands import gc as gc
    from gitrun.commands import help as help
    from gitrun.commands import hook as hook
    from gitrun.commands import hooks as hooks
    from gitrun.commands import import_ as import_
    from gitrun.commands import install_docs as install_docs
    from gitrun.commands import label as label
    from gitrun.commands import list as list
    from gitrun.commands import log as log
    from gitrun.commands import ls as ls
    from gitrun.commands import main as main
    from gitrun.commands import mark as mark
    from gitrun.commands import notes as notes
    from gitrun.commands import ops as ops
    from gitrun.commands import options as options
    from gitrun.commands import plot as plot
    from gitrun.commands import prompt as prompt
    from gitrun.commands import pull as pull
    from gitrun.commands import purge as purge
    from gitrun.commands import push as push
    from gitrun.commands import report as report
    from gitrun.commands import restore as restore
    from gitrun.commands import rm as rm
    from gitrun.commands import run as run
    from gitrun.commands import screen as screen
    from gitrun.commands import select as select
    from gitrun.commands import selecting as selecting
    from gitrun.commands import sharing as sharing
    from gitrun.commands import show as show
    from gitrun.commands import standby as standby
    from gitrun.commands import standby_loop as standby_loop
    from gitrun.commands import stop as stop
    from gitrun.commands import tag as tag
    from gitrun.commands import trace as trace
    from gitrun.commands import trials as trials
    from gitrun.commands import trust as trust
    from gitrun.commands import usage_errors as usage_errors
    from gitrun.commands import verbs as verbs
    from gitrun.commands import verify as verify
    from gitrun.commands import view as view
    from gitrun.commands import watch as watch
    from gitrun.commands import watch_several as watch_several
else:
    # no verb is imported before it is used: each loads click, which completion does without
    from gitrun.lazy import lazy_modules

    __getattr__ = lazy_modules(__name__)
