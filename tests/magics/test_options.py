"""Reading a magic's line."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any, Final

import pytest

from budget_magic.errors import ConfigurationError
from budget_magic.magics.options import OPTIONS, help_text, parse, split, texts
from budget_magic.settings import Settings


def read(line: str) -> Any:
    return parse(split(line, lambda word: word))


def test_every_option_is_read() -> None:
    line = read(
        "audit -b 64k -e low -m claude-opus-5 --max-tokens 8k --max-cost $2.50"
        " --max-total-tokens 1.5M --max-steps 9 --max-time 10m -t files,rows --approve all"
        ' --root /tmp --system "be short" -o out --tag pr=1 --tag who=me --client mine'
    )
    assert line.task == "audit"
    assert line.given == {
        "budget": 64_000,
        "effort": "low",
        "model": "claude-opus-5",
        "max_tokens": 8_000,
        "max_cost": Decimal("2.50"),
        "max_total_tokens": 1_500_000,
        "max_steps": 9,
        "max_time": 600.0,
        "tools": ("files", "rows"),
        "approve": "all",
        "root": "/tmp",  # noqa: S108 - only read, never opened
        "system": "be short",
        "out": "out",
        "tags": {"pr": "1", "who": "me"},
        "client": "mine",
    }


def test_none_opens_a_ceiling_and_drops_budget_and_system_prompt() -> None:
    given = read("-b none --max-cost none --max-steps none --max-time none --system none").given
    assert set(given.values()) == {None}


TOO_MANY_WORDS: Final = (
    "is more than a task name: the prompt goes below the first line of a %%claude_task cell"
)


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("--max-cost 0,50", "--max-cost 0,50: use a decimal point: 0.50"),
        ("--max-cost 1,000.50", "--max-cost 1,000.50: leave out the commas: 1000.50"),
        ("-b 64,000", "-b 64,000: leave out the commas: 64000"),
        ("-b 64.000", "-b 64.000: give a number of tokens, such as 20000, 64k, 1.5M"),
        ("--max-steps 1.000", "--max-steps 1.000: give a whole number, such as 50, or none"),
        ("--tag a=", "--tag a=: give KEY=VALUE, such as pr=123"),
        ("-- x", "there is no option --; --help lists the options"),
        ("--max-cost five", "--max-cost five: give US dollars, such as 5 or 0.50, or none"),
        ("--max-cost -1", "--max-cost -1: give US dollars, such as 5 or 0.50, or none"),
        ("-b 64kk", "-b 64kk: give a number of tokens, such as 20000, 64k, 1.5M"),
        ("--max-time 90", "--max-time 90: give a time with its unit: 90s, 10m, 1h, or none"),
        ("--max-steps 1.5", "--max-steps 1.5: give a whole number, such as 50, or none"),
        ("-e extreme", "-e extreme: choose one of low, medium, high, xhigh, max"),
        ("--approve maybe", "--approve maybe: choose one of ask, all, none"),
        ("--budgt 64k", "there is no option --budgt; did you mean --budget?"),
        ("--max-s 5", "there is no option --max-s; did you mean --max-steps?"),
        ("-b", "-b needs a value: -b TOKENS"),
        ("--new=1", "--new takes no value; write it alone"),
        ("-b 64k -b 32k", "-b is given twice; give it once"),
        ("-o class", "-o class: give the name of a variable, such as outcome"),
        ("--tag pr", "--tag pr: give KEY=VALUE, such as pr=123"),
        ('--system "open', "a quote on this line is not closed"),
        (
            "audit this",
            f"'audit this' {TOO_MANY_WORDS}",
        ),
    ],
)
def test_a_mistake_is_one_sentence_with_the_way_out(line: str, sentence: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read(line)
    assert str(caught.value) == sentence


def test_options_are_never_abbreviated() -> None:
    with pytest.raises(ConfigurationError):
        read("--eff low")


def test_backslashes_of_a_windows_path_survive() -> None:
    assert read(r"--root C:\Users\me").given["root"] == r"C:\Users\me"


def test_quoted_words_are_not_expanded_and_others_are() -> None:
    words = split("""--root {x} --system "{x} $x" --system='{x} y'""", lambda word: word.upper())
    assert words == ["--ROOT", "{X}", "--SYSTEM", "{x} $x", "--SYSTEM", "{x} y"]


def test_help_lists_every_option() -> None:
    told = help_text("%%claude_task", frozenset(OPTIONS), texts(Settings()))
    assert all(f"--{row.option}" in told for row in OPTIONS.values())


def test_help_shows_the_documented_defaults() -> None:
    told = help_text("%%claude_task", frozenset(OPTIONS), texts(Settings()))
    shown = dict(re.findall(r"--(\S+) .*\(default (.*)\)", told))
    assert (
        shown.items()
        >= {
            "budget": "64k",
            "effort": "high",
            "model": "claude-opus-5-5",
            "max-tokens": "none",
            "max-cost": "5",
            "max-total-tokens": "1M",
            "max-steps": "50",
            "max-time": "30m",
            "tools": "files",
            "approve": "ask",
            "root": ".",
            "system": "none",
            "compact-at": "none",
            "inference-geo": "none",
            "client": "auto",
        }.items()
    )
