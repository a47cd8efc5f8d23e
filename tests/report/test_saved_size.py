"""The size of what is saved, all forms together, of real simulated turns."""

from __future__ import annotations

import json
from typing import Any

import pytest

from budget_magic.report.fitting import LONG_BYTES, SAVED_BYTES
from budget_magic.simulator import Call, Reply, Scripted, Simulator
from tests.loop.running import task_on
from tests.report.hostile import parse
from tests.report.records import ANSWER

STEPS = 20
CODE = "\n```python\ndef same(a, b):\n    return compare(a, b)  # in constant time\n```\n"
PROMPT = "Audit this shop for security problems. Order the findings by what an attacker gains."
PARAGRAPH = (
    "The value goes into the query as text, so a quote in it changes the query. Pass the values "
    "beside the query: the driver then keeps both apart, and no name can change what is asked. The "
    "same holds for the report filter, whose text comes from the address line of the browser.\n"
)
KEPT = "The last word of the answer."


def read_file(path: str) -> str:
    """Read a file."""
    return f"{path}\n" + "import os  # a line of the file that was read\n" * 60


def saved(answer: str, steps: int = STEPS) -> dict[str, Any]:
    """What a turn of so many steps saves."""
    calls = [
        Reply(
            thinking="I look at the next part of the shop. " * 6,
            text="Next." if number % 3 else "",
            calls=[Call("read_file", {"path": f"shop/part_{number}.py"})],
        )
        for number in range(1, steps)
    ]
    script = Simulator(Scripted([*calls, Reply(text=answer)]))
    outcome = task_on(script, tools=[read_file], approve="all").run(PROMPT)
    assert outcome.spend.steps == steps
    assert outcome.bundle is not None
    return dict(outcome.bundle())


def bytes_of(made: dict[str, Any]) -> int:
    return len(json.dumps(made, ensure_ascii=False).encode())


def typical(size: int) -> str:
    text = ANSWER + CODE
    while len(text) < size - 400:
        text += f"\n### Finding {len(text)}\n\n{PARAGRAPH}\n\n- `shop/x.py:{len(text)}`\n"
    return f"{text}\n{KEPT}"


@pytest.mark.parametrize("size", [0, 2_000, 3_000])
def test_20_steps_take_at_most_20_kb_and_keep_the_answer_whole(size: int) -> None:
    answer = typical(size)
    made = saved(answer)
    assert bytes_of(made) <= SAVED_BYTES == 20_000
    for form in ("text/html", "text/markdown", "text/plain"):
        assert KEPT in made[form]
        assert "Audit this shop for security problems." in made[form]
        assert "characters of the answer" not in made[form]
        assert made[form].count("Finding ") == answer.count("Finding ")
    assert f"{STEPS}. answer" in parse(made["text/html"]).text


def test_a_longer_answer_is_whole_in_the_html_first() -> None:
    made = saved(typical(4_500))
    assert bytes_of(made) <= SAVED_BYTES
    assert "characters of the answer" not in made["text/html"]
    assert KEPT in made["text/plain"]


@pytest.mark.parametrize("size", [9_000, 80_000])
def test_a_very_long_answer_has_a_firm_limit_too(size: int) -> None:
    made = saved(typical(size), steps=30)
    assert SAVED_BYTES < bytes_of(made) <= LONG_BYTES
    for form in ("text/html", "text/markdown", "text/plain"):
        assert KEPT in made[form]


def test_a_short_turn_has_colours_and_all_its_parts() -> None:
    made = saved(ANSWER + CODE, steps=3)
    assert "color:#7526a3" in made["text/html"]
    assert "shop/part_1.py\n" in made["text/html"]
    assert bytes_of(made) <= SAVED_BYTES
