"""A panel that holds hostile texts wherever a model, a tool or a user can write."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from budget_magic.events import (
    ApprovalAsked,
    ApprovalGiven,
    AttemptFailed,
    NoticePosted,
    RetryScheduled,
)
from tests.report.records import call, said, thought
from tests.widgets.panels import Show

NAME_CHARS: Final = 300
INPUT_CHARS: Final = 5_000
HURT: Final = """() => {
  const bad = [];
  for (const el of document.querySelectorAll(".budget-magic, .budget-magic *")) {
    const tag = el.localName;
    if (/^(script|img|iframe|object|embed|form|style|link|math|video|base|meta)$/.test(tag))
      bad.push(tag);
    for (const { name, value } of el.attributes) {
      if (/^on|^id$|^src|^action|^srcdoc|^formaction/.test(name)) bad.push(`${tag} ${name}`);
      if (name === "name" && !/^bm-choice-\\d+$/.test(value)) bad.push(`${tag} name=${value}`);
      if (name === "href" && !/^(https?|mailto):/i.test(value)) bad.push(`${tag} href=${value}`);
      const bars = /^(flex-basis: [\\d.]+%;\\s*)*$/;
      const prose = /^color:#[0-9a-f]{6}$|^opacity:0\\.7$|^text-align:\\w+$/;
      if (name === "style" && !bars.test(value) && !prose.test(value))
        bad.push(`${tag} style=${value}`);
    }
  }
  return [...new Set(bad)];
}"""
"""What of the panel is not of our making, or could do something."""


def asked(payload: str, call_id: str, step: int) -> ApprovalAsked:
    """A call that waits for a person, with the text in each of its parts."""
    start = payload[:500]
    values = {payload[:99]: payload[:INPUT_CHARS], "text": f"{start}\nmore"}
    edit = {"old_str": start, "new_str": "x"}
    return ApprovalAsked(
        turn=1, step=step, call_id=call_id, name=payload[:NAME_CHARS], input={**values, **edit},
        why=start,
    )  # fmt: skip


def tell_all(show: Show, payloads: Sequence[str]) -> None:
    """A step for each text, each with an error and an approval, and one step that streams all."""
    for number, payload in enumerate(payloads):
        show.tell(lambda story: story.ask())
        step = show.story.step
        parts = [
            thought(payload),
            said(payload),
            call(f"c{number}", payload[:NAME_CHARS], **{payload[:99]: payload}),
        ]
        show.tell(lambda story, parts=parts: story.reply(parts, thinking=9, calls=9, text=9))  # type: ignore[misc]  # mypy cannot infer a lambda with a default
        show.tell(lambda s, n=number, p=payload: s.tool(f"c{n}", p, p, is_error=n % 2 == 0))  # type: ignore[misc]  # mypy cannot infer a lambda with a default
        show.add(NoticePosted(turn=1, text=payload[:2_000]))
        for decided in (False, True):
            show.add(asked(payload, f"w{number}{decided}", step))
        show.add(
            ApprovalGiven(
                turn=1, step=step, call_id=f"w{number}True", name=payload[:NAME_CHARS],
                decision="denied", by="person", reason=payload[:2_000],
            )
        )  # fmt: skip
        show.add(AttemptFailed(turn=1, step=step, attempt=1, why=payload[:INPUT_CHARS]))
    show.tell(lambda story: story.ask())
    retry = RetryScheduled(
        turn=1, step=show.story.step, attempt=2, attempts=4, wait_s=6, why=payloads[0][:500]
    )
    show.add(retry)
    for payload in payloads:
        for kind in ("thinking", "text", "call"):
            show.begin(kind, payload[:NAME_CHARS])
            for start in range(0, len(payload), 65_536):
                show.stream(payload[start : start + 65_536], kind)
