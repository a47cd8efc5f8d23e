"""What leaves the kernel while a turn runs: everything, once, and little more."""

from __future__ import annotations

import json
import random

from budget_magic.events import RetryScheduled
from tests.report.records import Story, audit, audit_until_step_8, call, port, said, thought
from tests.widgets.conftest import Stage
from tests.widgets.panels import Joined, RecordedComm, Show

FRAME_BYTES = 750
"""Header, parent, signature and names of a Jupyter message beside what it says."""


def beats(show: Show, comm: RecordedComm, count: int, text: str) -> list[int]:
    """Sizes of the messages that carry `count` pieces, one beat each."""
    sizes = []
    for _ in range(count):
        before = len(comm.messages)
        show.now_s += 0.05
        show.stream(text)
        comm.wait(lambda before=before: any("d" in m for m in comm.messages[before:]))  # type: ignore[misc]  # mypy cannot infer a lambda with a default
        new = comm.messages[before:]
        sizes.append(sum(len(json.dumps(message, ensure_ascii=False).encode()) for message in new))
    return sizes


def rendered(comm: RecordedComm) -> dict[int, str]:
    """The HTML of each stream."""
    html: dict[int, str] = {}
    for stream, _, _, more in (row for message in comm.messages for row in message.get("m", [])):
        html[stream] = html.get(stream, "") + more
    return html


def test_all_that_streams_is_told_once_and_in_order(stage: Stage) -> None:
    show, comm = stage.open(Story().start().ask())
    letters = random.Random(1)  # noqa: S311 - made-up text
    pieces = ["".join(letters.choices("ab𝄞é\n", k=7)) for _ in range(3000)]
    show.begin()
    for piece in pieces:
        show.stream(piece)
    show.panel.close()
    joined = Joined(comm)
    assert joined.gaps == 0
    assert joined.streams == {1: "".join(pieces)}


def test_the_first_piece_does_not_wait_for_others(stage: Stage) -> None:
    show, comm = stage.open(Story().start().ask())
    show.begin()
    show.stream("first")
    comm.wait(lambda: any(m.get("d") == [[1, 0, "first"]] for m in comm.messages))


def test_at_most_two_bytes_leave_the_kernel_for_each_byte_of_text(stage: Stage) -> None:
    show, comm = stage.open(audit_until_step_8().ask())
    show.begin()
    text = "0123456789" * 100  # what streams in one beat at 2,000 deltas of ten a second
    sizes = beats(show, comm, 30, text)
    assert sum(size + FRAME_BYTES for size in sizes) <= 2 * 30 * len(text)


def test_bytes_of_a_beat_do_not_grow_with_what_has_streamed(stage: Stage) -> None:
    show, comm = stage.open(Story().start().ask())
    show.begin()
    sizes = beats(show, comm, 40, "0123456789" * 50)
    assert sum(sizes[-15:]) <= 1.1 * sum(sizes[5:20])


def test_bytes_of_a_beat_do_not_grow_with_the_steps_before(stage: Stage) -> None:
    early, early_comm = stage.open(audit_until_step_8().ask())
    early.begin()
    few = beats(early, early_comm, 20, "0123456789" * 50)
    story = port()
    story.facts.pop()
    late, late_comm = stage.open(story.ask())
    late.begin()
    many = beats(late, late_comm, 20, "0123456789" * 50)
    assert sum(many[5:]) <= 1.1 * sum(few[5:])


def test_only_steps_that_changed_are_told_again(stage: Stage) -> None:
    story = port()
    story.facts.pop()
    show, comm = stage.open(story)
    show.tell(lambda told: told.ask().reply([said("Done.")], text=3))
    show.panel.close()
    told_again = [step["number"] for message in comm.messages for step in message.get("s", [])]
    assert set(told_again) == {42, 43}  # its prompt tells what the results of 42 are counted
    assert told_again.count(42) == 1


def test_the_widget_begins_with_all_that_is_known(stage: Stage) -> None:
    _, comm = stage.open(audit_until_step_8())
    snapshot = comm.opened["snapshot"]
    assert snapshot["head"]["word"] == "Running"
    assert [step["number"] for step in snapshot["steps"]] == [1, 2, 3, 4, 5, 6, 7]


