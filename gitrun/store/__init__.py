"""Runs as they are in a repository: refs, attempts, annotations, index, trash, trust, notes."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gitrun.store import annotations as annotations
    from gitrun.store import archive_tips as archive_tips
    from gitrun.store import archive_writer as archive_writer
    from gitrun.store import archives as archives
    from gitrun.store import attempts as attempts
    from gitrun.store import checkpoints as checkpoints
    from gitrun.store import claims as claims
    from gitrun.store import columns as columns
    from gitrun.store import commits as commits
    from gitrun.store import filter_sql as filter_sql
    from gitrun.store import foreign as foreign
    from gitrun.store import index as index
    from gitrun.store import index_rows as index_rows
    from gitrun.store import kept_files as kept_files
    from gitrun.store import live as live
    from gitrun.store import notes as notes
    from gitrun.store import outputs as outputs
    from gitrun.store import packed_refs as packed_refs
    from gitrun.store import publication as publication
    from gitrun.store import purged as purged
    from gitrun.store import pushed as pushed
    from gitrun.store import refs as refs
    from gitrun.store import resolve as resolve
    from gitrun.store import runs as runs
    from gitrun.store import staging as staging
    from gitrun.store import submodules as submodules
    from gitrun.store import trash as trash
    from gitrun.store import tree_size as tree_size
    from gitrun.store import trust as trust
else:
    from gitrun.lazy import lazy_modules

    __getattr__ = lazy_modules(__name__)
