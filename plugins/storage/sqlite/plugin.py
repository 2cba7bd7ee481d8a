"""The hook of storage.sqlite."""

from __future__ import annotations

from pathlib import Path

from metanode.core.hooks import PluginContext, hookimpl
from metanode.core.model.errors import SettingsError
from metanode.core.roles import Storage
from metanode.plugins.storage.sqlite.database import Options
from metanode.plugins.storage.sqlite.store import SqliteStorage


@hookimpl
def provide_storage(context: PluginContext) -> Storage:
    """Return the store on the configured file, unopened.

    :raises SettingsError: the path is relative and the node has no home.
    """
    settings = context.settings
    path = Path(settings["path"])
    if not path.is_absolute():
        if context.data_dir is None:
            raise SettingsError(
                "BAD_SETTING",
                f"storage.sqlite path = {str(path)!r} is relative and this node has no home",
                'an absolute path, a node home, or [roles] storage = "memory"',
            )
        path = context.data_dir / path
    options = Options(
        cache_mib=settings["cache_mib"],
        wal_autocheckpoint_pages=settings["wal_autocheckpoint_pages"],
        read_threads=settings["read_threads"],
    )
    return SqliteStorage(path, options, workers=context.workers, log=context.log)
