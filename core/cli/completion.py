"""`metanode completion SHELL`: a script that completes verbs, their sub-verbs and options."""

from __future__ import annotations

import argparse
from collections.abc import Mapping

from metanode.core.cli.console import Console
from metanode.core.cli.verbs import EXIT_OK, VerbEntry, find_verbs
from metanode.core.model.errors import PluginError

SHELLS = ("bash", "zsh", "fish")
GLOBAL_OPTIONS = ("--json", "--home", "--no-color", "--help")


class Completion:
    """The verb."""

    def configure(self, parser: argparse.ArgumentParser) -> None:
        """Add the shell."""
        parser.add_argument("shell", choices=SHELLS, help="which shell the script is for")

    def run(self, args: argparse.Namespace) -> int:
        """Print the script."""
        console: Console = args.console
        verbs = find_verbs()
        words = {name: words_of(entry) for name, entry in verbs.items()}
        script = {"bash": bash, "zsh": zsh, "fish": fish}[args.shell](verbs, words)
        console.result({"ok": True, "shell": args.shell, "script": script}, script)
        return EXIT_OK


def words_of(entry: VerbEntry) -> list[str]:
    """Return the sub-verbs and options of a verb; only the global ones when its code cannot be loaded."""
    parser = argparse.ArgumentParser(add_help=False)
    try:
        entry.load().configure(parser)
    except PluginError:
        return sorted(GLOBAL_OPTIONS)
    words = set(GLOBAL_OPTIONS)
    for action in parser._actions:
        words.update(option for option in action.option_strings if option.startswith("--"))
        if not action.option_strings and action.choices:
            words.update(str(choice) for choice in action.choices)
        if isinstance(action, argparse._SubParsersAction):
            for sub in action.choices.values():
                options = (option for deep in sub._actions for option in deep.option_strings)
                words.update(option for option in options if option.startswith("--"))
    return sorted(words)


def bash(verbs: Mapping[str, VerbEntry], words: Mapping[str, list[str]]) -> str:
    """Return the script for bash 3 and newer."""
    cases = "\n".join(f"    {name}) words='{' '.join(found)}' ;;" for name, found in words.items())
    return f"""_metanode() {{
  local word="${{COMP_WORDS[COMP_CWORD]}}" verb="" words i
  for ((i = 1; i < COMP_CWORD; i++)); do
    case "${{COMP_WORDS[i]}}" in
      --home) ((i++)) ;;
      -*) ;;
      *) verb="${{COMP_WORDS[i]}}"; break ;;
    esac
  done
  case "$verb" in
    "") words='{' '.join([*verbs, *GLOBAL_OPTIONS, '--version'])}' ;;
{cases}
    *) words='' ;;
  esac
  COMPREPLY=($(compgen -W "$words" -- "$word"))
}}
complete -o default -F _metanode metanode"""


def zsh(verbs: Mapping[str, VerbEntry], words: Mapping[str, list[str]]) -> str:
    """Return the script for zsh, as a file `_metanode` on its fpath or to be sourced."""
    described = "\n".join(f"    '{name}:{_quoted(entry.help)}'" for name, entry in verbs.items())
    cases = "\n".join(f"    {name}) compadd -- {' '.join(found)}; _files ;;" for name, found in words.items())
    return f"""#compdef metanode
_metanode() {{
  local -a verbs
  verbs=(
{described}
  )
  if (( CURRENT == 2 )); then
    _describe verb verbs
    compadd -- {' '.join([*GLOBAL_OPTIONS, '--version'])}
    return
  fi
  case "$words[2]" in
{cases}
  esac
}}
if [ "$funcstack[1]" = "_metanode" ]; then _metanode "$@"; else compdef _metanode metanode; fi"""


def fish(verbs: Mapping[str, VerbEntry], words: Mapping[str, list[str]]) -> str:
    """Return the script for fish."""
    lines = ["complete -c metanode -f -n __fish_use_subcommand -l version"]
    for name, entry in verbs.items():
        lines.append(f"complete -c metanode -f -n __fish_use_subcommand -a {name} -d '{_quoted(entry.help)}'")
        seen = f"'__fish_seen_subcommand_from {name}'"
        for word in words[name]:
            kind = f"-l {word[2:]}" if word.startswith("--") else f"-a {word}"
            lines.append(f"complete -c metanode -n {seen} {kind}")
    return "\n".join(lines)


def _quoted(text: str) -> str:
    return text.replace("'", "").replace(":", " ")


VERB = Completion()
