"""The agent of the default scene: decides what to call next and when to answer."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from budget_magic.simulator.scenes.audit.evidence import PROBLEMS, Evidence, gather_evidence
from budget_magic.simulator.scenes.audit.report import (
    SIMULATED,
    answer_question,
    quote,
    write_report,
)
from budget_magic.simulator.scenes.context import SceneContext
from budget_magic.simulator.scenes.scene import Call, Reply, Scene
from budget_magic.simulator.scenes.toolbox import FILE_TOOLS, call_any_tool, call_function
from budget_magic.simulator.tokens import count_text

REPORT_FROM: Final = 0.75
"""Used share of the budget from which the report is written."""
_BY_EFFORT: Final = {
    "low": (3, 1, 1.5), "medium": (5, 2, 2.5), "high": (8, 3, 3.5), "xhigh": (14, 4, 5.0),
    "max": (24, 5, 7.0),
}  # fmt: skip
"""Files to read, sentences of thinking shown, and raw thinking tokens per token shown."""
_SEARCHES_AT_ONCE: Final = 6
_FILES_AT_ONCE: Final = 4
_RESULT_TOKENS: Final = 2_500
_THINKING_TOKENS: Final = 900
_RESERVED_SHARE: Final = 0.12
_CHANGES_THINGS: Final = frozenset({"bash", "shell", "write", "edit", "memory", "delegate"})
"""Tools that the audit never calls by itself."""
_AUDITS: Final = re.compile(
    r"\b(audit|review|inspect|check|scan|analy[sz]e|vulnerab|secur|bug|problem|issue|risk|find"
    r"|quality|look (at|through|over|around))",
    re.IGNORECASE,
)
_COMMON_WORDS: Final = frozenset(
    """about after also answer before both call cell code could does each every explain file files
    find finding findings first folder from have here into like line lines make more most must need
    only other over please problem problems read same second should show some such tell than that
    their them then there these they this those used using very want what when where which will with
    worst would write your""".split()  # noqa: SIM905 - reads better as words
)
"""Words of a question that are not worth a search."""


class Audit(Scene):
    """An agent that really uses the tools it is offered.

    With file tools it looks around, searches for the problems of `problems.toml`, reads files and
    reports lines that the tools returned. Of functions it calls those that the prompt names.
    Later questions are answered after one more look. It paces itself by the countdown.
    """

    def reply(self, context: SceneContext) -> Reply:
        """Decide the next step from the conversation alone."""
        evidence = gather_evidence(context)
        calls: list[Call] = []
        text = ""
        if not context.wants_answer:
            calls, text = _next_calls(evidence)
            if not calls and context.tool_choice in ("any", "tool"):
                calls = [call_any_tool(context, 0, context.forced_tool or "*")]
        if not calls:
            text = _answer(evidence, text)
        _, sentences, ratio = _BY_EFFORT[context.effort]
        thinking = " ".join(_thoughts(calls, evidence)[:sentences])
        tokens = round(count_text(thinking) * ratio)
        return Reply(thinking=thinking, thinking_tokens=tokens, text=text, calls=calls)


def _thoughts(calls: Sequence[Call], evidence: Evidence) -> list[str]:
    context = evidence.context
    names = ", ".join(dict.fromkeys(call.name for call in calls))
    left = "" if context.remaining is None else f", with {context.remaining:,} tokens left"
    results, known = len(context.completed_calls), len(evidence.files)
    return [
        f"Next I call {names}{left}." if calls else f"I can answer now{left}.",
        f"I have {results} results so far and know of {known} files.",
        "What I report has to be a line that a tool returned, with its number.",
        "Calls that do not depend on each other can go out together.",
        "I would rather read less and be sure of each line than guess from names.",
    ]


def _next_calls(evidence: Evidence) -> tuple[list[Call], str]:
    """Return the calls to make now and what to say; without calls, why it is time to answer."""
    context = evidence.context
    called = _function_calls(evidence)
    if called:
        return called, f"I call {' and '.join(f'`{call.name}`' for call in called)}."
    planned, text = _file_calls(evidence)
    calls = [call for call in planned if call]
    if calls and context.budget and context.remaining is not None:
        spare = context.remaining - round(context.budget * (1 - REPORT_FROM))
        fitting = spare // _RESULT_TOKENS
        if fitting < 1:
            used = f"{context.used:.0%}"
            return [], f"I stopped at {used} of the budget to leave room for this answer."
        calls = calls[:fitting]
    return calls, text if calls else ""


def _file_calls(evidence: Evidence) -> tuple[Sequence[Call | None], str]:
    """Return the next calls of file tools, None for a tool that is not offered."""
    context, tools = evidence.context, evidence.tools
    looked = {(FILE_TOOLS.get(call.name), call.turn) for call in context.completed_calls}
    if not any(kind for kind, _ in looked):
        return [tools.call("list"), tools.call("glob", "**/*")], "I look around first."
    if not _is_audit(context):
        if {("grep", context.turn), ("read", context.turn)} & looked:
            return [], ""
        return _question_calls(evidence), "One more look for that."
    left = [problem for problem in PROBLEMS if problem.search not in evidence.searched]
    if left and "grep" in tools:
        now = left[:_SEARCHES_AT_ONCE]
        titles = "; ".join(problem.title for problem in now)
        calls = [tools.call("grep", problem.search) for problem in now]
        return calls, f"Now I search for: {titles}."
    most = min(_FILES_AT_ONCE, _BY_EFFORT[context.effort][0] - len(evidence.read))
    wanted = [path for path in evidence.ranked_files() if path not in evidence.read]
    text = f"{len(evidence.findings())} lines look suspicious so far; I read on."
    return [tools.call("read", path) for path in wanted[: max(0, most)]], text


def _question_calls(evidence: Evidence) -> list[Call | None]:
    """Return calls that search for the key words of a question and read the files it names."""
    prompt, tools = evidence.context.prompt, evidence.tools
    words = {word.strip(".,;:?!`").rsplit("/", 1)[-1] for word in prompt.split()}
    named = [path for path in sorted(evidence.files) if path.rsplit("/", 1)[-1] in words]
    calls = [tools.call("read", path) for path in named[:2]]
    key_words = _key_words(prompt)
    if key_words and "grep" in tools:
        calls.append(tools.call("grep", f"(?i)({'|'.join(map(re.escape, key_words))})"))
    elif not calls:
        paths = evidence.ranked_files()
        calls = [tools.call("read", paths[0]) if paths else tools.call("list")]
    return calls


def _function_calls(evidence: Evidence) -> list[Call]:
    """Return calls of the functions that the prompt names, or of all, once a turn each."""
    context = evidence.context
    passed_over = _CHANGES_THINGS | FILE_TOOLS.keys()
    offered = [tool for tool in context.tools if tool.name not in passed_over]
    named = [tool for tool in offered if _mentions(context.prompt, tool.name)]
    called = {call.name for call in context.completed_calls if call.turn == context.turn}
    wanted = named or ([] if evidence.tools else offered)
    calls = [call_function(tool, context.prompt) for tool in wanted if tool.name not in called]
    return [call for call in calls if call]


def _mentions(prompt: str, name: str) -> bool:
    pattern = re.escape(name).replace("_", "[_ -]")
    return re.search(rf"(?<!\w){pattern}(?!\w)", prompt, re.IGNORECASE) is not None


def _is_audit(context: SceneContext) -> bool:
    """Return whether the turn is about the whole folder, and no earlier turn searched it."""
    earlier = [call for call in context.completed_calls if call.turn < context.turn]
    if any(FILE_TOOLS.get(call.name) == "grep" for call in earlier):
        return False
    return _AUDITS.search(context.prompt) is not None or not _key_words(context.prompt)


def _key_words(prompt: str) -> list[str]:
    """Return the four longest words of a question that are worth searching for."""
    words = {word.strip(".") for word in re.findall(r"[A-Za-z_][\w.]{3,}", prompt)}
    rare = (word for word in words if word.lower() not in _COMMON_WORDS)
    return sorted(rare, key=lambda word: (-len(word), word))[:4]


def _answer(evidence: Evidence, why: str) -> str:
    """Return the report or the answer to a question, within the tokens that are left."""
    context = evidence.context
    room = context.max_tokens - (_THINKING_TOKENS if context.thinks else 0) - 20
    if context.budget and context.remaining is not None:
        reserved = round(context.budget * _RESERVED_SHARE) + _THINKING_TOKENS
        room = min(room, max(300, context.remaining - reserved))
    called = [call for call in context.completed_calls if call.name not in FILE_TOOLS]
    results = [
        f"`{call.name}` {'failed' if call.is_error else 'returned'}: {quote(call.text, 400)}"
        for call in [call for call in called if call.turn == context.turn] or called[-3:]
    ]
    if evidence.files or evidence.failed or evidence.searched:
        if _is_audit(context):
            answer = write_report(evidence, why=why, max_tokens=room)
        else:
            answer = answer_question(evidence, _key_words(context.prompt), max_tokens=room)
        return "\n\n".join([answer, *results])
    if not results:
        asked = f"You asked {quote(context.prompt)}." if context.prompt else "You asked nothing."
        results = [f"{asked} No tool that I have has told me anything about it."]
    return "\n\n".join([SIMULATED, *results])
