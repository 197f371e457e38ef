"""Other repositories: remotes, quarantine, validation, hooks."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gitrun.sharing import archive_rules as archive_rules
    from gitrun.sharing import hook_files as hook_files
    from gitrun.sharing import hooks as hooks
    from gitrun.sharing import incoming_archives as incoming_archives
    from gitrun.sharing import input_refs as input_refs
    from gitrun.sharing import merge as merge
    from gitrun.sharing import outgoing_archives as outgoing_archives
    from gitrun.sharing import progress as progress
    from gitrun.sharing import quarantine as quarantine
    from gitrun.sharing import remotes as remotes
    from gitrun.sharing import secret_scan as secret_scan
    from gitrun.sharing import transfer as transfer
    from gitrun.sharing import validate as validate
else:
    from gitrun.lazy import lazy_modules

    __getattr__ = lazy_modules(__name__)
