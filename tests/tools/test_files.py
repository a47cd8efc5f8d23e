"""What `read`, `glob`, `grep` and `list` give."""

from __future__ import annotations

import os
from itertools import pairwise
from pathlib import Path

import pytest
from anthropic.types import beta as sdk
from pydantic import BaseModel

from budget_magic.tools.files import file_tools
from tests.tools.calling import Files


def test_the_tools_take_the_arguments_of_the_sdk_toolset(tmp_path: Path) -> None:
    tools = {tool.name: tool for tool in file_tools(tmp_path)}
    models: dict[str, type[BaseModel]] = {
        "read": sdk.BetaManagedAgentsAgentToolset20260401ReadInput,
        "glob": sdk.BetaManagedAgentsAgentToolset20260401GlobInput,
        "grep": sdk.BetaManagedAgentsAgentToolset20260401GrepInput,
    }

    for name, model in models.items():
        ours = tools[name].definition()["input_schema"]
        theirs = model.model_json_schema()
        assert list(ours["properties"]) == list(theirs["properties"])
        assert ours["required"] == theirs["required"]
        assert all("description" in one for one in ours["properties"].values())
    assert set(tools) == {*models, "list"}


def test_file_tools_only_read_and_say_what_they_leave_out(tmp_path: Path) -> None:
    for tool in file_tools(tmp_path):
        assert (tool.needs_approval, tool.is_parallel, tool.thread) == (False, True, "worker")
        assert "start with a dot" in tool.definition()["description"]


def test_read_gives_the_text_as_it_is(files: Files) -> None:
    files.write("a.txt", "one\r\ntwo\n\ttäb\n")

    assert files.text("read", file_path="a.txt") == "one\r\ntwo\n\ttäb\n"


@pytest.mark.parametrize(
    ("view_range", "expected"),
    [
        ([1, 2], "one\ntwo"),
        ([2, 2], "two"),
        ([2, 99], "two\nthree"),
        ([2, -1], "two\nthree"),
        ([3, 0], "three"),
        ([0, 1], "one"),
        ([], "one\ntwo\nthree\n"),
    ],
)
def test_read_gives_a_range_of_lines(files: Files, view_range: list[int], expected: str) -> None:
    files.write("a.txt", "one\ntwo\nthree\n")

    assert files.text("read", file_path="a.txt", view_range=view_range) == expected


@pytest.mark.parametrize(
    ("view_range", "said"),
    [
        ([1], "two numbers"),
        ([1, 2, 3], "two numbers"),
        ([9, 12], "ends before"),
        ([3, 2], "before it"),
    ],
)
def test_read_says_what_is_wrong_with_a_range(
    files: Files, view_range: list[int], said: str
) -> None:
    files.write("a.txt", "one\ntwo\nthree\n")

    assert said in files.refusal("read", file_path="a.txt", view_range=view_range)


@pytest.mark.parametrize("name", ["a.png", "b.JPG", "c.pdf"])
def test_read_refuses_images_and_pdfs(files: Files, name: str) -> None:
    files.write(name, b"\x89PNG whatever")

    assert files.refusal("read", file_path=name) == f"{name}: images and PDFs are not read yet"


@pytest.mark.parametrize("content", [b"\x00\x01\x02", b"\x7fELF\x00\x00", b"%PDF-1.7 in disguise"])
def test_read_refuses_other_binary_files(files: Files, content: bytes) -> None:
    files.write("data.bin", content)

    assert "is a binary file; only text is read" in files.refusal("read", file_path="data.bin")


def test_read_gives_text_that_is_not_utf8_and_says_so(files: Files) -> None:
    files.write("old.csv", "Größe;5\n".encode("latin-1"))

    text = files.text("read", file_path="old.csv")

    assert text.startswith("Größe;5\n")
    assert "not UTF-8" in text


def test_read_refuses_a_huge_file_but_gives_its_lines(files: Files) -> None:
    huge = files.write("huge.log", b"")
    with huge.open("wb") as stream:
        stream.write(b"first\nsecond\n" + b"x" * 10_000 + b"\n")
        stream.truncate(3_000_000_000)  # sparse: takes no room

    refusal = files.refusal("read", file_path="huge.log")

    assert "3,000,000,000 bytes" in refusal
    assert "view_range" in refusal
    assert files.text("read", file_path="huge.log", view_range=[1, 2]) == "first\nsecond"
    assert "read fewer lines" in files.refusal("read", file_path="huge.log", view_range=[2, 4])


