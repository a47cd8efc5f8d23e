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
from budget_magic.simulator.scenes.toolbox import FileTools, call_any_tool, call_function
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
"""Tools that are not called of its own accord."""
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
    """An agent that really works with the tools it is offered.

    With file tools it looks around, searches for the problems of `problems.toml`, reads files and
    reports lines that the tools returned. With functions it calls those that the prompt names.
    Later questions are answered after one more look. It paces itself by the countdown.
    """

    def reply(self, context: SceneContext) -> Reply:
        """Decide the next step from the conversation alone."""
        files = FileTools(context)
        evidence = gather_evidence(context, files)
        calls: list[Call] = []
        text = ""
        if not context.wants_answer:
            calls, text = _next_calls(context, files, evidence)
            if not calls and context.tool_choice in ("any", "tool"):
                calls = [call_any_tool(context, 0, context.forced_tool or "*")]
        if not calls:
            text = _answer(context, files, evidence, text)
        _, sentences, ratio = _BY_EFFORT[context.effort]
        thinking = " ".join(_thoughts(context, calls, evidence)[:sentences])
        tokens = round(count_text(thinking) * ratio)
        return Reply(thinking=thinking, thinking_tokens=tokens, text=text, calls=calls)


def _thoughts(context: SceneContext, calls: list[Call], evidence: Evidence) -> list[str]:
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


def _next_calls(
    context: SceneContext, files: FileTools, evidence: Evidence
) -> tuple[list[Call], str]:
    """Return the calls to make now and what to say; without calls, why it is time to answer."""
    called = _function_calls(context, files)
    if called:
        return called, f"I call {' and '.join(f'`{call.name}`' for call in called)}."
    planned, text = _file_calls(context, files, evidence)
    calls = [call for call in planned if call]
    if calls and context.budget and context.remaining is not None:
        spare = context.remaining - round(context.budget * (1 - REPORT_FROM))
        fitting = spare // _RESULT_TOKENS
        if fitting < 1:
            used = f"{context.used:.0%}"
            return [], f"I stopped at {used} of the budget to leave room for this answer."
        calls = calls[:fitting]
    return calls, text if calls else ""


def _file_calls(
    context: SceneContext, files: FileTools, evidence: Evidence
) -> tuple[Sequence[Call | None], str]:
    """Return the next calls of file tools, None for a tool that is not offered."""
    looked = {(files.kind(call.name), call.turn) for call in context.completed_calls}
    if not any(kind for kind, _ in looked):
        return [files.call("list"), files.call("glob", "**/*")], "I look around first."
    if not _is_audit(context, files):
        if {("grep", context.turn), ("read", context.turn)} & looked:
            return [], ""
        return _question_calls(context, files, evidence), "One more look for that."
    left = [problem for problem in PROBLEMS if problem.search not in evidence.searched]
    if left and "grep" in files:
        now = left[:_SEARCHES_AT_ONCE]
        titles = "; ".join(problem.title for problem in now)
        return [files.call("grep", problem.search) for problem in now], f"Now I search for: {titles}."
    found = evidence.findings()
    ranked = dict.fromkeys([*(finding.path for finding in found), *evidence.sources()])
    most = min(_FILES_AT_ONCE, _BY_EFFORT[context.effort][0] - len(evidence.read))
    wanted = [path for path in ranked if path not in evidence.read][: max(0, most)]
    text = f"{len(found)} lines look suspicious so far; I read on."
    return [files.call("read", path) for path in wanted], text


def _question_calls(
    context: SceneContext, files: FileTools, evidence: Evidence
) -> list[Call | None]:
    """Return calls that search for the key words of a question and read the files it names."""
    words = {word.strip(".,;:?!`").rsplit("/", 1)[-1] for word in context.prompt.split()}
    named = [path for path in sorted(evidence.files) if path.rsplit("/", 1)[-1] in words]
    calls = [files.call("read", path) for path in named[:2]]
    key_words = _key_words(context.prompt)
    if key_words and "grep" in files:
        calls.append(files.call("grep", f"(?i)({'|'.join(map(re.escape, key_words))})"))
    elif not calls:
        paths = [*(finding.path for finding in evidence.findings()), *evidence.sources()]
        calls = [files.call("read", paths[0]) if paths else files.call("list")]
    return calls


def _function_calls(context: SceneContext, files: FileTools) -> list[Call]:
    """Return calls of the functions that the prompt names, or of all, once a turn each."""
    tools = [tool for tool in context.tools if tool.name not in _CHANGES_THINGS]
    offered = [tool for tool in tools if files.kind(tool.name) is None]
    named = [tool for tool in offered if _mentions(context.prompt, tool.name)]
    called = {call.name for call in context.completed_calls if call.turn == context.turn}
    wanted = named or ([] if files else offered)
    calls = [call_function(tool, context.prompt) for tool in wanted if tool.name not in called]
    return [call for call in calls if call]


def _mentions(prompt: str, name: str) -> bool:
    pattern = re.escape(name).replace("_", "[_ -]")
    return re.search(rf"(?<!\w){pattern}(?!\w)", prompt, re.IGNORECASE) is not None


def _is_audit(context: SceneContext, files: FileTools) -> bool:
    """Return whether the turn is about the whole folder, and no earlier turn searched it."""
    calls = context.completed_calls
    if any(files.kind(call.name) == "grep" and call.turn < context.turn for call in calls):
        return False
    return _AUDITS.search(context.prompt) is not None or not _key_words(context.prompt)


def _key_words(prompt: str) -> list[str]:
    """Return the four longest words of a question that are worth searching for."""
    words = {word.strip(".") for word in re.findall(r"[A-Za-z_][\w.]{3,}", prompt)}
    rare = (word for word in words if word.lower() not in _COMMON_WORDS)
    return sorted(rare, key=lambda word: (-len(word), word))[:4]


def _answer(context: SceneContext, files: FileTools, evidence: Evidence, why: str) -> str:
    """Return the report or the answer to a question, as long as there is room for."""
    room = context.max_tokens - (_THINKING_TOKENS if context.thinks else 0) - 20
    if context.budget and context.remaining is not None:
        reserved = round(context.budget * _RESERVED_SHARE) + _THINKING_TOKENS
        room = min(room, max(300, context.remaining - reserved))
    called = [call for call in context.completed_calls if files.kind(call.name) is None]
    results = [
        f"`{call.name}` {'failed' if call.is_error else 'returned'}: {quote(call.text, 400)}"
        for call in [call for call in called if call.turn == context.turn] or called[-3:]
    ]
    if not evidence.files and not evidence.failed and not evidence.searched:
        parts = [SIMULATED, *results]
        if not results:
            prompt = context.prompt
            asked = f"You asked {quote(prompt)}." if prompt else "You asked nothing."
            parts.append(f"{asked} No tool that I have has told me anything about it.")
    elif _is_audit(context, files):
        parts = [write_report(evidence, why=why, max_tokens=room), *results]
    else:
        key_words = _key_words(context.prompt)
        parts = [answer_question(evidence, key_words, max_tokens=room), *results]
    return "\n\n".join(parts)
