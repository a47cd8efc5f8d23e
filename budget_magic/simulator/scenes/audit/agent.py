"""The default scene: an agent that looks around, searches, reads and reports."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from budget_magic.simulator.reply import Call, Reply
from budget_magic.simulator.scenes.audit.evidence import PROBLEMS, Evidence, gather
from budget_magic.simulator.scenes.audit.report import (
    SIMULATED,
    answer_question,
    quote,
    write_report,
)
from budget_magic.simulator.scenes.scene import Scene
from budget_magic.simulator.scenes.small import is_last_word
from budget_magic.simulator.scenes.toolbox import (
    FileTools,
    any_call,
    file_tools,
    function_call,
    functions,
    named_in,
)
from budget_magic.simulator.tokens import count_text
from budget_magic.simulator.view import View

WRAP_UP: Final = 0.75
"""Share of the budget from which the report is written."""
_BY_EFFORT: Final = {
    "low": (3, 1, 1.5), "medium": (5, 2, 2.5), "high": (8, 3, 3.5), "xhigh": (14, 4, 5.0),
    "max": (24, 5, 7.0),
}  # fmt: skip
"""Files to read, sentences of thinking shown, and raw thinking tokens for each token shown."""
_SEARCHES_AT_ONCE: Final = 6
_FILES_AT_ONCE: Final = 4
_TOKENS_OF_A_RESULT: Final = 2_500
_THINKING_ROOM: Final = 900
_KEPT_BACK: Final = 0.12
_WORK: Final = re.compile(
    r"\b(audit|review|inspect|check|scan|analy[sz]e|vulnerab|secur|bug|problem|issue|risk|find"
    r"|quality|look (at|through|over|around))",
    re.IGNORECASE,
)
_COMMON: Final = frozenset(
    """about after also answer before both call cell code could does each every explain file files
    find finding findings first folder from have here into like line lines make more most must need
    only other over please problem problems read same second should show some such tell than that
    their them then there these they this those used using very want what when where which will with
    worst would write your""".split()  # noqa: SIM905 - reads better as words
)
"""Words of a question that are not worth a search."""


class Audit(Scene):
    """An agent that really works with the tools it is offered.

    Given file tools it looks around, searches for the problems of `problems.toml`, reads files and
    reports lines that the tools returned. Given functions it calls those that the prompt names.
    Later questions are answered after one more look. It paces itself by the countdown.
    """

    def reply(self, view: View) -> Reply:
        """Decide the next step from the conversation alone."""
        files = file_tools(view)
        evidence = gather(view, files)
        calls: list[Call] = []
        text = ""
        if not is_last_word(view):
            calls, text = _next_calls(view, files, evidence)
            if not calls and view.tool_choice in ("any", "tool"):
                calls = [any_call(view, 0, view.forced_tool or "*")]
        if not calls:
            text = _answer(view, files, evidence, text)
        _, sentences, ratio = _BY_EFFORT[view.effort]
        thinking = " ".join(_thoughts(view, calls, evidence)[:sentences])
        tokens = round(count_text(thinking) * ratio)
        return Reply(thinking=thinking, thinking_tokens=tokens, text=text, calls=calls)


def _thoughts(view: View, calls: list[Call], evidence: Evidence) -> list[str]:
    names = ", ".join(dict.fromkeys(call.name for call in calls))
    left = "" if view.remaining is None else f", with {view.remaining:,} tokens left"
    return [
        f"Next I call {names}{left}." if calls else f"I can answer now{left}.",
        f"I have {len(view.done)} results so far and know of {len(evidence.files)} files.",
        "What I report has to be a line that a tool returned, with its number.",
        "Calls that do not depend on each other can go out together.",
        "I would rather read less and be sure of each line than guess from names.",
    ]


def _next_calls(view: View, files: FileTools, evidence: Evidence) -> tuple[list[Call], str]:
    """Return the calls to make now and what to say; without calls, why it is time to answer."""
    called = _function_calls(view, files)
    if called:
        return called, f"I call {' and '.join(f'`{call.name}`' for call in called)}."
    planned, text = _look(view, files, evidence)
    calls = [call for call in planned if call]
    if calls and view.budget and view.remaining is not None:
        fitting = (view.remaining - round(view.budget * (1 - WRAP_UP))) // _TOKENS_OF_A_RESULT
        if fitting < 1:
            return [], f"I stopped at {view.used:.0%} of the budget to leave room for this answer."
        calls = calls[:fitting]
    return calls, text if calls else ""


def _look(view: View, files: FileTools, evidence: Evidence) -> tuple[Sequence[Call | None], str]:
    """Return the calls of file tools that would come next, None for a tool that is not offered."""
    looked = {(files.kind(done.name), done.turn) for done in view.done}
    if not any(kind for kind, _ in looked):
        return [files.list_call(), files.glob_call("**/*")], "I look around first."
    if not _is_audit(view, files):
        if {("grep", view.turn), ("read", view.turn)} & looked:
            return [], ""
        return _question_calls(view, files, evidence), "One more look for that."
    left = [problem for problem in PROBLEMS if problem.search not in evidence.searched]
    if left and files.grep:
        now = left[:_SEARCHES_AT_ONCE]
        titles = "; ".join(problem.title for problem in now)
        return [files.grep_call(problem.search) for problem in now], f"Now I search for: {titles}."
    found = evidence.findings()
    ranked = dict.fromkeys([*(finding.path for finding in found), *evidence.sources()])
    most = min(_FILES_AT_ONCE, _BY_EFFORT[view.effort][0] - len(evidence.read))
    wanted = [path for path in ranked if path not in evidence.read][: max(0, most)]
    text = f"{len(found)} lines look suspicious so far; I read on."
    return [files.read_call(path) for path in wanted], text


def _question_calls(view: View, files: FileTools, evidence: Evidence) -> list[Call | None]:
    """Return calls that look for the words of a question and read the files that it names."""
    said = {word.strip(".,;:?!`").rsplit("/", 1)[-1] for word in view.prompt.split()}
    calls = [files.read_call(p) for p in sorted(evidence.files) if p.rsplit("/", 1)[-1] in said][:2]
    words = _key_words(view.prompt)
    if words and files.grep:
        calls.append(files.grep_call("(?i)(" + "|".join(map(re.escape, words)) + ")"))
    elif not calls:
        paths = [*(finding.path for finding in evidence.findings()), *evidence.sources()]
        calls = [files.read_call(paths[0]) if paths else files.list_call()]
    return calls


def _function_calls(view: View, files: FileTools) -> list[Call]:
    """Return calls of the functions that the prompt names, or of all, once a turn each."""
    offered = functions(view, files)
    named = [tool for tool in offered if named_in(tool, view.prompt)]
    called = {done.name for done in view.done if done.turn == view.turn}
    wanted = named or ([] if files.any() else offered)
    calls = [function_call(tool, view.prompt) for tool in wanted if tool.name not in called]
    return [call for call in calls if call]


def _is_audit(view: View, files: FileTools) -> bool:
    """Return whether the turn is about the whole folder, which was not searched before it."""
    if any(files.kind(done.name) == "grep" and done.turn < view.turn for done in view.done):
        return False
    return _WORK.search(view.prompt) is not None or not _key_words(view.prompt)


def _key_words(prompt: str) -> list[str]:
    """Return the four longest words of a question that are worth searching for."""
    words = {word.strip(".") for word in re.findall(r"[A-Za-z_][\w.]{3,}", prompt)}
    return sorted((w for w in words if w.lower() not in _COMMON), key=lambda w: (-len(w), w))[:4]


def _answer(view: View, files: FileTools, evidence: Evidence, why: str) -> str:
    """Return the report or the answer to a question, in the room there is."""
    room = view.max_tokens - (_THINKING_ROOM if view.thinks else 0) - 20
    if view.budget and view.remaining is not None:
        left = view.remaining - round(view.budget * _KEPT_BACK) - _THINKING_ROOM
        room = min(room, max(300, left))
    called = [done for done in view.done if files.kind(done.name) is None]
    told = [
        f"`{done.name}` {'failed' if done.is_error else 'returned'}: {quote(done.text, 400)}"
        for done in [done for done in called if done.turn == view.turn] or called[-3:]
    ]
    if not evidence.files and not evidence.failed and not evidence.searched:
        parts = [SIMULATED, *told]
        if not told:
            asked = f"You asked {quote(view.prompt)}." if view.prompt else "You asked nothing."
            parts.append(f"{asked} No tool that I have has told me anything about it.")
    elif _is_audit(view, files):
        parts = [write_report(evidence, why=why, most_tokens=room), *told]
    else:
        parts = [answer_question(evidence, _key_words(view.prompt), most_tokens=room), *told]
    return "\n\n".join(parts)