def test_read_says_what_else_it_was_given(files: Files) -> None:
    files.write("sub/a.txt", "")

    assert files.refusal("read", file_path="sub") == "sub is a folder; use `list` on it"
    assert files.refusal("read", file_path="nope.txt") == "nope.txt does not exist"
    assert files.text("read", file_path="sub/a.txt") == "[the file is empty]"


def test_bad_arguments_of_a_file_tool_are_named(files: Files) -> None:
    assert "file_path: Missing required argument" in files.refusal("read")
    assert "view_range.0: Input should be a valid integer" in files.refusal(
        "read", file_path="a", view_range=["x", 2]
    )
    assert "depth: Unexpected keyword argument" in files.refusal("list", depth=3)


def test_glob_gives_paths_relative_to_the_root_newest_first(files: Files) -> None:
    for age, name in enumerate(["src/new.py", "src/deep/mid.py", "old.py"]):
        os.utime(files.write(name), (1_000_000 - age, 1_000_000 - age))
    files.write("readme.md")

    assert files.text("glob", pattern="**/*.py") == "src/new.py\nsrc/deep/mid.py\nold.py"
    assert files.text("glob", pattern="*.py") == "old.py"
    assert files.text("glob", pattern="src/*.py") == "src/new.py"
    assert files.text("glob", pattern="*.py", path="src") == "src/new.py"
    assert files.text("glob", pattern="**/{mid,old}.p?") == "src/deep/mid.py\nold.py"
    assert files.text("glob", pattern="src/**/[lm]*.py") == "src/deep/mid.py"


def test_glob_expands_braces_as_a_shell_does(files: Files) -> None:
    for name in ("09.csv", "10.csv", "11.csv", "{10}.csv"):
        files.write(name)

    def found(pattern: str) -> set[str]:
        return set(files.text("glob", pattern=pattern).splitlines())

    assert found("{08..10}.csv") == {"09.csv", "10.csv"}
    assert found("{09,1{0,1}}.csv") == {"09.csv", "10.csv", "11.csv"}
    assert found("{10}.csv") == {"{10}.csv"}


def test_glob_without_a_match_says_what_is_never_listed(files: Files) -> None:
    files.write("src/a.py")

    text = files.text("glob", pattern="*.py")

    assert text.startswith("no matches\n")
    assert "credential files" in text
    assert "**/*.py looks below it too" in text


def test_glob_shows_the_newest_and_says_how_many_there_are(files: Files) -> None:
    for number in range(230):
        files.write(f"{number}.txt", "")

    lines = files.text("glob", pattern="*.txt").splitlines()

    assert len(lines) == 201
    assert lines[-1] == "[the newest 200 of 230 matches]"


@pytest.mark.parametrize(
    "pattern",
    ["", "a" * 1_001, "{a,b}" * 12, "{1..1000000000}", "{" * 1_000, "{..,a}/b", ".{.,a}/b"],
)
def test_a_glob_pattern_out_of_bounds_is_refused(files: Files, pattern: str) -> None:
    assert "pattern" in files.refusal("glob", pattern=pattern)


@pytest.mark.parametrize(
    "pattern",
    ["**/" * 20 + "*a" * 60 + "b", "**/a/" * 20 + "b", "**/*/" * 20 + "b", "**/**/**/x"],
)
def test_a_glob_pattern_full_of_stars_ends_soon(files: Files, pattern: str) -> None:
    files.write("/".join("a" * 60) + "/" + "a" * 200)

    text = files.text("glob", pattern=pattern)

    assert text.startswith("no matches")
    assert "stopped after" not in text


def test_grep_gives_path_line_and_text(files: Files) -> None:
    files.write("b.txt", "nothing\n")
    files.write("src/a.py", "import os\n\ndef main():\n    pass\n")

    assert files.text("grep", pattern=r"def \w+") == "src/a.py:3:def main():"
    assert files.text("grep", pattern="(?i)IMPORT", path="src") == "src/a.py:1:import os"
    assert files.text("grep", pattern="pass", path="src/a.py") == "src/a.py:4:    pass"
    assert files.text("grep", pattern="absent") == "no matches"


