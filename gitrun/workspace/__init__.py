"""The place in which a program runs: slots, lent files, outputs, metrics."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gitrun.workspace import beside as beside
    from gitrun.workspace import checkout as checkout
    from gitrun.workspace import erase as erase
    from gitrun.workspace import exact_files as exact_files
    from gitrun.workspace import launched_script as launched_script
    from gitrun.workspace import launcher as launcher
    from gitrun.workspace import lending as lending
    from gitrun.workspace import links as links
    from gitrun.workspace import live_files as live_files
    from gitrun.workspace import logged_metrics as logged_metrics
    from gitrun.workspace import manifest as manifest
    from gitrun.workspace import metric_files as metric_files
    from gitrun.workspace import metric_lines as metric_lines
    from gitrun.workspace import metrics as metrics
    from gitrun.workspace import output_patterns as output_patterns
    from gitrun.workspace import outputs as outputs
    from gitrun.workspace import ready_slots as ready_slots
    from gitrun.workspace import reflink as reflink
    from gitrun.workspace import run_files as run_files
    from gitrun.workspace import session as session
    from gitrun.workspace import slot_index as slot_index
    from gitrun.workspace import slot_watch as slot_watch
    from gitrun.workspace import slots as slots
    from gitrun.workspace import survey as survey
    from gitrun.workspace import tensorboard as tensorboard
    from gitrun.workspace import workspace as workspace
    from gitrun.workspace import worktree_records as worktree_records
else:
    from gitrun.lazy import lazy_modules

    __getattr__ = lazy_modules(__name__)
