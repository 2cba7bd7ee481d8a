"""The `metanode` command around its verbs: global options, help, errors and exit codes.

Only the chosen verb's code is imported.  Whatever a verb raises ends as one line and an exit code.
"""

from __future__ import annotations

import argparse
import difflib
import os
import sys
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from metanode.core.cli.console import Console
from metanode.core.cli.verbs import EXIT_FAILED, EXIT_INTERRUPTED, EXIT_OK, EXIT_USAGE, GROUPS, VerbEntry, find_verbs
from metanode.core.home import default_home
from metanode.core.model.errors import MetanodeError
from metanode.core.version import VERSION
from metanode.platforms.terminal import HelpFormatter

DESCRIPTION = "metanode: a node framework for edge and vintage hardware."
_WITH_VALUE = ("--home",)


class UsageError(Exception):
    """The command line cannot be understood; `usage` shows its form."""

    def __init__(self, message: str, usage: str) -> None:
        super().__init__(message)
        self.usage = usage


class Parser(argparse.ArgumentParser):
    """An argument parser that raises instead of ending the process, and takes no abbreviations."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        kwargs.setdefault("allow_abbrev", False)
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]  # argparse's own signature, passed through

    def error(self, message: str) -> NoReturn:
        raise UsageError(message, self.format_usage().strip())


def add_global_options(parser: argparse.ArgumentParser) -> None:
    """Add what every verb takes, before or after its name and the names of its sub-verbs."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for sub_parser in action.choices.values():
                add_global_options(sub_parser)
    group = parser.add_argument_group("global options")
    group.add_argument("--json", action="store_true", default=argparse.SUPPRESS, help="answer with JSON")
    group.add_argument(
        "--home", type=Path, metavar="DIR", default=argparse.SUPPRESS,
        help="the node's home (default: $METANODE_HOME or ~/.metanode)",
    )
    group.add_argument("--no-color", action="store_true", default=argparse.SUPPRESS, help="plain text")


def verb_parser(entry: VerbEntry) -> Parser:
    """Build the parser of one verb, importing its code.

    :raises PluginError: the verb cannot be loaded.
    """
    epilog = "examples:\n" + "\n".join(f"  {line}" for line in entry.examples) if entry.examples else None
    parser = Parser(
        prog=f"metanode {entry.name}",
        description=f"{entry.help[:1].upper()}{entry.help[1:]}.",
        epilog=epilog,
        formatter_class=HelpFormatter,
    )
    entry.load().configure(parser)
    add_global_options(parser)
    return parser


def overview(verbs: Mapping[str, VerbEntry], console: Console) -> str:
    """Return the text of `metanode --help`: every verb by group, from data alone."""
    lines = [DESCRIPTION, "", console.style("usage:", "bold") + " metanode [--json] [--home DIR] VERB ..."]
    width = max((len(name) for name in verbs), default=0)
    for group, heading in GROUPS.items():
        rows = [entry for entry in verbs.values() if entry.group == group]
        if rows:
            lines += ["", console.style(f"{heading}:", "bold")]
            lines += [f"  {console.style(row.name.ljust(width), 'cyan')}  {row.help}" for row in rows]
    lines += [
        "",
        console.style("Everywhere:", "bold"),
        "  --json       answer with JSON",
        "  --home DIR   the node's home (default: $METANODE_HOME or ~/.metanode)",
        "  --no-color   plain text; NO_COLOR in the environment does the same",
        "  --version    the version of metanode",
        "",
        "`metanode VERB --help` shows a verb's options and examples.",
    ]
    return "\n".join(lines)


def split(argv: Sequence[str]) -> tuple[list[str], str | None, list[str]]:
    """Cut a command line into (global options, verb, the rest)."""
    i = 0
    while i < len(argv):
        if not argv[i].startswith("-"):
            return list(argv[:i]), argv[i], list(argv[i + 1:])
        i += 2 if argv[i] in _WITH_VALUE else 1
    return list(argv), None, []


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code (see `verbs.EXIT_*`).

    :param argv: the words after `metanode`; the process's own when None.
    """
    words = list(sys.argv[1:] if argv is None else argv)
    console = Console(json="--json" in words, color=False if "--no-color" in words else None)
    try:
        return _run(words, console)
    except UsageError as error:
        shown = MetanodeError("USAGE", str(error))
        console.error(shown)
        if not console.json:
            console.remark(error.usage)
        return EXIT_USAGE
    except MetanodeError as error:
        console.error(error)
        return EXIT_USAGE if error.code == "USAGE" else EXIT_FAILED
    except KeyboardInterrupt:
        console.remark("interrupted")
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        # The reader (head, less) went away; point stdout elsewhere so that the interpreter's own flush is quiet.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_FAILED
    except BaseException as error:  # noqa: BLE001 - the boundary between a verb and its user
        return _unexpected(error, console)


def _run(words: list[str], console: Console) -> int:
    head, name, rest = split(words)
    usage = "metanode [--json] [--home DIR] VERB ..."
    top = Parser(prog="metanode", add_help=False, usage=usage, formatter_class=HelpFormatter)
    add_global_options(top)
    top.add_argument("-h", "--help", action="store_true")
    top.add_argument("--version", action="store_true")
    args = top.parse_args(head)
    if args.version:
        console.result({"ok": True, "version": VERSION}, f"metanode {VERSION}")
        return EXIT_OK
    verbs = find_verbs()
    if args.help or name is None or (name == "help" and not rest):
        if console.json:
            console.result({"ok": True, "verbs": {entry.name: entry.help for entry in verbs.values()}})
        else:
            console.line(overview(verbs, console))
        return EXIT_OK if args.help or name else EXIT_USAGE
    if name == "help":
        name, rest = rest[0], ["--help"]
    if name not in verbs:
        near = difflib.get_close_matches(name, verbs, n=1)
        hint = f"did you mean {near[0]!r}?" if near else "`metanode --help` lists them"
        raise UsageError(f"there is no verb {name!r}; {hint}", top.format_usage().strip())
    try:
        parser = verb_parser(verbs[name])
        args = parser.parse_args(rest, namespace=args)
    except SystemExit as end:  # argparse leaves this way after --help
        return int(end.code or 0)
    args.json = console.json
    args.home = getattr(args, "home", None) or default_home()
    args.console = console
    return verbs[name].load().run(args)


def _unexpected(error: BaseException, console: Console) -> int:
    """Turn what no verb should raise into one line; METANODE_DEBUG=1 adds the traceback."""
    leaves = _leaves(error)
    if any(isinstance(leaf, KeyboardInterrupt) for leaf in leaves):
        console.remark("interrupted")
        return EXIT_INTERRUPTED
    if isinstance(error, (SystemExit, GeneratorExit)):
        raise error
    if os.environ.get("METANODE_DEBUG"):
        traceback.print_exception(type(error), error, error.__traceback__, file=console.err)
    known = [leaf for leaf in leaves if isinstance(leaf, MetanodeError)]
    text = " ".join(f"{type(leaves[0]).__name__}: {leaves[0]}".split())
    cure = "a report to the maintainers, with METANODE_DEBUG=1 set"
    console.error(known[0] if known else MetanodeError("INTERNAL", text, cure))
    return EXIT_FAILED


def _leaves(error: BaseException) -> list[BaseException]:
    """Return the exceptions inside a group (Python 3.10 has no builtin type for it), or the one itself."""
    inner = getattr(error, "exceptions", None)
    return [leaf for item in inner for leaf in _leaves(item)] if isinstance(inner, tuple) else [error]