@pytest.mark.parametrize("folder", ["__pycache__", "node_modules", "sub/node_modules", ".git"])
def test_searches_skip_what_nobody_means_to_search(files: Files, folder: str) -> None:
    files.write(f"{folder}/a.txt", "needle")

    assert files.text("grep", pattern="needle") == "no matches"
    assert files.text("glob", pattern="**/*.txt").startswith("no matches")


def test_searches_skip_a_virtual_environment_unless_it_is_named(files: Files) -> None:
    files.write("venv/pyvenv.cfg", "")
    files.write("venv/lib/a.py", "needle")

    assert files.text("grep", pattern="needle") == "no matches"
    assert files.text("grep", pattern="needle", path="venv/lib") == "venv/lib/a.py:1:needle"


def test_grep_skips_binary_files_and_reads_what_is_not_utf8(files: Files) -> None:
    files.write("a.bin", b"\x00needle")
    files.write("b.txt", "Größe needle\n".encode("latin-1"))

    assert files.text("grep", pattern="needle") == "b.txt:1:Gr\ufffd\ufffde needle"


def test_grep_ends_a_pattern_that_never_would_and_says_so(files: Files) -> None:
    files.write("a.txt", "found (a+)\n" + "a" * 60 + "!\n")
    quick = Files(files.root, limit_s=0.5)

    text = quick.text("grep", pattern=r"found|^(a+)+$")

    assert text.startswith("a.txt:1:found (a+)\n[stopped after 0.5 s")


@pytest.mark.parametrize(
    "pattern",
    ["((a{1000}){1000}){1000}", "a{1000000000}", "(?:" * 60 + "a" + "){2}" * 60],
)
def test_grep_takes_a_pattern_of_huge_repeats(files: Files, pattern: str) -> None:
    files.write("a.txt", "a" * 60 + "!\n")

    assert files.text("grep", pattern=pattern) == "no matches"


@pytest.mark.parametrize("text", ["item{i}", "print{d}", "f'{e}'"])
def test_grep_reads_braces_without_a_count_literally(files: Files, text: str) -> None:
    files.write("a.py", f"item 1\nprint\nf\n{text}\n")

    assert files.text("grep", pattern=text) == f"a.py:4:{text}"


def test_grep_says_what_is_wrong_with_a_pattern(files: Files) -> None:
    assert "not a valid regular expression: missing )" in files.refusal("grep", pattern="(")
    assert "1 to 1,000 characters" in files.refusal("grep", pattern="")


def test_grep_bounds_what_it_shows_and_says_so(files: Files) -> None:
    files.write("many.txt", "x\n" * 600)
    files.write("wide.txt", "y" * 9_000 + "needle" + "y" * 50_000 + "late\nnext needle\n")

    many = files.text("grep", pattern="x").splitlines()
    wide = files.text("grep", pattern="needle|late").splitlines()

    assert len(many) == 501
    assert many[-1].startswith("[stopped after 500 matches")
    assert wide[0].startswith("wide.txt:1:...yyy")
    assert "needle" in wide[0]
    assert len(wide[0]) < 400
    assert wide[1] == "wide.txt:2:next needle"
    assert "longer than 10,000 bytes" in wide[2]


def test_names_are_shown_on_one_line_whatever_they_hold(files: Files) -> None:
    files.write("two\nlines.txt", "needle")

    assert files.text("grep", pattern="needle") == "two\ufffdlines.txt:1:needle"
    assert files.text("list") == "two\ufffdlines.txt  6 bytes"


def test_list_shows_folders_first_and_files_with_sizes(files: Files) -> None:
    files.write("b/x.txt")
    files.write("a.txt", "x" * 1234)
    files.write("c/y.txt")

    assert files.text("list") == "b/\nc/\na.txt  1,234 bytes"
    assert files.text("list", path="b") == "b/x.txt  6 bytes"
    assert files.refusal("list", path="a.txt") == "a.txt is a file; use `read` on it"
    assert files.refusal("list", path="nope") == "nope does not exist"


def test_list_is_capped_and_says_so(files: Files) -> None:
    for number in range(510):
        files.write(f"{number:03}.txt", "")

    lines = files.text("list").splitlines()

    assert len(lines) == 501
    assert lines[-1].startswith("[the first 500 of 510 entries")
    assert all(first < second for first, second in pairwise(lines[:500]))


def test_list_says_so_when_there_is_nothing_to_show(files: Files) -> None:
    files.write(".env")

    assert files.text("list").startswith("[nothing to show; names that start with a dot")
