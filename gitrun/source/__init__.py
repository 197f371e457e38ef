"""From words to a plan: snapshot, operations, flags, dependencies, environment."""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from gitrun.source import batch_planning as batch_planning
    from gitrun.source import batch_space as batch_space
    from gitrun.source import catalog as catalog
    from gitrun.source import commit_submodules as commit_submodules
    from gitrun.source import commits as commits
    from gitrun.source import config_files as config_files
    from gitrun.source import declared_flags as declared_flags
    from gitrun.source import dependencies as dependencies
    from gitrun.source import downloads as downloads
    from gitrun.source import draft as draft
    from gitrun.source import dvc_stages as dvc_stages
    from gitrun.source import editable_installs as editable_installs
    from gitrun.source import environment as environment
    from gitrun.source import flag_cache as flag_cache
    from gitrun.source import guild_file as guild_file
    from gitrun.source import hosted_script as hosted_script
    from gitrun.source import input_cache as input_cache
    from gitrun.source import interpreter as interpreter
    from gitrun.source import introspect as introspect
    from gitrun.source import introspect_child as introspect_child
    from gitrun.source import launchers as launchers
    from gitrun.source import makefile as makefile
    from gitrun.source import mlproject as mlproject
    from gitrun.source import new_project_file as new_project_file
    from gitrun.source import operations as operations
    from gitrun.source import parameters as parameters
    from gitrun.source import planning as planning
    from gitrun.source import point_files as point_files
    from gitrun.source import prefixes as prefixes
    from gitrun.source import project_file as project_file
    from gitrun.source import reach as reach
    from gitrun.source import snapshot as snapshot
    from gitrun.source import source_tree as source_tree
    from gitrun.source import stray_installs as stray_installs
    from gitrun.source import submodules as submodules
    from gitrun.source import suggestions as suggestions
    from gitrun.source import surroundings as surroundings
    from gitrun.source import typed_paths as typed_paths
else:
    from gitrun.lazy import lazy_modules

    __getattr__ = lazy_modules(__name__)
