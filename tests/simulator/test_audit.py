"""The default scene: an agent whose reports come from what the tools returned."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from anthropic.types.beta import BetaMessage

from budget_magic.simulator import Simulator
from budget_magic.simulator.tokens import count_text
from tests.simulator.helpers import (
    LOOKUP,
    ask,
    budget,
    client_of,
    loop,
    results,
    run,
    said,
    text_of,
)
from tests.simulator.planted_folder import FILE_TOOLS, PLANTED, PROBLEMS, Folder, tool

AUDIT = [{"role": "user", "content": "Audit this folder."}]
SIMULATED = "This is a simulated answer"


def turn(
    simulator: Simulator, folder: Folder, messages: list[dict[str, Any]], **changes: Any
) -> list[BetaMessage]:
    async def work() -> list[BetaMessage]:
        async with client_of(simulator) as client:
            wanted: dict[str, Any] = {"tools": FILE_TOOLS, "max_tokens": 16_000, **changes}
            return await loop(client, messages, folder.answer, **wanted)

    return run(work())


def said_calls(message: BetaMessage) -> list[dict[str, Any]]:
    return [block for block in said(message)["content"] if block["type"] == "tool_use"]


def audit(folder: Folder, **changes: Any) -> str:
    return text_of(turn(Simulator(), folder, list(AUDIT), **changes)[-1])


@pytest.mark.parametrize("absolute", [True, False])
@pytest.mark.parametrize("effort", ["low", "high", "max"])
def test_the_report_names_every_planted_problem(
    tmp_path: Path,
    absolute: bool,  # noqa: FBT001 - a column
    effort: str,
) -> None:
    report = audit(Folder(tmp_path, PLANTED, absolute=absolute), output_config={"effort": effort})
    root = f"{tmp_path}/" if absolute else ""
    for place, title in PROBLEMS.items():
        assert f"`{root}{place}`" in report
        assert title in report


def test_every_quoted_line_is_in_the_file_at_that_place(tmp_path: Path) -> None:
    report = audit(Folder(tmp_path, PLANTED))
    quotes = re.findall(r"^- `([^`]+):(\d+)`: `(.+)`$", report, re.MULTILINE)
    assert len(quotes) >= len(PROBLEMS)
    for path, number, quote in quotes:
        assert PLANTED[path].splitlines()[int(number) - 1].strip() == quote


@pytest.mark.parametrize("name", ["grep", "read"])
def test_no_line_beside_or_below_a_cut_is_given_a_place(tmp_path: Path, name: str) -> None:
    class Cutting(Folder):
        async def answer(self, called: str, arguments: dict[str, Any]) -> str:
            text = await super().answer(called, arguments)
            if called != name:
                return text if called == "glob" else "no matches"
            return (
                f"{text}\na.py:1: eva\n[2,000 bytes left out here]\nb.py:2: eval(text)\n\neval(x)"
            )

    report = audit(Cutting(tmp_path, {"a.py": "one = 1\n", "b.py": "two = 2\n"}))
    assert "none of my searches found a problem" in report
    assert ("Read in part" if name == "read" else "its result was cut") in report


def test_findings_are_ordered_by_severity_and_explained(tmp_path: Path) -> None:
    report = audit(Folder(tmp_path, PLANTED))
    places = [report.index(heading) for heading in ("## High", "## Medium", "## Low")]
    assert places == sorted(places)
    assert report.count("Why it matters:") == report.count("Instead:") >= len(PROBLEMS)
    assert "## What I read" in report


def test_the_first_sentence_says_that_it_is_simulated(tmp_path: Path) -> None:
    assert audit(Folder(tmp_path, PLANTED)).startswith(SIMULATED)
    assert text_of(ask(Simulator())).startswith(SIMULATED)


def test_a_clean_folder_gets_a_clean_report(tmp_path: Path) -> None:
    files = {"a.py": PLANTED["shop/fine.py"], "notes.txt": "Nothing here."}
    report = audit(Folder(tmp_path, files))
    assert "none of my searches found a problem" in report
    assert "`a.py`" in report


@pytest.mark.parametrize("files", [{}, {"data.csv": "a,b\n1,2\n"}])
def test_a_folder_without_code_ends_in_a_report_too(tmp_path: Path, files: dict[str, str]) -> None:
    assert audit(Folder(tmp_path, files)).startswith(SIMULATED)


def test_it_reads_and_thinks_more_at_higher_effort(tmp_path: Path) -> None:
    files = {f"part_{n}.py": f"# TODO {n}\n" for n in range(30)}
    reads, thoughts = [], []
    for effort in ("low", "medium", "high", "xhigh", "max"):
        folder = Folder(tmp_path / effort, files)
        simulator = Simulator()
        turn(simulator, folder, list(AUDIT), output_config={"effort": effort})
        reads.append(sum(name == "read" for name, _ in folder.calls))
        thoughts.append(sum(entry.thinking_tokens for entry in simulator.bill))
    assert reads == sorted(set(reads))
    assert thoughts == sorted(set(thoughts))


def test_several_calls_go_out_in_one_reply(tmp_path: Path) -> None:
    replies = turn(Simulator(), Folder(tmp_path, PLANTED), list(AUDIT))
    assert max(len(results(reply)["content"]) for reply in replies) >= 4


@pytest.mark.parametrize("total", [20_000, 40_000, 80_000])
def test_it_paces_itself_by_the_countdown(tmp_path: Path, total: int) -> None:
    body = "".join(f"value_{n} = compute({n})  # a line of a large file\n" for n in range(150))
    files = {f"part_{n}.py": f"# TODO {n}\n{body}" for n in range(40)}
    simulator = Simulator()
    changes = {**budget(total)}
    changes["output_config"] = {**changes["output_config"], "effort": "max"}
    replies = turn(simulator, Folder(tmp_path, files), list(AUDIT), **changes)
    last = simulator.requests[-1]
    assert last.remaining_after is not None
    assert last.remaining_after >= total * 0.10
    assert "% of the budget" in text_of(replies[-1])
    for record in simulator.requests[1:-1]:
        assert (record.remaining_before or 0) > total * 0.15


def test_a_follow_up_is_answered_from_earlier_results_after_one_more_look(tmp_path: Path) -> None:
    simulator, folder, messages = Simulator(), Folder(tmp_path, PLANTED), list(AUDIT)
    turn(simulator, folder, messages, **budget())
    before = len(folder.calls)
    messages.append({"role": "user", "content": "What about the password in the database module?"})
    replies = turn(simulator, folder, messages, **budget())
    answer = text_of(replies[-1])
    assert 1 <= len(folder.calls) - before <= 2
    assert answer.startswith(SIMULATED)
    assert "`shop/db.py:3`" in answer
    assert "environment" in answer


def test_a_follow_up_about_a_file_reads_it(tmp_path: Path) -> None:
    simulator, folder, messages = Simulator(), Folder(tmp_path, PLANTED), list(AUDIT)
    turn(simulator, folder, messages)
    messages.append({"role": "user", "content": "What does fine.py do?"})
    turn(simulator, folder, messages)
    assert ("read", {"file_path": "shop/fine.py"}) in folder.calls


def test_a_request_for_a_final_summary_gets_the_report_and_no_call(tmp_path: Path) -> None:
    simulator, folder = Simulator(), Folder(tmp_path, PLANTED)

    messages: list[dict[str, Any]] = list(AUDIT)
    for _ in range(2):
        message = ask(simulator, messages=messages, tools=FILE_TOOLS)
        answered = results(message)
        for block, call in zip(answered["content"], said_calls(message), strict=True):
            block["content"] = run(folder.answer(call["name"], call["input"]))
        messages += [said(message), answered]
    sentence = "Write a final summary now, without tools."
    messages[-1]["content"].append({"type": "text", "text": sentence})
    message = ask(simulator, messages=messages, tools=FILE_TOOLS)
    assert message.stop_reason == "end_turn"
    assert "`shop/web.py:10`" in text_of(message)


@pytest.mark.parametrize("room", [400, 800, 1_600, 16_000])
def test_the_report_fits_into_the_room_there_is(tmp_path: Path, room: int) -> None:
    messages = [*AUDIT]
    simulator, folder = Simulator(), Folder(tmp_path, PLANTED)
    turn(simulator, folder, messages)
    messages.append({"role": "user", "content": "Audit again: final report without tools."})
    message = ask(
        simulator, messages=messages, tools=FILE_TOOLS, max_tokens=room, model="claude-opus-4-7",
        thinking={"type": "disabled"},
    )  # fmt: skip
    assert message.stop_reason == "end_turn"
    assert count_text(text_of(message)) <= room


def test_tools_are_recognised_under_other_names_and_arguments(tmp_path: Path) -> None:
    folder = Folder(tmp_path, PLANTED)
    names = {"ls": "list", "find_files": "glob", "search_files": "grep", "read_file": "read"}
    tools = [
        tool("ls", [], ["path"]),
        tool("find_files", ["pattern"], []),
        tool("search_files", ["regex"], []),
        tool("read_file", ["path"], []),
    ]

    async def answer(name: str, arguments: dict[str, Any]) -> str:
        given = {"regex": "pattern", "path": "file_path"}
        renamed = {given.get(key, key): value for key, value in arguments.items()}
        return await folder.answer(names[name], renamed)

    async def work() -> str:
        async with client_of(Simulator()) as client:
            return text_of((await loop(client, list(AUDIT), answer, tools=tools))[-1])

    report = run(work())
    assert all(f"`{place}`" in report for place in PROBLEMS)


def test_tools_that_fail_are_reported_and_not_tried_for_ever() -> None:
    async def answer(name: str, arguments: dict[str, Any]) -> str:
        del arguments
        raise AssertionError(name)

    simulator = Simulator()
    messages: list[dict[str, Any]] = list(AUDIT)
    for _ in range(10):
        message = ask(simulator, messages=messages, tools=FILE_TOOLS)
        if message.stop_reason == "end_turn":
            break
        answered = results(message, "the disk is gone")
        for block in answered["content"]:
            block["is_error"] = True
        messages += [said(message), answered]
    assert message.stop_reason == "end_turn"
    assert "the disk is gone" in text_of(message)
    assert "I could not search this folder" in text_of(message)


def function(name: str, **properties: str) -> dict[str, Any]:
    schema = {
        "type": "object",
        "properties": {key: {"type": kind} for key, kind in properties.items()},
        "required": list(properties),
    }
    return {"name": name, "description": "A function of the notebook.", "input_schema": schema}


@pytest.mark.parametrize(
    ("prompt", "offered", "call"),
    [
        ("What is the weather in Paris?", function("weather", city="string"), {"city": "Paris"}),
        ("Call add with 2 and 40.", function("add", a="integer", b="integer"), {"a": 2, "b": 40}),
        ("Use add with a=7, b=5.", function("add", a="integer", b="integer"), {"a": 7, "b": 5}),
        ('Look up "blue whale".', function("lookup", word="string"), {"word": "blue whale"}),
        ("How many rows are there?", function("count_rows"), {}),
    ],
)
def test_functions_are_called_with_what_the_prompt_says(
    prompt: str, offered: dict[str, Any], call: dict[str, Any]
) -> None:
    seen: list[dict[str, Any]] = []

    async def answer(_name: str, arguments: dict[str, Any]) -> str:
        seen.append(arguments)
        return "forty-two of them"

    async def work() -> str:
        async with client_of(Simulator()) as client:
            messages = [{"role": "user", "content": prompt}]
            return text_of((await loop(client, messages, answer, tools=[offered]))[-1])

    report = run(work())
    assert seen == [call]
    assert "forty-two of them" in report
    assert report.startswith(SIMULATED)


def test_a_forced_tool_is_called() -> None:
    forced = {"type": "tool", "name": "lookup"}
    message = ask(Simulator(), tools=[LOOKUP], tool_choice=forced)
    assert message.stop_reason == "tool_use"


def test_a_summary_that_replaced_the_history_is_gone_on_from(tmp_path: Path) -> None:
    report = audit(Folder(tmp_path, PLANTED))
    folder = Folder(tmp_path, PLANTED)
    messages = [{"role": "user", "content": f"So far:\n\n{report}\n\nAudit this folder."}]
    replies = turn(Simulator(), folder, messages)
    assert "grep" not in {name for name, _ in folder.calls}
    assert "`shop/db.py:6`" in text_of(replies[-1])


@pytest.mark.parametrize(
    ("prompt", "code"),
    [
        ("Run `1 + 1` for me.", "1 + 1"),
        (
            "What do we have here?",
            'print(sorted(name for name in dir() if not name.startswith("_")))',
        ),
    ],
)
def test_a_python_tool_runs_code_of_the_prompt_or_looks_around(prompt: str, code: str) -> None:
    messages = [{"role": "user", "content": prompt}]
    message = ask(Simulator(), messages=messages, tools=[function("python", code="string")])
    [call] = said_calls(message)
    assert call["input"] == {"code": code}
