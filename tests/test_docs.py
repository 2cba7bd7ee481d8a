"""What the documentation promises: nothing undocumented or stale, no dead link, no command that does not exist."""

from __future__ import annotations

import ast
import importlib.util
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import pytest

from metanode.core.cli import frame
from metanode.core.cli.verbs import VerbEntry, find_verbs
from metanode.core.discovery import discover
from metanode.core.model.errors import ERROR_CODES
from metanode.core.model.params import PARAM_NAMES
from metanode.core.settings import NODE_SETTINGS
from metanode.fingerprint import command as fingerprint_command
from metanode.miner import command as miner_command
from metanode.miner.config import KEYS as MINER_KEYS

ROOT = Path(__file__).resolve().parents[1]
SHIPPED = ("core", "plugins", "miner", "fingerprint", "platforms")
BLOCK_SECONDS_MAX = 60
"""A program shown in the documentation ends within this."""
_FENCE = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```\s*$", re.M | re.S)
_INLINE = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")
_LINK = re.compile(r"(?<!!)\[[^\]\n]+\]\(([^()\s]+)\)")
_PROGRAMS = ("metanode", "metanode-miner", "metanode-fingerprint")


class Block(NamedTuple):
    """A fenced block of a page."""

    page: Path
    line: int
    language: str
    text: str

    @property
    def name(self) -> str:
        """How a test calls it."""
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def pages() -> list[Path]:
    """Every page that ships with the source."""
    return [page for place in ("*.md", "docs/**/*.md", "contrib/**/*.md") for page in sorted(ROOT.glob(place))]


def blocks(*languages: str) -> list[Block]:
    """Return the fenced blocks in one of these languages."""
    found = []
    for page in pages():
        text = page.read_text(encoding="utf-8")
        for match in _FENCE.finditer(text):
            if match[1] in languages:
                found.append(Block(page, text.count("\n", 0, match.start()) + 1, match[1], match[2]))
    return found


def load_reference() -> ModuleType:
    """Import contrib/ci/reference.py, which is no package."""
    spec = importlib.util.spec_from_file_location("metanode_reference", ROOT / "contrib/ci/reference.py")
    assert spec is not None, "reference.py is Python"
    assert spec.loader is not None, "a file has a loader"
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses and inspect look there
    spec.loader.exec_module(module)
    return module


REFERENCE = load_reference()


# --- everything is documented -----------------------------------------------------------------


@pytest.mark.parametrize("name", REFERENCE.PAGES)
def test_a_reference_page_says_what_the_code_says(name: str) -> None:
    """The generated pages are exactly what the code gives."""
    path = ROOT / "docs" / f"{name}.md"
    assert path.exists(), f"docs/{name}.md is missing: run `make docs`"
    fresh = REFERENCE.PAGES[name]().rstrip() + "\n"
    assert path.read_text(encoding="utf-8") == fresh, f"docs/{name}.md is stale: run `make docs`"


def test_every_error_code_says_what_was_wrong_and_what_would_be_right() -> None:
    """Each has a meaning and a cure, and a row of its own."""
    page = REFERENCE.PAGES["errors"]()
    for row in ERROR_CODES.values():
        assert row.meaning, f"{row.code} has no meaning"
        assert row.cure, f"{row.code} has no cure"
        assert f"| {row.number} | `{row.code}` |" in page


@pytest.mark.parametrize("name", REFERENCE.hook_functions())
def test_a_hook_has_a_contract_and_a_provider_that_exists(name: str) -> None:
    """Its docstring says when it is called, and names plugins or folders that are there."""
    text = REFERENCE.hook_functions()[name].__doc__ or ""
    assert f"## `{name}`" in REFERENCE.PAGES["hooks"]()
    assert re.search(r"\b([Cc]alled|[Tt]old)\b", text), f"{name} does not say when it is called"
    _, mark, providers = text.partition("Provided by:")
    assert mark, f"{name} names no plugin that provides it"
    named = re.findall(r"`([\w/]+)`", providers)
    assert named, f"{name} names no plugin that provides it"
    for folder in named:
        assert (ROOT / folder).is_dir(), f"{name} is provided by {folder}, which does not exist"
        sources = "".join(path.read_text(encoding="utf-8") for path in (ROOT / folder).rglob("*.py"))
        assert f"def {name}(" in sources, f"{folder} does not implement {name}"


def test_every_setting_says_what_it_means() -> None:
    """Those of the node, of every built-in plugin and of the miner."""
    page = REFERENCE.PAGES["settings"]()
    for key, spec in NODE_SETTINGS.items():
        assert spec.help, f"[node] {key} has no help"
    for name, manifest in discover(safe_mode=True).manifests.items():
        for key, spec in manifest.settings.items():
            assert spec.help, f"[plugins.{name}] {key} has no help"
            assert f"| `{key}` |" in page.partition(f"## `[plugins.{name}]`")[2]
    for key in MINER_KEYS:
        row = re.search(rf"^\| `{key}` \| .* \| (.*) \|$", page.partition("## `miner.toml`")[2], re.M)
        assert row, f"miner.toml {key} is not documented"
        assert row[1], f"miner.toml {key} has no docstring"


def test_every_environment_variable_that_the_code_reads_is_documented() -> None:
    """And none is documented that nothing reads."""
    read: set[str] = set()
    for path in [ROOT / "setup.py", *(p for folder in SHIPPED for p in (ROOT / folder).rglob("*.py"))]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                read |= {node.value} if re.fullmatch(r"(METANODE|DEMO)_[A-Z_]+|NO_COLOR", node.value) else set()
    assert read == set(REFERENCE.ENVIRONMENT), "ENVIRONMENT in contrib/ci/reference.py lists them"


def limits() -> list[tuple[str, str]]:
    """Return (file:name, docstring) of every named limit."""
    return [
        (f"{path.relative_to(ROOT)}:{name}", text)
        for folder in SHIPPED
        for path in sorted((ROOT / folder).rglob("*.py"))
        for name, _, text in REFERENCE.constants(path)
    ]


def test_every_limit_says_what_it_bounds() -> None:
    """A constant named *_MAX or *_MIN has a docstring below it."""
    silent = [name for name, text in limits() if not text]
    assert not silent, f"no docstring below {', '.join(silent)}"


def test_every_plugin_folder_is_on_the_page_of_plugins() -> None:
    """Each has a manifest that says what it does, and a package docstring that says where to start."""
    page = REFERENCE.PAGES["plugins"]()
    packages = [path.parent for path in sorted((ROOT / "plugins").glob("*/*/__init__.py"))]
    folders = [folder for folder in packages if folder.name != "_shared"]
    assert folders
    for folder in folders:
        name = f"{folder.parent.name}.{folder.name}"
        assert (folder / "plugin.toml").is_file(), f"{name} has no plugin.toml"
        assert re.search(rf"^\| `{re.escape(name)}` \| \S", page, re.M), f"{name} has no summary"
        assert ast.get_docstring(ast.parse((folder / "__init__.py").read_text(encoding="utf-8"))), f"{name}/__init__.py"


def test_every_verb_has_help_and_examples() -> None:
    """As its verbs file announces it."""
    page = REFERENCE.PAGES["verbs"]()
    for verb in find_verbs().values():
        assert verb.help, f"{verb.name} has no help"
        assert verb.examples, f"{verb.name} has no examples"
        assert f"### `metanode {verb.name}`" in page


def test_every_genesis_parameter_is_explained() -> None:
    """With the value of each network."""
    page = REFERENCE.PAGES["params"]()
    for name in PARAM_NAMES:
        assert re.search(rf"^\| `{name}` \|( [^|]+ \|){{5}}$", page, re.M), f"{name} is not explained"


# --- pages hold together ----------------------------------------------------------------------


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_links_of_a_page_lead_somewhere(page: Path) -> None:
    """Relative links name a file of the source, and anchors a heading of it."""
    text = _FENCE.sub("", page.read_text(encoding="utf-8"))
    for target in _LINK.findall(text):
        if re.match(r"[a-z]+:", target):
            continue  # another site: not ours to hold
        name, _, anchor = target.partition("#")
        path = (page.parent / name).resolve() if name else page
        assert path.is_relative_to(ROOT), f"{target} leaves the source"
        assert path.exists(), f"{target} leads nowhere"
        if anchor:
            assert anchor in _anchors(path), f"{target}: no such heading"


def _anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", _FENCE.sub("", page.read_text(encoding="utf-8")), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page_names_no_path_of_a_developers_machine(page: Path) -> None:
    """A reader has other directories than whoever wrote the page."""
    text = page.read_text(encoding="utf-8")
    own = {str(ROOT), str(Path(sys.prefix)), str(Path.home())} - {"/"}
    found = [path for path in own if re.search(rf"{re.escape(path)}(?![\w-])", text)]
    found += re.findall(r"(?<![\w.~])/(?:home|Users|root)/\S+", text)
    assert not found, f"machine paths: {', '.join(found)}"


# --- programs shown run -----------------------------------------------------------------------


def is_whole(block: Block) -> bool:
    """A block that begins with an import is a whole program; any other is a fragment."""
    body = ast.parse(block.text).body
    return bool(body) and isinstance(body[0], ast.Import | ast.ImportFrom)


@pytest.mark.parametrize("block", blocks("python"), ids=lambda block: block.name)
def test_python_shown_is_python(block: Block) -> None:
    """Fragments at least parse."""
    assert ast.parse(block.text).body, "an empty block"


@pytest.mark.endtoend
@pytest.mark.parametrize("block", [b for b in blocks("python") if is_whole(b)], ids=lambda block: block.name)
def test_a_program_shown_runs_as_printed(block: Block, tmp_path: Path) -> None:
    """Each in a process of its own, in an empty directory, with warnings as errors: the README's too."""
    program = tmp_path / "shown.py"
    program.write_text(block.text, encoding="utf-8")
    run = subprocess.run(
        [sys.executable, "-W", "error", str(program)],
        cwd=tmp_path, capture_output=True, text=True, timeout=BLOCK_SECONDS_MAX, check=False,
    )  # fmt: skip
    assert run.returncode == 0, run.stderr[-2000:]


def test_the_readme_shows_two_nodes_in_one_process() -> None:
    """The program that the test above runs is there."""
    shown = [block for block in blocks("python") if block.page.name == "README.md" and is_whole(block)]
    assert any(block.text.count("Node.open(") == 2 for block in shown)


# --- commands shown exist ---------------------------------------------------------------------


def commands(text: str) -> Iterator[list[str]]:
    """Yield the words of each metanode command in shell text, without environment, redirections and comments."""
    for line in text.replace("\\\n", " ").splitlines():
        cut = re.split(r"\s(?:\||&&|;|>|2>)\s?", f"{line.removeprefix('$ ')} ")[0]
        try:
            words = shlex.split(cut, comments=True)
        except ValueError:
            continue  # prose in an inline code span
        while words and re.fullmatch(r"[A-Z_]+=\S*", words[0]):
            words.pop(0)
        if words and words[0].removeprefix(".venv/bin/") in _PROGRAMS:
            yield [words[0].removeprefix(".venv/bin/"), *words[1:]]


def shown_commands() -> list[Any]:
    """Commands of shell blocks, one test each."""
    return [
        pytest.param(words, id=f"{block.name} {' '.join(words)}"[:100])
        for block in blocks("sh", "bash", "shell", "console")
        for words in commands(block.text)
    ]


@pytest.fixture
def inert(monkeypatch: pytest.MonkeyPatch) -> None:
    """Verbs parse their command line with their own parsers and then do nothing."""

    class Inert:
        def __init__(self, verb: Any) -> None:
            self.configure = verb.configure

        def run(self, args: Any) -> int:
            return 0

    load = VerbEntry.load
    monkeypatch.setattr(VerbEntry, "load", lambda entry: Inert(load(entry)))
    monkeypatch.setattr(miner_command.MinerVerb, "run", Inert.run)
    monkeypatch.setattr(fingerprint_command.FingerprintVerb, "run", Inert.run)


MAINS = {"metanode": frame.main, "metanode-miner": miner_command.main, "metanode-fingerprint": fingerprint_command.main}


@pytest.mark.usefixtures("inert")
@pytest.mark.parametrize("words", shown_commands())
def test_a_command_shown_is_understood(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Program, verb, options and their values are accepted by the real parser."""
    try:
        code = MAINS[words[0]](words[1:])
    except SystemExit as end:  # argparse leaves this way after --help, and the two small programs after an error
        code = int(end.code or 0)
    assert code == 0, f"{' '.join(words)}: {capsys.readouterr().err.strip()}"


@pytest.mark.usefixtures("inert")
def test_a_command_that_does_not_exist_would_be_found(capsys: pytest.CaptureFixture[str]) -> None:
    """The test above can fail."""
    for words in (["metanode", "rum"], ["metanode", "run", "--saef-mode"], ["metanode-miner", "run", "--rounds", "x"]):
        with pytest.raises(AssertionError):
            test_a_command_shown_is_understood(words, capsys)


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_verbs_and_options_mentioned_exist(page: Path) -> None:
    """In running text a command may be cut short, but its verb and its options are real."""
    verbs = find_verbs()
    for span in _INLINE.findall(_FENCE.sub("", page.read_text(encoding="utf-8"))):
        for program, *words in commands(span):
            if program != "metanode":
                words = [program.partition("-")[2], *words]
            name = next((word for word in words if not word.startswith("-")), "")
            if not name or not name.islower():
                continue  # `metanode`, `metanode --help`, `metanode VERB`
            assert name in verbs, f"`{span}`: there is no verb {name}"
            known = _options(frame.verb_parser(verbs[name]))
            for word in words:
                if word.startswith("--"):
                    assert word.partition("=")[0] in known | {"--version"}, f"`{span}`: {name} has no {word}"


def _options(parser: Any) -> set[str]:
    """Return the options of a parser and of those below it."""
    found: set[str] = set()
    for action in parser._actions:
        found |= set(action.option_strings)
        if isinstance(action.choices, dict):
            for inner in action.choices.values():
                found |= _options(inner)
    return found


@pytest.mark.parametrize("page", pages(), ids=lambda page: str(page.relative_to(ROOT)))
def test_make_targets_mentioned_exist(page: Path) -> None:
    """And so do the variables given to them."""
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z][a-z-]*):", makefile, re.M))
    text = page.read_text(encoding="utf-8")
    shell = "\n".join(match[2] for match in _FENCE.finditer(text) if match[1] in ("sh", "bash", "shell", "console"))
    spans = "\n".join(_INLINE.findall(_FENCE.sub("", text)))
    for line in f"{shell}\n{spans}".splitlines():
        match = re.match(r"(?:\$ )?((?:[A-Z_]+=\S+ )*)make ([^#&|;]*)", line)
        for word in f"{match[1]} {match[2]}".split() if match else ():
            variable, given, _ = word.partition("=")
            if given:
                assert re.search(rf"\$\({variable}\)|^{variable} ", makefile, re.M), f"{line}: make knows no {variable}"
            elif not word.startswith("-"):
                assert word in targets, f"{line}: there is no target {word}"


def test_pages_are_found() -> None:
    """The tests above look at something."""
    names = {str(page.relative_to(ROOT)) for page in pages()}
    assert {"README.md", "ARCHITECTURE.md", "docs/embedding.md", "docs/glossary.md", "docs/threat_model.md"} <= names
    assert shown_commands()
