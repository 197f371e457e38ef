"""The one road of a run: launch, decide, attempt, steps, verify, recover."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gitrun.lifecycle import attach as attach
    from gitrun.lifecycle import attempt as attempt
    from gitrun.lifecycle import batch as batch
    from gitrun.lifecycle import batch_progress as batch_progress
    from gitrun.lifecycle import batch_trials as batch_trials
    from gitrun.lifecycle import batch_verify as batch_verify
    from gitrun.lifecycle import bisect as bisect
    from gitrun.lifecycle import cluster as cluster
    from gitrun.lifecycle import cluster_batch as cluster_batch
    from gitrun.lifecycle import cluster_launch as cluster_launch
    from gitrun.lifecycle import cluster_pool as cluster_pool
    from gitrun.lifecycle import command as command
    from gitrun.lifecycle import commit_batches as commit_batches
    from gitrun.lifecycle import courier as courier
    from gitrun.lifecycle import decide as decide
    from gitrun.lifecycle import executor as executor
    from gitrun.lifecycle import gpus as gpus
    from gitrun.lifecycle import inputs as inputs
    from gitrun.lifecycle import launch as launch
    from gitrun.lifecycle import local_cluster as local_cluster
    from gitrun.lifecycle import parent as parent
    from gitrun.lifecycle import pruning as pruning
    from gitrun.lifecycle import recover as recover
    from gitrun.lifecycle import remote_runs as remote_runs
    from gitrun.lifecycle import results as results
    from gitrun.lifecycle import samplers as samplers
    from gitrun.lifecycle import search as search
    from gitrun.lifecycle import staged_trials as staged_trials
    from gitrun.lifecycle import step_checks as step_checks
    from gitrun.lifecycle import steps as steps
    from gitrun.lifecycle import trial_preview as trial_preview
    from gitrun.lifecycle import trial_queue as trial_queue
    from gitrun.lifecycle import trial_states as trial_states
    from gitrun.lifecycle import verify as verify
    from gitrun.lifecycle import worker as worker
    from gitrun.lifecycle import worker_checks as worker_checks
    from gitrun.lifecycle import worker_inputs as worker_inputs
    from gitrun.lifecycle import worker_needs as worker_needs
else:
    from gitrun.lazy import lazy_modules

    __getattr__ = lazy_modules(__name__)
