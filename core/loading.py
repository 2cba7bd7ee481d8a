"""From manifests to running code: select, import, register with pluggy, name whoever does not fit.

Only selected plugins are imported, so a broken one that nobody selected cannot stop a boot.
A plugin's code runs behind `guarded`, which turns whatever it raises into an error with its name.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
import traceback
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pluggy
import trio

from metanode.core.current import OWNS_PROCESS, at_work
from metanode.core.discovery import Discovery, discover
from metanode.core.hooks import HOOK_API, HookSpecs
from metanode.core.manifests import Manifest, manifest_from_mapping
from metanode.core.model.errors import MetanodeError, PluginError
from metanode.core.roles import SINGLE_ROLES
from metanode.core.settings import Settings, not_installed


def leaves(error: BaseException) -> list[BaseException]:
    """Return the exceptions inside nested groups, or the error itself."""
    inner = getattr(error, "exceptions", None)  # Python 3.10 has no builtin type for groups
    return [leaf for item in inner for leaf in leaves(item)] if isinstance(inner, tuple) and inner else [error]


def cause_of(error: BaseException) -> BaseException:
    """Return the one exception inside nested groups that says most: one of ours, else the first that is a failure.

    A plugin's own nursery wraps what went wrong in it; one line should name that, not the wrapping.
    """
    found = leaves(error)
    return next(
        (leaf for leaf in found if isinstance(leaf, MetanodeError)),
        next((leaf for leaf in found if not isinstance(leaf, trio.Cancelled)), found[0]),
    )


def passes(error: BaseException) -> bool:
    """Whether an exception must go on through the boundary around a plugin, because it is not the plugin's doing.

    So are trio's cancellation, Python's closing of a coroutine, and a Ctrl-C that the program around the node has
    not taken in hand.  A SystemExit is always the plugin's: it may not end the process.
    """
    ctrl_c = () if OWNS_PROCESS.get() else (KeyboardInterrupt,)
    failures = [leaf for leaf in leaves(error) if not isinstance(leaf, trio.Cancelled)]
    return not failures or any(isinstance(leaf, (GeneratorExit, *ctrl_c)) for leaf in failures)


def in_words(error: BaseException) -> str:
    """Return an exception as part of one line: its own text if it is ours, else type, text and place."""
    error = cause_of(error)
    if isinstance(error, MetanodeError):
        return str(error)
    text = " ".join(f"{type(error).__name__}: {error}".split())
    frames = traceback.extract_tb(error.__traceback__)
    return f"{text} ({Path(frames[-1].filename).name}:{frames[-1].lineno})" if frames else text


@contextmanager
def guarded(plugin: str, doing: str) -> Iterator[None]:
    """Turn what a plugin's code raises into a `PluginError` that names it; our own errors pass.

    :param doing: what it did, e.g. `import` or the name of a hook.
    :raises PluginError: code PLUGIN_BROKEN.
    """
    try:
        with at_work(plugin):
            yield
    except MetanodeError:
        raise
    except BaseException as error:  # the boundary to a plugin's code
        if passes(error):
            raise
        raise PluginError("PLUGIN_BROKEN", f"{plugin} failed in {doing}: {in_words(error)}") from error


@dataclass(frozen=True, eq=False)
class Plugin:
    """An imported plugin and its settings."""

    manifest: Manifest
    code: Any
    """The module or object with the hook implementations."""
    settings: Mapping[str, Any]
    hooks: Mapping[str, pluggy.HookImpl]
    """Its implementations by hook name."""

    @property
    def name(self) -> str:
        """Full name, `<role>.<name>`."""
        return self.manifest.name

    def call(self, hook: str, **arguments: Any) -> Any:
        """Call one of its hooks; None when it has none of that name.

        Called per plugin, not through pluggy's fan-out, because each has a context of its own.

        :raises PluginError: the hook raised something that is not ours.
        """
        implementation = self.hooks.get(hook)
        if implementation is None:
            return None
        with guarded(self.name, hook):
            return implementation.function(*(arguments[name] for name in implementation.argnames))


@dataclass(frozen=True)
class Loaded:
    """What `load` made of the configuration."""

    plugins: Mapping[str, Plugin]
    """By full name, in the order in which roles are filled."""
    failed: Mapping[str, PluginError] = field(default_factory=dict)
    """Plugins of many-roles that did not load; the node lives on without them."""
    discovery: Discovery = field(default_factory=lambda: Discovery({}, ()))

    def of_role(self, role: str) -> list[Plugin]:
        """Return the loaded plugins of a role."""
        return [plugin for plugin in self.plugins.values() if plugin.manifest.role == role]


def inline_manifests(plugins: Sequence[object]) -> dict[str, tuple[Manifest, object]]:
    """Read the `MANIFEST` of each plugin that the embedding program passed.

    :raises PluginError: one has none, or two have one name or fill one single role.
    """
    found: dict[str, tuple[Manifest, object]] = {}
    taken: dict[str, str] = {}
    for plugin in plugins:
        table = getattr(plugin, "MANIFEST", None)
        if not isinstance(table, Mapping):
            message = f"inline plugin {plugin!r} has no MANIFEST"
            raise PluginError("PLUGIN_BROKEN", message, "a mapping with name and role")
        manifest = manifest_from_mapping(table, source="inline")
        slot = manifest.role if manifest.role in SINGLE_ROLES else manifest.name
        if slot in taken:
            message = f"inline plugins {taken[slot]} and {manifest.name} both fill {slot}"
            raise PluginError("PLUGIN_BROKEN", message, "one plugin for it")
        taken[slot] = manifest.name
        found[manifest.name] = (manifest, plugin)
    return found


def select(settings: Settings, inline: Mapping[str, tuple[Manifest, object]]) -> Settings:
    """Return the settings with inline plugins selected: passing one is choosing it."""
    roles = dict(settings.roles)
    for manifest, _ in inline.values():
        if manifest.role in SINGLE_ROLES:
            roles[manifest.role] = (manifest.short_name,)
        elif manifest.short_name not in roles[manifest.role]:
            roles[manifest.role] += (manifest.short_name,)
    return replace(settings, roles=roles)


def load(
    settings: Settings,
    *,
    inline: Sequence[object] = (),
    plugins_dir: Path | None = None,
    safe_mode: bool = False,
    importing: Callable[[Manifest], None] = lambda _: None,
) -> Loaded:
    """Import and register the selected plugins.

    :param safe_mode: built-in plugins only; others that a node can spare are left out, and so are their tables.
    :param importing: hears of each plugin before its code is imported, which may take long or never end.
    :param inline: modules or objects with hook implementations and a `MANIFEST`; each is
        selected by being passed, and takes the place of an installed one of the same name.
    :raises PluginError: a plugin of a single role is unknown or broken, or any selected one is unknown.
    :raises SettingsError: a plugin's table is wrong.
    """
    given = inline_manifests(inline)
    settings = select(settings, given)
    found = discover(plugins_dir=plugins_dir, safe_mode=safe_mode)
    manifests = {**found.manifests, **{name: manifest for name, (manifest, _) in given.items()}}
    discovery = Discovery(manifests, found.broken)
    if not safe_mode:
        settings.check_tables(discovery)
    manager = pluggy.PluginManager("metanode")
    manager.add_hookspecs(HookSpecs)
    plugins: dict[str, Plugin] = {}
    failed: dict[str, PluginError] = {}
    for name in settings.selected:
        if name in manifests:
            importing(manifests[name])
        try:
            plugins[name] = _activate(name, settings, discovery, given, manager)
        except PluginError as error:
            manifest = discovery.manifests.get(name)
            critical = name.partition(".")[0] in SINGLE_ROLES if manifest is None else manifest.critical
            left_out = safe_mode and error.code == "PLUGIN_UNKNOWN"
            if critical or (error.code == "PLUGIN_UNKNOWN" and not left_out):
                raise
            failed[name] = PluginError("PLUGIN_UNKNOWN", f"{name} is left out in safe mode") if left_out else error
    return Loaded(plugins, failed, discovery)


def _activate(
    name: str,
    settings: Settings,
    discovery: Discovery,
    inline: Mapping[str, tuple[Manifest, object]],
    manager: pluggy.PluginManager,
) -> Plugin:
    manifest = discovery.manifests.get(name)
    if manifest is None:
        for row in discovery.broken:
            if row.name == name:
                raise PluginError("PLUGIN_BROKEN", f"{name}: {row.reason}", f"a working manifest in {row.source}")
        raise not_installed(name, discovery, settings.source)
    for group, version in manifest.api.items():
        if HOOK_API.get(group) != version:
            has = f"has version {HOOK_API[group]}" if group in HOOK_API else f"knows only {', '.join(HOOK_API)}"
            raise PluginError("PLUGIN_BROKEN", f"{name} was written for hooks {group} {version}; this node {has}")
    code = inline[name][1] if name in inline else _import(manifest)
    try:
        manager.register(code, name)
        manager.check_pending()
    except (pluggy.PluginValidationError, ValueError) as error:
        # What was registered stays out of the manager: its bad hook would fail the next plugin's check.
        if manager.has_plugin(name):
            manager.unregister(name=name)
        text = " ".join(str(error).split())
        raise PluginError("PLUGIN_BROKEN", f"{name} has a hook that does not fit: {text}", "docs/hooks.md") from error
    hooks = {caller.name: impl for caller in manager.get_hookcallers(code) or () for impl in caller.get_hookimpls()
             if impl.plugin_name == name}
    wanted = f"provide_{manifest.role}"
    if manifest.role in SINGLE_ROLES and wanted not in hooks:
        raise PluginError("PLUGIN_BROKEN", f"{name} does not implement {wanted}", f"a function {wanted} with @hookimpl")
    if not hooks:
        raise PluginError("PLUGIN_BROKEN", f"{name} implements no hook", "at least one function with @hookimpl")
    return Plugin(manifest, code, settings.for_plugin(manifest), hooks)


def _import(manifest: Manifest) -> object:
    with guarded(manifest.name, "import"):
        if manifest.file is None:
            return importlib.import_module(manifest.import_path)
        # The path is part of the name, so that two directories may hold files of one name.
        module_name = f"metanode_single_file_{manifest.file.stem}_{zlib.crc32(bytes(manifest.file.resolve())):08x}"
        if module_name in sys.modules:
            return sys.modules[module_name]
        spec = importlib.util.spec_from_file_location(module_name, manifest.file)
        if spec is None or spec.loader is None:
            raise ImportError(f"{manifest.file} is not Python")
        module = importlib.util.module_from_spec(spec)
        sys.modules[module_name] = module  # before it runs, as import itself does: dataclasses look there
        try:
            spec.loader.exec_module(module)
        except BaseException:
            del sys.modules[module_name]
            raise
        return module
