"""The documentation says what the code does: generated pages, commands, links, and that nothing is left out."""

import inspect
import json
import re
import shlex
import subprocess
from dataclasses import fields
from pathlib import Path

import click
import demo
import pytest
import reference
import sentences

from attribution.cli import VERBS, cli
from attribution.config import Settings
from attribution.core.reasons import METHODS, REASONS
from attribution.sources import registry

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


def text(path):
    return (ROOT / path).read_text(encoding="utf-8")


def name(path):
    return str(path.relative_to(ROOT))


# Generated pages


@pytest.mark.parametrize("page", sorted(reference.pages()))
def test_a_generated_page_is_what_the_code_says(page):
    assert text(f"docs/reference/{page}") == reference.pages()[page], "run `make docs`"


def test_the_reference_holds_no_page_that_nothing_generates():
    assert {path.name for path in (ROOT / "docs/reference").iterdir()} == set(reference.pages())


# Commands


def shell_lines(markdown):
    """The commands of `sh` blocks, continued lines joined."""
    for block in re.findall(r"^ *```sh\n(.*?)^ *```", markdown, re.MULTILINE | re.DOTALL):
        yield from re.sub(r"\\\n\s*", " ", block).splitlines()


def attribution_calls(line):
    """The arguments of each `attribution …` in a line of shell."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars="();|&<>")
    lexer.whitespace_split = True
    call = None
    for word in [*lexer, ";"]:
        if set(word) <= set("();|&<>"):
            if call is not None:
                yield call
            call = None
        elif call is not None:
            call.append(word)
        elif word == "attribution":
            call = []


def help_texts():
    yield cli.help
    for verb in VERBS:
        yield cli.get_command(click.Context(cli), verb).help


def commands():
    for page in PAGES:
        for line in shell_lines(page.read_text(encoding="utf-8")):
            for call in attribution_calls(line):
                yield pytest.param(call, id=f"{name(page)}: {shlex.join(call)}")
    for number, help_text in enumerate(help_texts()):
        for line in help_text.splitlines():
            if line.startswith("  ") and "attribution " in line:
                for call in attribution_calls(line):
                    yield pytest.param(call, id=f"help {number}: {shlex.join(call)}")


def check(command, arguments):
    """Parse as click does, but for paths, which need not exist here."""
    if "--help" in arguments:
        return
    if isinstance(command, click.Group):
        command, arguments = command.commands[arguments[0]], arguments[1:]
    context = click.Context(command)
    values, rest, _ = command.make_parser(context).parse_args(list(arguments))
    assert not rest, f"left over: {rest}"
    for parameter in command.params:
        value = values.get(parameter.name)
        value = None if value is getattr(click.core, "UNSET", None) else value  # what click 8.3 and later put there
        given = value if isinstance(value, list | tuple) else [value] if value is not None else []
        assert given or not parameter.required, f"{parameter.name} is missing"
        if not isinstance(parameter.type, click.Path | click.Tuple):
            for one in given:
                parameter.type.convert(one, parameter, context)


@pytest.mark.parametrize("call", list(commands()))
def test_a_command_in_the_documentation_can_be_given(call):
    if call[0] in {"--help", "--version"}:
        return
    command = cli.get_command(click.Context(cli), call[0])
    assert command is not None, f"there is no verb {call[0]}"
    check(command, call[1:])


@pytest.mark.parametrize("arguments", [["--no-such-option"], ["lake", "--format", "xml"], ["one", "two"], []])
def test_a_wrong_command_would_be_noticed(arguments):
    with pytest.raises((click.UsageError, AssertionError)):
        check(cli.get_command(click.Context(cli), "graph"), arguments)


def test_every_command_that_the_demo_runs_or_names_can_be_given(tmp_path, monkeypatch, capsys):
    ran = []
    monkeypatch.setattr(demo.Demo, "_run", lambda _, shown, *_args, **_options: ran.append(shown))
    monkeypatch.setattr(demo, "busiest_address", lambda _: "10.0.0.1")
    counts = {"misattributed": 1, "edges_false": 2, "edges_claimed": 3}
    evaluation = {"clients": [{"client": "gateway", "flows": 4, "systems": {"ours": counts}}]}
    (tmp_path / "evaluation.json").write_text(json.dumps(evaluation))
    demo.Demo(tmp_path).run()
    printed = capsys.readouterr().out
    assert re.search(r"named wrongly +25\.0%\n.*exist +2 of 3\n", printed)
    named = [
        call for line in re.findall(r"^  (attribution .*)", printed, re.MULTILINE) for call in attribution_calls(line)
    ]
    calls = [shown[1:] for shown in ran if shown[0] == "attribution"] + named
    assert {call[0] for call in calls} >= {"replay", "graph", "whois", "explain", "talkers", "simulate", "evaluate"}
    for verb, *arguments in calls:
        check(cli.get_command(click.Context(cli), verb), arguments)
    for shown in ran:
        if shown[0] == "python":
            assert all((ROOT / argument).is_file() for argument in shown[1:])


def test_examples_in_help_texts_keep_their_lines():
    for help_text in map(inspect.cleandoc, help_texts()):
        assert "\b\nExamples:\n" in help_text
        assert "\\b" not in help_text


def test_scripts_and_make_targets_that_are_named_exist():
    targets = set(re.findall(r"^([a-z]+):", text("Makefile"), re.MULTILINE))
    for page in PAGES:
        content = page.read_text(encoding="utf-8")
        for script in re.findall(r"\b((?:benchmarks|tools)/\w+\.py)\b", content):
            assert (ROOT / script).is_file(), f"{name(page)} names {script}"
        for target in re.findall(r"`make ([a-z]+)[ `]", content):
            assert target in targets, f"{name(page)} names make {target}"


def test_paths_that_are_named_exist():
    """Paths of the repository in inline code, from its top or from `attribution/`; the changelog has old ones."""
    top = {path.name for folder in (ROOT, ROOT / "attribution") for path in folder.iterdir() if path.is_dir()}
    for page in PAGES:
        if page.name == "CHANGELOG.md":
            continue
        for path in re.findall(r"`([\w./*-]+)`", page.read_text(encoding="utf-8")):
            if path.split("/")[0] in top - {"demo", "lake"} and "/" in path:
                found = [*ROOT.glob(path), *(ROOT / "attribution").glob(path)]
                assert found, f"{name(page)} names {path}"


# Links


def anchors(markdown):
    """Anchors of the headings, as GitHub makes them."""
    heads = re.findall(r"^#+ (.*)$", re.sub(r"```.*?```", "", markdown, flags=re.DOTALL), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", head.lower()).replace(" ", "-") for head in heads}


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_inside_the_repository_lead_somewhere(page):
    content = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", content):
        if target.startswith(("http://", "https://")):
            continue
        path, _, anchor = target.partition("#")
        linked = (page.parent / path).resolve() if path else page
        assert linked.exists(), target
        if anchor:
            assert anchor in anchors(linked.read_text(encoding="utf-8")), target


def test_every_page_can_be_reached_from_the_index():
    reached, left = set(), [ROOT / "docs/index.md"]
    while left:
        page = left.pop()
        if page in reached:
            continue
        reached.add(page)
        links = re.findall(r"\]\(([^)\s#]+\.md)[^)]*\)", page.read_text(encoding="utf-8"))
        left += [(page.parent / link).resolve() for link in links if not link.startswith("http")]
    assert set((ROOT / "docs").rglob("*.md")) <= reached


# Nothing left out


def how_to(known):
    return re.search(r"\((.*)\)", reference._guide(known))[1].removeprefix("../how-to/")


@pytest.mark.parametrize("known", registry.FORMATS, ids=lambda known: known.name)
def test_every_format_has_a_how_to_that_says_what_is_skipped(known):
    page = text(f"docs/how-to/{how_to(known)}")
    missing = [reason for reason in known.skips if f"`{reason}`" not in page]
    assert not missing


@pytest.mark.parametrize("known", [known for known in registry.FORMATS if known.wants], ids=lambda known: known.name)
def test_every_field_that_a_format_wants_is_on_its_how_to(known):
    page = text(f"docs/how-to/{how_to(known)}")
    names = {name for one in known.wants for name in one.name.split(", ")}
    assert not [name for name in names if name not in page]


@pytest.mark.parametrize("setting", [field.name for field in fields(Settings)])
def test_every_setting_is_explained_where_settings_are_tuned(setting):
    assert re.search(rf"^## .*`{setting}`", text("docs/how-to/tuning.md"), re.MULTILINE)


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_is_used_in_the_tutorial(verb):
    assert f"attribution {verb} " in text("docs/tutorial.md")


@pytest.mark.parametrize("word", [*METHODS, *REASONS])
def test_every_method_and_reason_is_in_the_design(word):
    assert f"`{word}`" in text("docs/design.md")


@pytest.mark.parametrize("page", sorted((ROOT / "docs/decisions").glob("*.md")), ids=name)
def test_a_decision_has_its_number_a_question_and_a_choice(page):
    content = page.read_text(encoding="utf-8")
    assert content.startswith(f"# {page.name[:4]} ")
    assert "**Question.**" in content
    assert "\n## Choice\n" in content
    assert len(content.splitlines()) <= 80, "a decision is one page"
    assert f"](decisions/{page.name})" in text("docs/index.md"), "the index names every decision"


def test_every_folder_of_tests_is_named_where_the_tests_are_explained():
    tests = [path for path in committed() if path.match("test_*.py")]
    folders = {name(path.parent).removeprefix("tests/") + "/" for path in tests}
    named = set(re.findall(r"^\| `([\w/]+/)` \|", text("tests/README.md"), re.MULTILINE))
    assert named == folders - {"tests/"}
    modules = {path.name for path in (ROOT / "tests").glob("test_*.py")}
    assert set(re.findall(r"^\| `(\w+\.py)` \|", text("tests/README.md"), re.MULTILINE)) <= modules


# Sentences


def listed(long):
    return "\n".join(f"{one.path}:{one.line}: {one.words} words: {one.text}" for one in long)


@pytest.mark.parametrize("page", sentences.CLEAN_PAGES)
def test_no_sentence_of_a_page_that_everybody_reads_is_too_long(page):
    long = sentences.too_long(sentences.of_file(ROOT / page))
    assert not long, listed(long)


def test_no_sentence_of_a_help_text_is_too_long():
    long = sentences.too_long(sentences.of_command_line())
    assert not long, listed(long)


@pytest.fixture(scope="module", name="long_by_area")
def _long_by_area():
    return sentences.found_by_area()


@pytest.mark.parametrize("area", sentences.AREAS)
def test_the_number_of_long_sentences_only_falls(area, long_by_area):
    number, long = json.loads(sentences.NUMBERS.read_text())[area], long_by_area[area]
    assert len(long) <= number, f"shorten {len(long) - number} of these, yours first:\n{listed(long)}"
    assert len(long) >= number - sentences.slack(number), "lower the number: run `python tools/sentences.py --write`"


def test_all_prose_is_held_to_it():
    """The pages and docstrings of every folder, but for those of tests, whose names say what they do."""
    held = set(sentences.CLEAN_PAGES)
    held |= {name(path) for patterns in sentences.AREAS.values() for pattern in patterns for path in ROOT.glob(pattern)}
    prose = {name(path) for path in committed() if path.suffix in {".md", ".py"}}
    samples = {path for path in prose if path.startswith(("tests/golden/", "tests/sources/data/"))}
    tests = {path for path in prose if path.startswith("tests/") and path.endswith(".py")}
    assert prose - held <= samples | tests


# What must not be in the repository


def committed():
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    if listed.returncode:
        pytest.skip("no git checkout")
    return [ROOT / path for path in listed.stdout.decode().split("\0") if path]


def test_no_file_holds_a_path_of_a_machine_or_the_host_of_a_package_registry():
    machine = "|".join(["/wo" + "rk/", "/ro" + "ot/", "/Users/[a-z]", r"(?<![\w.*])/ho" + "me/[a-z]"])
    registries = "|".join(
        ["pypi" + r"\.org", "python" + "hosted", "artifac" + "tory", "npmjs" + r"\.", "files" + r"\.pyp"]
    )
    found = []
    for path in committed():
        if not path.is_file() or "tests/sources/data" in str(path):
            continue
        content = path.read_bytes().decode("utf-8", "replace")
        found += [f"{name(path)}: {match[0]}" for match in re.finditer(f"{machine}|{registries}", content)]
    assert not found
