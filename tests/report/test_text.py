"""Foreign text made fit to be shown."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from budget_magic.report.text import clean_piece, clean_text, cut_text, one_line
from tests.report.hostile import PAYLOADS, has_controls


@pytest.mark.parametrize("payload", PAYLOADS, ids=range(len(PAYLOADS)))
def test_clean_text_holds_no_control_codes(payload: str) -> None:
    cleaned = clean_text(payload)
    assert not has_controls(cleaned)
    assert cleaned.encode()


@settings(deadline=None)
@given(st.text(alphabet=st.characters()) | st.text(alphabet="\x1b[]P;m\x07\x9b\n ab\u202e"))
def test_cleaning_is_done_after_one_pass(text: str) -> None:
    cleaned = clean_text(text)
    assert not has_controls(cleaned)
    assert clean_text(cleaned) == cleaned


def test_terminal_escapes_go_and_their_text_stays() -> None:
    assert clean_text("\x1b[1;31mred\x1b[0m \x1b]8;;http://e\x1b\\link\x1b]8;;\x07") == "red link"


def test_an_escape_that_never_ends_hides_nothing() -> None:
    assert clean_text("before \x1b]0;rm -rf /\nafter").endswith("0;rm -rf /\nafter")


@given(st.lists(st.text("\r\n\x1b\x07[]3m;a\\", max_size=9), max_size=6))
def test_cleaned_pieces_join_to_the_cleaned_text(pieces: list[str]) -> None:
    shown, held = "", ""
    for piece in pieces:
        cleaned, held = clean_piece(held + piece)
        shown += cleaned

    assert shown + clean_text(held) == clean_text("".join(pieces))


def test_bidi_overrides_become_visible() -> None:
    assert clean_text("a\u202eb") == "a[U+202E]b"


def test_line_ends_become_newlines() -> None:
    assert clean_text("a\r\nb\rc\u2028d\x00") == "a\nb\nc\nd␀"


def test_one_line_is_cut_with_an_ellipsis() -> None:
    assert one_line("a\n  b", 9) == "a b"
    assert one_line("abcdefghij", 5) == "abcd…"
    assert one_line("x" * 1_000_000, 10) == "x" * 9 + "…"


def test_a_long_text_keeps_head_and_tail_and_says_so() -> None:
    cut = cut_text("\n".join(map(str, range(31))), lines=12, chars=1_000)
    assert cut.note == "first 8 and last 4 of 31 lines"
    assert cut.text.split("\n") == [*map(str, range(8)), "…", "27", "28", "29", "30"]


def test_a_long_line_is_cut_by_characters() -> None:
    cut = cut_text("a" * 500 + "b" * 500, lines=12, chars=10)
    assert cut.text == "aaaaaaa\n…\nbbb"
    assert cut.note == "first 7 and last 3 of 1,000 characters"


@settings(deadline=None)
@given(st.text(max_size=400), st.integers(2, 20), st.integers(2, 200))
def test_a_cut_keeps_its_bounds(text: str, lines: int, chars: int) -> None:
    cut = cut_text(text, lines=lines, chars=chars)
    assert len(cut.text) <= chars + 3
    assert (cut.text == text) == (not cut.note)
