"""The default scene: an agent that audits a folder with the tools it is offered."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from budget_magic.simulator.reply import Call, Reply
from budget_magic.simulator.scenes.audit import thinking
from budget_magic.simulator.scenes.audit.evidence import Evidence, gather
from budget_magic.simulator.scenes.audit.report import (
    SIMULATED,
    answer_question,
    quote,
    write_report,
)
from budget_magic.simulator.scenes.audit.rules import GROUPS, search_pattern
from budget_magic.simulator.scenes.scene import Scene
from budget_magic.simulator.scenes.toolbox import (
    FileTools,
    file_tools,
    function_call,
    functions,
    named_in,
)
from budget_magic.simulator.view import View

SCOPE_DOWN: Final = 0.70
"""Share of the budget from which only the worst is still looked at."""
WRAP_UP: Final = 0.85
"""Share of the budget from which the report is written."""
FILES_TO_READ: Final = {"low": 3, "medium": 5, "high": 8, "xhigh": 14, "max": 24}
"""Files that are read in an audit, by effort."""
FILES_AT_ONCE: Final = 4
LINES_AROUND: Final = 15
_TOKENS_OF_A_RESULT: Final = 2_500
_KEPT_BACK: Final = 0.12
_THINKING_ROOM: Final = 900
_WORK: Final = re.compile(
    r"\b(audit|review|inspect|check|scan|analy[sz]e|vulnerab|secur|bugs?|problems?|issues?|risks?"
    r"|find(ings?)?|look (at|through|over|around)|what is wrong|quality)",
    re.IGNORECASE,
)
_NO_TOOLS: Final = re.compile(
    r"\b(without (any |using |calling |further |more )*tools?|no (more |further )?tools?\b"
    r"|do(n't| not) (call|use) (any |more |further )*tools?|final (summary|answer|report)"
    r"|summari[sz]e (the|this|our|your) (conversation|work|task|progress))",
    re.IGNORECASE,
)
_DULL: Final = frozenset(
    """about above after again also another answer anything because been before being below between
    both call cell check code could does doing done down each every explain file files find first
    fix folder from further give have here into just know like line lines list look made make many
    more most much must need only other over please question read really report same second should
    show simple some still such summarise summarize table tell than that their them then there these
    they thing things this those three through under used using very want what when where which
    while will with worst would write your finding findings problem problems""".split()  # noqa: SIM905 - reads better as words
)


class Audit(Scene):
    """An agent that really works with the tools it is offered.

    Given file tools it looks around, searches for suspicious patterns, reads the files with hits
    and writes a report whose findings are lines that the tools returned. Given functions it calls
    those that the prompt names or that need no arguments. Later questions are answered from what
    the conversation holds, after one more look. It paces itself by the countdown.
    """

    def reply(self, view: View) -> Reply:
        """The next step, decided from the conversation alone."""
        files = file_tools(view)
        evidence = gather(view, files)
        if not view.can_call or _NO_TOOLS.search(view.asked):
            return self._last_word(view, files, evidence, "")
        calls, words = self._next_calls(view, files, evidence)
        if not calls and view.tool_choice in ("any", "tool"):
            calls = self._forced(view)
        if calls:
            return self._step(view, calls, words)
        return self._last_word(view, files, evidence, self._why_short(view))

    def _next_calls(
        self, view: View, files: FileTools, evidence: Evidence
    ) -> tuple[list[Call], str]:
        """The calls to make now, and what to say about them; none where it is time to answer."""
        called = _function_calls(view, files)
        if called:
            names = " and ".join(f"`{call.name}`" for call in called)
            return called, f"I call {names}."
        if not files.any() or view.used >= WRAP_UP:
            return self._at_least_once(view, files, evidence) if files.any() else ([], "")
        if _is_audit(view):
            return _audit_step(view, files, evidence)
        return _question_step(view, files, evidence)

    def _at_least_once(
        self, view: View, files: FileTools, evidence: Evidence
    ) -> tuple[list[Call], str]:
        """One small look, if the turn has had none and there is room for it."""
        if view.turn_replies or view.used >= 1 - _KEPT_BACK:
            return [], ""
        path = evidence.hits()[0].path if evidence.hits() else None
        call = files.read_call(evidence.full_path(path), (1, LINES_AROUND)) if path else None
        call = call or files.list_call()
        return ([call] if call else []), "One short look before I answer."

    def _forced(self, view: View) -> list[Call]:
        wanted = [tool for tool in view.tools if view.forced_tool in (None, tool.name)]
        calls = (function_call(tool, view.prompt) for tool in wanted)
        return [call for call in calls if call is not None][:1] or [Call(wanted[0].name)]

    def _step(self, view: View, calls: Sequence[Call], words: str) -> Reply:
        thought, tokens = thinking.before_calls(view, calls)
        return Reply(thinking=thought, thinking_tokens=tokens, text=words, calls=tuple(calls))

    def _why_short(self, view: View) -> str:
        if view.used >= WRAP_UP:
            return f"I stopped at {view.used:.0%} of the budget to leave room for this report."
        if view.used >= SCOPE_DOWN:
            return f"From {SCOPE_DOWN:.0%} of the budget on I only looked at the worst places."
        return ""

    def _last_word(self, view: View, files: FileTools, evidence: Evidence, why: str) -> Reply:
        thought, tokens = thinking.before_answer(view, evidence)
        room = _room(view)
        told = _what_functions_said(view, files)
        if told and (not evidence.files or not _is_audit(view)):
            text = f"{SIMULATED}\n\n{told}"
        elif evidence.files or evidence.searched:
            if _is_audit(view) or (view.turn == 0 and evidence.searched):
                text = write_report(evidence, wrapped_up=why, most_tokens=room)
            else:
                text = answer_question(evidence, view.prompt, key_words(view.prompt), room)
            text = f"{text}\n\n{told}" if told else text
        else:
            text = _without_tools(view)
        return Reply(thinking=thought, thinking_tokens=tokens, text=text)


def _room(view: View) -> int:
    """Tokens for the last answer."""
    room = max(80, view.max_tokens - (_THINKING_ROOM if view.thinks else 0) - 20)
    if view.budget and view.remaining is not None:
        left = view.remaining - round(view.budget * _KEPT_BACK) - _THINKING_ROOM
        room = min(room, max(300, left))
    return room


def _is_audit(view: View) -> bool:
    """Whether this turn is about the whole folder: the first one mostly is."""
    if view.turn == 0:
        return _WORK.search(view.prompt) is not None or not key_words(view.prompt)
    again = re.search(r"\baudit\b|\breview (the|this|all)\b", view.prompt, re.IGNORECASE)
    searched = any(done.turn < view.turn for done in view.done)
    return again is not None and not searched


def _audit_step(view: View, files: FileTools, evidence: Evidence) -> tuple[list[Call], str]:
    names = {files.kind(done.name) for done in view.done}
    if not names & {"list", "glob"} and (files.list or files.glob):
        looks = (files.list_call(), files.glob_call("**/*"))
        return [call for call in looks if call], "I look around first."
    patterns = [search_pattern(rules) for _, rules in GROUPS]
    missing = [pattern for pattern in patterns if pattern not in evidence.searched]
    if missing and files.grep and view.used < SCOPE_DOWN:
        at_once = len(missing)
        if view.budget and view.remaining is not None:
            at_once = max(1, min(at_once, view.remaining // (2 * _TOKENS_OF_A_RESULT)))
        calls = [files.grep_call(pattern) for pattern in missing[:at_once]]
        about = ", ".join(
            name for name, rules in GROUPS if search_pattern(rules) in missing[:at_once]
        )
        return [call for call in calls if call], f"Now I search for {about}."
    return _read_step(view, files, evidence)


def _read_step(view: View, files: FileTools, evidence: Evidence) -> tuple[list[Call], str]:
    most = FILES_TO_READ[view.effort]
    hits = evidence.hits()
    scoped = view.used >= SCOPE_DOWN
    ranked = list(dict.fromkeys(hit.path for hit in hits if not scoped or hit.rank == 0))
    if not scoped:
        sources = [evidence.short(path) for path in evidence.source_files()]
        ranked += [path for path in sources if path not in ranked]
    read = {evidence.short(path) for path in evidence.read}
    read |= {evidence.short(str(done.input.get("file_path", ""))) for done, _ in evidence.failed}
    wanted = [path for path in ranked if path not in read][: max(0, most - len(read))]
    at_once = 1 if scoped else FILES_AT_ONCE
    if view.budget and view.remaining is not None:
        spare = view.remaining - round(view.budget * (1 - WRAP_UP))
        at_once = min(at_once, spare // _TOKENS_OF_A_RESULT)
    if not files.read or not wanted or at_once < 1 or (scoped and read):
        return [], ""
    calls = []
    for path in wanted[:at_once]:
        lines = None
        if view.effort == "low" or scoped:
            at = [hit.line for hit in hits if hit.path == path]
            lines = (max(1, min(at) - LINES_AROUND), max(at) + LINES_AROUND) if at else None
        calls.append(files.read_call(evidence.full_path(path), lines))
    found = f"{len(hits)} places look suspicious so far" if hits else "No suspicious place so far"
    what = "the worst of them" if scoped else f"{len(calls)} file{'s' if len(calls) > 1 else ''}"
    return [call for call in calls if call], f"{found}; I read {what} next."


def _question_step(view: View, files: FileTools, evidence: Evidence) -> tuple[list[Call], str]:
    """One look for the words of the question, and a file that it names."""
    here = [done for done in view.done if done.turn == view.turn]
    if not view.done:
        looks = (files.list_call(), files.glob_call("**/*"))
        return [call for call in looks if call], "I look around first."
    if any(files.kind(done.name) in ("grep", "read") for done in here):
        return [], ""
    named = [
        path
        for path in evidence.files
        if re.search(rf"(?<![\w/]){re.escape(path.rsplit('/', 1)[-1])}(?!\w)", view.prompt)
    ]
    words = key_words(view.prompt)[:4]
    calls = [files.read_call(path) for path in named[:2]]
    if words and files.grep:
        calls.append(files.grep_call("(?i)(" + "|".join(re.escape(word) for word in words) + ")"))
    if not any(calls):
        hits = evidence.hits()
        path = evidence.full_path(hits[0].path) if hits else next(iter(evidence.source_files()), "")
        calls = [files.read_call(path) if path else None] if path else [files.list_call()]
    return [call for call in calls if call], "One more look for that."


def key_words(prompt: str) -> list[str]:
    """The words of a question that are worth searching for, longest first."""
    quoted = re.findall(r"[`\"]([^`\"\n]{3,60})[`\"]", prompt)
    words = re.findall(r"[A-Za-z_][\w.]{3,}", prompt)
    plain = {word.strip(".") for word in words if word.lower().strip(".") not in _DULL}
    return list(dict.fromkeys([*quoted, *sorted(plain, key=lambda word: (-len(word), word))]))


def _function_calls(view: View, files: FileTools) -> list[Call]:
    """Calls of the functions that the prompt names, or that need nothing, once a turn each."""
    offered = functions(view, files)
    called = {done.name for done in view.done if done.turn == view.turn}
    named = [tool for tool in offered if named_in(tool, view.prompt)]
    wanted = named or ([] if files.any() else offered)
    ready = [
        function_call(tool, view.prompt)
        for tool in wanted
        if tool.name not in called and (tool in named or not tool.required)
    ]
    if not any(ready) and not called and not files.any():
        ready = [function_call(tool, view.prompt) for tool in offered]
    return [call for call in ready if call is not None]


def _what_functions_said(view: View, files: FileTools) -> str:
    called = [done for done in view.done if files.kind(done.name) is None]
    here = [done for done in called if done.turn == view.turn] or called[-3:]
    lines = []
    for done in here:
        inputs = ", ".join(f"{name}={value!r}" for name, value in done.input.items())
        said = done.text.strip() or "nothing"
        short = said if len(said) <= 400 else said[:400] + " ..."  # noqa: PLR2004 - a paragraph
        verb = "failed" if done.is_error else "returned"
        is_block = "\n" in short
        shown = f"\n\n```\n{short}\n```" if is_block else f" {quote(short)}"
        lines.append(f"`{done.name}({inputs})` {verb}:{shown}")
    return "\n\n".join(lines)


def _without_tools(view: View) -> str:
    asked = quote(" ".join(view.prompt.split())[:120]) if view.prompt else "nothing"
    if view.tools:
        return (
            f"{SIMULATED} You asked {asked}. None of the tools I was given has told me anything"
            " about it so far, so there is nothing to report."
        )
    return (
        f"{SIMULATED} You asked {asked}. I have no tools here, and the simulator knows nothing by"
        " itself; give it tools to see it work, or a key to ask Claude."
    )
