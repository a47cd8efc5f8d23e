"""The question about a call, as a terminal shows it."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from budget_magic.report.approval_card import approval_card
from budget_magic.report.plain import columns
from tests.report.hostile import has_controls
from tests.report.payloads import ALL

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
        "    def check():",
        "  -     return a == b",
        "  +     return same(a, b)",
    ]


def test_a_command_is_never_cut_and_its_own_lines_are_told_from_folded_ones() -> None:
    command = "pytest -q " + " ".join(f"tests/test_{n}.py" for n in range(8)) + "\nrm -rf build"
    lines = approval_card("shell", "It runs a command, so it asks.", {"command": command}).split(
        "\n"
    )
    assert lines[1:] == [
        "    command",
        "      pytest -q tests/test_0.py tests/test_1.py tests/test_2.py",
        "      ↪ tests/test_3.py tests/test_4.py tests/test_5.py tests/test_6.py",
        "      ↪ tests/test_7.py",
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
    assert card.splitlines()[-1].strip().startswith("+ ")


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


@settings(deadline=None)
@given(
    st.text(alphabet="ab \n$?漢\u0301", max_size=300),
    st.text(alphabet="ab \n漢", max_size=120),
    st.integers(40, 100),
)
def test_nothing_is_lost_and_no_line_is_too_long(value: str, other: str, width: int) -> None:
    card = approval_card("run", ASKS, {"text": value, other: other, "n": value[:9]}, width=width)
    assert all(columns(line) <= width for line in card.split("\n"))
    words = "".join("".join(line.split()) for line in card.replace("↪", "").split("\n"))
    assert "".join(value.split()) in words
    assert "".join(other.split()) in words


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
    assert edited[1] == "    new_str (12,400 characters)"


def test_other_characters_are_escaped_where_the_terminal_has_ascii_only() -> None:
    card = approval_card("save", "", {"text": "naïve 漢"}, utf8=False)
    assert card.splitlines()[-1] == r"    text      na\xefve \u6f22"