def test_patches_lead_to_what_a_new_view_is_shown(stage: Stage) -> None:
    show, comm = stage.open(Story().start())
    show.tell(lambda story: story.ask())
    show.begin("thinking")
    show.stream("Which files are there?", "thinking")
    told = (thought("Which files are there?"), call("a", "glob", pattern="*.py"))
    show.tell(
        lambda story: story.reply(told, thinking=9, calls=5, written=40).tool("a", "glob", "x")
    )
    show.tell(lambda story: story.ask().reply([said("*Two* files.")], text=5, results=3))
    show.tell(lambda story: story.end(text="*Two* files."))
    show.panel.close()
    other, other_comm = stage.open(show.story)
    other.panel.close()
    patched, fresh = Joined(comm), Joined(other_comm)
    assert patched.head == {**fresh.head, "no_events": False}
    assert [patched.steps[n]["row"] for n in (1, 2)] == [fresh.steps[n]["row"] for n in (1, 2)]


def test_a_step_that_is_complete_names_its_streams_in_place_of_their_text(stage: Stage) -> None:
    show, comm = stage.open(Story().start().ask())
    show.begin("thinking")
    show.stream("A long thought. " * 50, "thinking")
    show.begin("text")
    show.stream("Some **words**.")
    show.begin("call", "glob")
    comm.wait(lambda: any("m" in message for message in comm.messages))
    content = (thought("A long thought. " * 50), said("Some **words**."), call("a", "glob"))
    show.tell(lambda story: story.reply(content, thinking=9, calls=5, text=4))
    show.panel.close()
    assert rendered(comm) == {2: "<p>Some <strong>words</strong>.</p>\n"}
    blocks = Joined(comm).steps[1]["blocks"]
    assert blocks[:2] == [{"kind": "thinking", "stream": 1}, {"kind": "text", "stream": 2}]
    assert blocks[2]["text"] == "glob()"


def test_a_text_that_ends_its_step_comes_rendered_with_it(stage: Stage) -> None:
    show, comm = stage.open(Story().start().ask())
    show.begin()
    show.stream("Some **words**.")
    show.tell(lambda story: story.reply([said("Some **words**.")], text=4))
    show.panel.close()
    assert rendered(comm) == {1: "<p>Some <strong>words</strong>.</p>\n"}
    assert Joined(comm).steps[1]["blocks"] == [{"kind": "text", "stream": 1}]


def test_a_block_of_markdown_comes_rendered_once_it_is_finished(stage: Stage) -> None:
    show, comm = stage.open(Story().start().ask())
    show.begin()
    show.stream("One *block* 𝄞.\n\nAnd the next")
    comm.wait(lambda: any("m" in message for message in comm.messages))
    (row,) = next(message["m"] for message in comm.messages if "m" in message)
    stream, start, end, html = row
    assert (stream, start, html) == (1, 0, "<p>One <em>block</em> 𝄞.</p>\n")
    assert "One *block* 𝄞.\n\n".encode("utf-16-le")[2 * end :] in (b"", "\n\n".encode("utf-16-le"))
    again = show.panel.widget.get_state()["snapshot"]["streams"][0]
    assert again["html"] == [html]
    assert (again["rendered"], again["from"]) == (end, end)
    assert again["text"].lstrip("\n") == "And the next"


def test_a_block_that_has_ended_is_rendered_once(stage: Stage) -> None:
    show, comm = stage.open(Story().start().ask())
    show.begin()
    show.stream("Some **words**.")
    show.begin("call", "glob")
    for piece in ('{"pattern":', ' "*.py"}'):
        told = len(comm.messages)
        show.now_s += 1
        show.stream(piece, "call")
        comm.wait(lambda told=told: any("d" in m for m in comm.messages[told:]))  # type: ignore[misc]  # mypy cannot infer a lambda with a default
    show.panel.close()
    assert [m["m"] for m in comm.messages if "m" in m] == [
        [[1, 0, 15, "<p>Some <strong>words</strong>.</p>\n"]]
    ]


def test_a_text_too_long_for_markdown_is_not_sent_twice(stage: Stage) -> None:
    show, comm = stage.open(Story().start().ask())
    text = "0123456789" * 6_000
    show.begin()
    show.stream(text)
    show.tell(lambda story: story.reply([said(text)], text=15_000))
    show.panel.close()
    assert len(json.dumps(comm.messages)) < 1.2 * len(text)


