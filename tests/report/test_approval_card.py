"""The question about a call, as a terminal shows it."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from budget_magic.report.approval_card import approval_card
from budget_magic.report.call_labels import input_fields
from budget_magic.report.plain import columns
from tests.report import read_back
from tests.report.hostile import has_controls
from tests.report.payloads import ALL
from tests.support import examples

ASKS = "It changes a file, so it asks."


def test_an_edit_is_shown_as_what_goes_and_what_comes() -> None:
    card = approval_card(
        "edit_file",
        ASKS,
        {
            "path": "src/session.py",
            "old_str": "def check():\n    return a == b\n",
            "new_str": "def check():\n    return same(a, b)\n",
        },
    )
    assert card.splitlines() == [
        "? Claude wants to run edit_file. It changes a file, so it asks.",
        "    path      src/session.py",
        "    old_str to new_str",
        "      def check():",
        "    -     return a == b",
        "    +     return same(a, b)",
    ]


def test_a_command_is_never_cut_and_its_own_lines_are_told_from_folded_ones() -> None:
    command = "pytest -q " + " ".join(f"tests/test_{n}.py" for n in range(8)) + "\nrm -rf build"
    lines = approval_card("shell", "It runs a command, so it asks.", {"command": command}).split(
        "\n"
    )
    assert lines[1:] == [
        "    command",
        "      pytest -q tests/test_0.py tests/test_1.py tests/test_2.py tests/test_3.py",
        "    ↪  tests/test_4.py tests/test_5.py tests/test_6.py tests/test_7.py",
        "      rm -rf build",
    ]


def test_values_that_are_no_text_and_none_at_all() -> None:
    card = approval_card("look", "", {"depth": 3, "deep": {"a": [1, None]}, "text": ""})
    assert card.splitlines() == [
        "? Claude wants to run look.",
        "    depth     3",
        '    deep      {"a": [1, null]}',
        "    text      (empty)",
    ]
    assert approval_card("look", "", {}).splitlines()[1] == "    (no input)"


def test_names_that_look_alike_hide_nothing() -> None:
    card = approval_card("run", "", {"path": "a", "path ": "b", " path": "c"})
    assert [line.split()[-1] for line in card.splitlines()[1:]] == ["a", "b", "c"]


def test_a_terminal_with_ascii_only() -> None:
    card = approval_card("shell", "", {"command": "x" * 100}, utf8=False)
    assert card.isascii()
    assert card.splitlines()[-1].strip().startswith("> ")


def test_hostile_input_cannot_look_like_the_question() -> None:
    for payload in ALL:
        short = payload[:20_000]
        card = approval_card(
            short[:300], short[:300], {short[:99]: short, "old_str": short, "new_str": ""}
        )
        first, *rest = card.split("\n")
        assert first.startswith("? Claude wants to run ")
        assert not has_controls(card)
        for line in rest:
            assert line == "" or line[:2] == "  "
            assert not line.startswith(("? ", "approve"))


def test_ordinary_texts_stand_as_they_are() -> None:
    text = '{\n  "name": "x",\n  "of": [1, 2]\n}\n\ndef f(a):\n    return re.sub(r"\\s+\\n", a)'
    call_input = {
        "text": text,
        "command": "grep -rn '[a-z]\\d' src/*.py | sort -u",
        "glob": "[ab]*",
    }

    for card in (approval_card("run", "", call_input, utf8=utf8) for utf8 in (True, False)):
        assert card.split("\n")[1:] == [
            "    command   grep -rn '[a-z]\\d' src/*.py | sort -u",
            "    glob      [ab]*",
            "    text",
            *(f"      {line}".rstrip() for line in text.split("\n")),
        ]


def test_what_could_be_mistaken_is_marked() -> None:
    card = approval_card(
        "run", "", {"a": "true", "b": "[1]", "c": "x ", "d": "\ta\tb", "e": r"\x1b", "f": " x"}
    )
    assert card.splitlines()[1:] == [
        '    a         "true"',
        '    b         "[1]"',
        r"    c         x\x20",
        "    d         ⇥   a⇥  b",
        r"    e         \\x1b",
        "    f",
        "       x",
    ]


def test_a_comparison_cannot_stand_for_other_inputs() -> None:
    one = {"old_str": "path      a\nb", "new_str": "path      a\nc"}
    other = {"path": "a", "old_str": "b", "new_str": "c"}
    renamed = {"old_text": "b", "new_text": "c", "path": "a"}
    cards = {approval_card("edit", "", call_input) for call_input in (one, other, renamed)}

    assert len(cards) == 3


NASTY = "ab03x1e4u \t\n\r\\\"'[]{},:-+>$?\x1b\x7f\u202e\u200b\u00a0↪⇥é漢\u0301\ud800\U000e0041"
nasty = st.text(NASTY, max_size=90) | st.lists(
    st.sampled_from(
        ["\\x1b", "\x1b", "\\", "x20", " ", " " * 45, "\t", "\n", "↪ ", "> ", "⇥", "(empty)",
         "true", "3", "[1]", '"', "x" * 72, "    ", "- ", "u202e", "\u202e", "old_str to new_str"]
    ),
    max_size=8,
).map("".join)  # fmt: skip
scalars = nasty | st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False)
values = st.recursive(
    scalars, lambda one: st.lists(one, max_size=3) | st.dictionaries(nasty, one, max_size=2)
)
names = st.sampled_from(["old_str", "new_str", "old_text", "new_text", "path", "command"]) | nasty
inputs = st.dictionaries(names, values, max_size=4)


@settings(max_examples=examples(300))
@given(inputs, st.integers(40, 100), st.sampled_from([True, False]))
def test_a_card_can_be_read_back_so_no_two_inputs_give_the_same(
    call_input: dict[str, Any],
    width: int,
    utf8: bool,  # noqa: FBT001 - Hypothesis passes it
) -> None:
    card = approval_card("run", "", call_input, width=width, utf8=utf8)

    assert read_back.card(card, utf8=utf8) == read_back.typed(call_input)
    assert all(columns(line) <= width for line in card.split("\n"))
    assert not any(line.endswith(" ") for line in card.split("\n"))
    assert utf8 or card.isascii()


@settings(max_examples=examples(300))
@given(inputs)
def test_the_fields_of_the_panel_can_be_read_back(call_input: dict[str, Any]) -> None:
    fields = input_fields(call_input)

    assert read_back.fields([(field.name, field.value) for field in fields]) == read_back.typed(
        call_input
    )


def test_what_cannot_be_seen_is_escaped_and_nothing_is_left_out() -> None:
    command = "echo hello \x1b]; echo PWNED; \x07\x9b31m\x7f\u202e\u2028\ud800\U000e0041\ufe0f"
    card = approval_card("shell", "", {"command\x1b": command}, width=96)
    assert card.splitlines()[1:] == [
        r"    command\x1b",
        r"      echo hello \x1b]; echo PWNED; \x07\x9b31m\x7f\u202e\u2028\ud800\U000e0041\ufe0f",
    ]


def test_the_size_of_a_long_value_is_said() -> None:
    text = "first " + "x" * 12_388 + " last!"
    lines = approval_card("save", "", {"text": text}).split("\n")
    assert lines[1] == "    text (12,400 characters)"
    assert lines[2].strip().startswith("first")
    assert lines[-1].endswith("last!")
    edited = approval_card("edit_file", "", {"old_str": "a", "new_str": text}).split("\n")
    assert edited[1] == "    old_str to new_str (12,400 characters)"


def test_other_characters_are_escaped_where_the_terminal_has_ascii_only() -> None:
    card = approval_card("save", "", {"text": "naïve 漢"}, utf8=False)
    assert card.splitlines()[-1] == r"    text      na\xefve \u6f22"