def test_what_a_failed_try_streamed_is_taken_back(stage: Stage) -> None:
    show, comm = stage.open(Story().start().ask())
    show.begin()
    show.stream("half an ans")
    comm.wait(lambda: any("d" in message for message in comm.messages))
    show.add(RetryScheduled(turn=1, step=1, attempt=2, attempts=4, wait_s=6, why="overloaded"))
    show.begin()
    show.stream("an answer")
    show.panel.close()
    assert Joined(comm).streams == {2: "an answer"}


def test_what_was_streamed_before_a_stop_stays(stage: Stage) -> None:
    show, comm = stage.open(Story().start().ask())
    show.begin()
    show.stream("half an ans")
    comm.wait(lambda: any("d" in message for message in comm.messages))
    show.tell(lambda story: story.end("interrupted", "stop_button", "stopped in step 1"))
    show.panel.close()
    step = Joined(comm).steps[1]
    assert step["row"]["state"] == "cut"
    assert step["blocks"] == [{"kind": "text", "stream": 1}]


def test_a_view_that_missed_something_gets_one_snapshot(stage: Stage) -> None:
    show, comm = stage.open(Story().start().ask())
    show.begin()
    show.stream("Hello")
    comm.wait(lambda: any("d" in message for message in comm.messages))
    comm.say({"k": "resync"})
    comm.wait(lambda: bool(comm.snapshots))
    show.stream(" world")
    show.panel.close()
    assert len(comm.snapshots) == 1
    snapshot = comm.snapshots[0]
    assert [(s["id"], s["from"], s["text"]) for s in snapshot["streams"]] == [(1, 0, "Hello")]
    after = [message for message in comm.messages if message["r"] > snapshot["r"]]
    assert [1, 5, " world"] in [piece for message in after for piece in message.get("d", [])]


def test_a_view_that_is_current_does_not_hide_that_another_missed_something(stage: Stage) -> None:
    show, comm = stage.open(audit())
    comm.say({"k": "resync"})
    comm.say({"k": "hello", "r": comm.opened["snapshot"]["r"] + len(comm.messages)})
    show.panel.close()
    assert len(comm.snapshots) == 1


def test_a_view_that_missed_nothing_gets_no_snapshot(stage: Stage) -> None:
    show, comm = stage.open(audit())
    comm.say({"k": "hello", "r": comm.opened["snapshot"]["r"] + len(comm.messages)})
    assert show.panel.said_hello.is_set()
    show.panel.close()
    assert comm.snapshots == []


def test_a_snapshot_is_bounded_however_long_the_run(stage: Stage) -> None:
    story = Story().start()
    for number in range(300):
        path = f"src/{number}.py"
        story.ask().reply([call(path, "read_file", path=path)], thinking=40, calls=9, results=900)
        story.tool(path, "read_file", "line of a file\n" * 500)
    show, comm = stage.open(story)
    snapshot = comm.opened["snapshot"]
    assert len(snapshot["steps"]) == 200
    assert snapshot["earlier"] == 100
    assert [step["blocks"] is not None for step in snapshot["steps"]] == [False] * 197 + [True] * 3
    assert len(json.dumps(snapshot)) < 120_000
    comm.say({"k": "whole", "step": 250})
    comm.wait(lambda: any("s" in message for message in comm.messages))
    show.panel.close()
    again = next(message["s"][0] for message in comm.messages if "s" in message)
    assert (again["number"], len(again["blocks"])) == (250, 2)


def test_a_view_that_cannot_ask_is_told_all_at_each_step(stage: Stage) -> None:
    show, comm = stage.open(Story().start().ask())
    show.tell(lambda story: story.reply([said("Done.")], text=3))
    comm.wait(lambda: bool(comm.snapshots))
    show.panel.close()
    assert comm.snapshots[-1]["steps"][0]["row"]["state"] == "done"


def test_a_page_that_loads_again_begins_with_what_was_told(stage: Stage) -> None:
    show, comm = stage.open(Story().start().ask())
    show.begin()
    show.stream("Hello")
    comm.wait(lambda: any("d" in message for message in comm.messages))
    state = show.panel.widget.get_state()
    assert [stream["text"] for stream in state["snapshot"]["streams"]] == ["Hello"]
