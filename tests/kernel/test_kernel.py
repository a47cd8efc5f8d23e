"""Cells in a real kernel: interrupts, questions, nesting, and what stays in the notebook."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from tests.kernel.conftest import Kernel, Ran

TURN = "application/vnd.budget-magic.turn+json"
WIDGET = "application/vnd.jupyter.widget-view+json"
WRITES = "sim, mine = scripted(Reply(text=LONG * 9), Reply(text='Done.'), pace=200)"
WRITE = "%%claude_task audit --client mine -t none -o out\nWrite at length."
NESTED = """
def run(line, cell):
    get_ipython().run_cell_magic('claude_task', line, cell)

run('audit --client simulator', 'Audit this folder.')
"""
JOIN = "[t.join() for t in threading.enumerate() if t.name == 'budget_magic display']"
AUDIT = "%%claude_task audit --client simulator\nAudit this folder."


def streams(ran: Ran) -> bool:
    """Whether the panel has been told some text."""
    return ran.comms > 10


def test_interrupt_ends_the_cell_with_one_line_and_the_server_sees_it(kernel: Kernel) -> None:
    kernel.run(WRITES)
    ran = kernel.run(WRITE, interrupt_when=streams)
    assert ran.status == "error"
    assert ran.errors[0]["ename"] == "TaskInterrupted"
    assert len(ran.errors[0]["traceback"]) == 1
    assert ran.last[TURN]["state"] == "interrupted"
    assert WIDGET not in ran.last
    kernel.run("sim.requests[0].disconnected.wait(10)")
    assert kernel.run("print(sim.requests[0].closed_early, out.reason)").text == "True keyboard\n"


def test_the_next_cell_and_resume_go_on_after_an_interrupt(kernel: Kernel) -> None:
    kernel.run(WRITES)
    kernel.run(WRITE, interrupt_when=streams)
    ran = kernel.run("%claude_resume audit")
    assert ran.status == "ok"
    assert ran.last[TURN]["state"] == "completed"
    assert ran.last[TURN]["turn"] == 1


def test_interrupt_reaches_code_of_the_notebook(kernel: Kernel) -> None:
    kernel.run(
        "began = []\n"
        "def wait_long() -> str:\n    began.append(1)\n    print('began', flush=True)\n"
        "    time.sleep(60)\n    return 'x'\n"
        "sim, mine = scripted(Reply(calls=[Call('wait_long', {})]), Reply(text='Done.'))"
    )
    ran = kernel.run(
        "%%claude_task audit --client mine -t wait_long --approve all -o out\nWait.",
        interrupt_when=lambda ran: "began" in ran.text,
    )
    assert ran.errors[0]["ename"] == "TaskInterrupted"
    told = kernel.run(
        "print([r.fact.content for r in tasks()['audit'].events if r.fact.kind == 'tool_finished'])"
    )
    assert "interrupted" in told.text
    ran = kernel.run("%claude_resume audit")
    assert ran.last[TURN]["state"] == "completed"


STEPS = """
def act(word: str) -> str:
    print('began', flush=True)
    time.sleep(.02)
    return word
def scene(view):
    if view.replies >= 40:
        return Reply(text='Done.')
    return Reply(text='Step. ' * 5, calls=[Call('act', {'word': f'w{view.replies}'})])
def fresh():
    global sim, mine
    sim = Simulator(scene, pace_tokens_per_s=2000)
    mine = simulated_client(sim.transport())
"""
BUSY = "%%claude_task {name} --client mine -t act --approve all\nGo."
BUSY_ARUN = (
    "from budget_magic import Task\n"
    "out = await Task('{name}', client=mine, tools=['act'], approve='all').arun('Go.')"
)


def some_time_after_it_began(wait_s: float) -> Callable[[Ran], bool]:
    """Whether so much time has passed since a cell first printed."""
    since: list[float] = []

    def has_passed(ran: Ran) -> bool:
        if ran.text and not since:
            since.append(time.monotonic())
        return bool(since) and time.monotonic() >= since[0] + wait_s

    return has_passed


@pytest.mark.parametrize("cell", [BUSY, BUSY_ARUN], ids=["cell", "arun"])
def test_no_interrupt_is_lost_while_functions_come_and_go(kernel: Kernel, cell: str) -> None:
    kernel.run(STEPS)
    for number in range(8):
        kernel.run("fresh()")
        ran = kernel.run(
            cell.format(name=f"task{number}"),
            interrupt_when=some_time_after_it_began(0.07 * number),
        )
        assert [error["ename"] for error in ran.errors] == ["TaskInterrupted"]


def test_interrupt_stops_a_turn_whose_function_swallows_it(kernel: Kernel) -> None:
    kernel.run(
        "def wait_long() -> str:\n"
        "    try:\n        print('began', flush=True)\n        time.sleep(60)\n"
        "    except:\n        pass\n    return 'x'\n"
        "sim, mine = scripted(Reply(calls=[Call('wait_long', {})]), Reply(text='Done.'))"
    )
    ran = kernel.run(
        "%%claude_task audit --client mine -t wait_long --approve all\nWait.",
        interrupt_when=lambda ran: "began" in ran.text,
    )
    assert ran.errors[0]["ename"] == "TaskInterrupted"
    assert kernel.run("print(len(sim.requests))").text == "1\n"


SAY_WHEN_SIGINT_IS_TAKEN = """
import signal, threading
before = signal.getsignal(signal.SIGINT)
def say():
    while signal.getsignal(signal.SIGINT) is before: pass
    print("waiting", flush=True)
threading.Thread(target=say).start()
"""


@pytest.mark.parametrize(
    ("wait", "error"),
    [
        (SAY_WHEN_SIGINT_IS_TAKEN + "audit.wait()", "KeyboardInterrupt"),
        ("print('waiting', flush=True)\nawait audit.await_end()", "CancelledError"),
    ],
    ids=["wait", "await_end"],
)
def test_interrupt_ends_only_the_waiting_for_a_background_task(
    kernel: Kernel, wait: str, error: str
) -> None:
    kernel.run(
        "go_on = Signal()\n"
        "sim = Simulator([Reply(text='Done.')], faults=[hold(go_on, on=0)])\n"
        "mine = simulated_client(sim.transport())"
    )
    kernel.run("%%claude_task audit --client mine -t none --background\nWrite.")
    ran = kernel.run(
        "audit = tasks()['audit']\n" + wait,
        interrupt_when=lambda ran: "waiting" in ran.text,
    )
    assert ran.errors[0]["ename"] == error
    assert "the turn itself runs on" in ran.errors[0]["evalue"]
    assert kernel.run("print(audit.is_running)").text == "True\n"
    assert kernel.run("go_on.set(); print(audit.wait().state)").text == "completed\n"


@pytest.mark.parametrize(
    ("said", "saved"), [("y", ["first", "second"]), ("t", ["first", "second"]), ("n", [])]
)
def test_where_no_view_answers_approvals_are_asked_for_by_input(
    kernel: Kernel, said: str, saved: list[str]
) -> None:
    kernel.run(
        "sim, mine = scripted(Reply(calls=[note('first'), note('second')]), Reply(text='Done.'))"
    )
    ran = kernel.run("%%claude_task audit --client mine -t save_note\nSave two.", answer=said)
    assert ran.status == "ok"
    assert "Claude wants to run save_note" in ran.asked[0]
    assert len(ran.asked) == (1 if said == "t" else 2)
    assert kernel.run("print(called)").text.strip() == str(saved)


def test_a_question_shows_the_call_exactly(kernel: Kernel) -> None:
    kernel.run(
        "import os\n"
        "os.environ['PLANTED_API_KEY'] = 'planted-0123456789'\n"
        "hidden = 'echo hello \\x1b]; echo PWNED; \\x07 \\x9d; x\\x9c \\u202e\\u200b '\n"
        "long = 'first ' + 'x' * 12_388 + ' last!'\n"
        "held = 'send planted-0123456789 off'\n"
        "calls = [note(text) for text in (hidden, long, held)]\n"
        "sim, mine = scripted(Reply(calls=calls), Reply(text='.'))"
    )
    ran = kernel.run("%%claude_task audit --client mine -t save_note\nSave.", answer="n")
    exact, whole, secret = ran.asked
    assert r"echo hello \x1b]; echo PWNED; \x07 \x9d; x\x9c \u202e\u200b" in exact
    assert not any((ord(c) < 32 and c != "\n") or ord(c) in (0x9C, 0x9D, 0x202E) for c in exact)
    assert "text (12,400 characters)" in whole
    assert "first xxx" in whole
    assert "xxx last!" in whole
    assert whole.count("x") >= 12_388
    assert "send [secret PLANTED_API_KEY] off" in secret
    assert "Its input holds [secret PLANTED_API_KEY], so it asks." in " ".join(secret.split())
    kernel.run("sim, mine2 = scripted(Reply(calls=[note(held)]), Reply(text='.'))")
    ran = kernel.run(
        "%%claude_task other --client mine2 -t save_note --approve all\nSave.", answer="n"
    )
    assert len(ran.asked) == 1
    assert "planted-0123456789" not in str(ran)
    assert kernel.run("print(called)").text.strip() == "[]"


@pytest.mark.parametrize("interrupts", [1, 3])
def test_interrupt_ends_a_question(kernel: Kernel, interrupts: int) -> None:
    kernel.run("sim, mine = scripted(Reply(calls=[note('first')]), Reply(text='Done.'))")
    ran = kernel.run(
        "%%claude_task audit --client mine -t save_note\nSave one.",
        answer=None,
        interrupt_when=lambda ran: bool(ran.asked),
        interrupts=interrupts,
    )
    assert ran.errors[0]["ename"] == "TaskInterrupted"
    assert kernel.run("print(called)").text.strip() == "[]"


PASTE = "%%claude_task audit --client mine -t none\nSum up {{ words }}."
PASTES = "sim, mine = scripted(Reply(text='Done.'))\nwords = 'word ' * 30_000"


def test_a_large_insertion_is_sent_where_the_user_agrees(kernel: Kernel) -> None:
    kernel.run(PASTES)
    ran = kernel.run(PASTE, answer="y")
    assert "{{ words }} inserts \u2248 50,000 tokens, about $0.25 the first time" in ran.asked[0]
    assert ran.last[TURN]["state"] == "completed"


@pytest.mark.parametrize("answer", ["n", "", None], ids=["no", "nothing", "interrupt"])
def test_a_large_insertion_is_not_sent_where_the_user_does_not_agree(
    kernel: Kernel, answer: str | None
) -> None:
    kernel.run(PASTES)
    kernel.run("%%claude_task audit --client mine -t none\nHello.")
    ran = kernel.run(
        PASTE.replace("audit", "audit -e low"),
        answer=answer,
        interrupt_when=(lambda ran: bool(ran.asked)) if answer is None else None,
    )
    assert ran.asked
    assert "UsageError" in ran.text
    assert "not sent" in ran.text
    told = kernel.run(
        "t = tasks()['audit']; print(len(sim.requests), len(t.turns), t.settings.effort)"
    )
    assert told.text == "1 1 high\n"
    assert kernel.run("%%claude_task audit\nAgain.").last[TURN]["turn"] == 2


@pytest.mark.parametrize(
    "source",
    [
        "%%time\n" + AUDIT,
        "%%timeit -n1 -r1\n" + AUDIT,
        NESTED,
        "get_ipython().run_cell('''" + AUDIT + "''')",
        "%autoawait off\n",
        "%autoawait trio\n",
        "open('cells.ipy', 'w').write('''" + AUDIT + "''')\n%run cells.ipy",
        AUDIT,
    ],
    ids=["time", "timeit", "function", "run_cell", "autoawait-off", "trio", "run", "plain"],
)
def test_every_way_to_run_a_cell_works(kernel: Kernel, source: str) -> None:
    ran = kernel.run(source, person=False)
    if "autoawait" in source:
        ran = kernel.run(AUDIT, person=False)
    assert ran.status == "ok"
    turns = [data[TURN] for data in ran.displays if TURN in data]
    assert turns[-1]["state"] == "completed"
    assert "coroutine" not in ran.text


def test_capture_holds_the_output(kernel: Kernel) -> None:
    ran = kernel.run("%%capture held\n" + AUDIT, person=False)
    assert ran.displays == []
    shown = kernel.run("print([sorted(o.data) for o in held.outputs][-1])").text
    assert TURN in shown


def test_without_a_user_there_is_no_widget(kernel: Kernel) -> None:
    ran = kernel.run(AUDIT, person=False)
    assert ran.comms == 0
    assert all(WIDGET not in data for data in ran.displays)


def test_a_background_task_returns_at_once_and_is_waited_for(kernel: Kernel) -> None:
    kernel.run("sim, mine = scripted(Reply(text=LONG), Reply(text='Done.'), pace=900)")
    ran = kernel.run("%%claude_task audit --client mine -t none --background\nWrite.")
    assert ran.status == "ok"
    assert kernel.run("print(tasks()['audit'].is_running)").text == "True\n"
    refused = kernel.run("%%claude_task audit\nMore.")
    assert "audit is already running" in refused.text
    assert kernel.run("print(tasks()['audit'].wait().state)").text == "completed\n"


def test_a_background_task_shows_its_panel_again_and_both_end_as_the_report(
    kernel: Kernel,
) -> None:
    kernel.run("sim, mine = scripted(Reply(text=LONG), Reply(text='Done.'), pace=900)")
    first = kernel.run("%%claude_task audit --client mine -t none --background\nWrite.")
    again = kernel.run("t = %claude_task audit")
    assert first.last[WIDGET] == again.last[WIDGET]
    assert "Task('audit'" in kernel.run("print(t)").text
    ended = kernel.run("t.wait()\n" + JOIN)
    updates = [data for data in ended.updates if data[TURN]["state"] == "completed"]
    assert len(updates) == 2
    assert all(WIDGET not in data for data in updates)


def test_stop_ends_a_background_task(kernel: Kernel) -> None:
    kernel.run(WRITES)
    kernel.run("%%claude_task audit --client mine -t none --background\nWrite.")
    assert "stopping audit" in kernel.run("%claude_stop").text
    ran = kernel.run("tasks()['audit'].wait()")
    assert ran.errors[0]["ename"] == "TaskInterrupted"


def test_out_stays_free_and_a_queued_cell_sees_the_result(kernel: Kernel) -> None:
    kernel.run(AUDIT.replace("\n", " -o out\n", 1), person=False)
    assert kernel.run("print(out.state, sorted(Out))", person=False).text == "completed []\n"


def test_keys_and_prompts_never_reach_the_log(kernel: Kernel) -> None:
    kernel.run(
        "import io, logging, os\n"
        "held = io.StringIO()\n"
        "logging.getLogger('budget_magic').addHandler(logging.StreamHandler(held))\n"
        "logging.getLogger('budget_magic').setLevel(logging.DEBUG)\n"
        "os.environ['MY_API_KEY'] = 'sk-planted-0123456789'\n"
        "open('keys.txt', 'w').write('sk-planted-0123456789')"
    )
    ran = kernel.run(
        AUDIT + " Read keys.txt with {{ os.environ['MY_API_KEY'] }}.",
        person=False,
    )
    held = kernel.run("print('sk-' in held.getvalue(), 'keys.txt' in held.getvalue())")
    assert held.text == "False False\n"
    assert "sk-planted" not in str(ran.displays)
    messages = kernel.run("print('sk-planted' in str(tasks()['audit'].messages))")
    assert messages.text == "False\n"


def test_a_front_end_completes_options_folders_and_values(kernel: Kernel) -> None:
    kernel.run("import os; os.mkdir('src'); os.mkdir('data')\ndef rows(): pass")

    def matches(cell: str) -> list[str]:
        reply = kernel.ask(kernel.client.complete(cell))
        return [cell[: reply["cursor_start"]] + one for one in reply["matches"]]

    line = "%%claude_task audit "
    assert matches(f"{line}--root d") == [f"{line}--root data/"]
    assert matches(f"{line}--root=s") == [f"{line}--root=src/"]
    assert matches(f"{line}-t files,ro") == [f"{line}-t files,rows"]
    assert matches(f"{line}--max-c") == [f"{line}--max-cost"]
    assert matches(f"{line}--root pri") == [f"{line}--root pri"]


def test_a_front_end_shows_the_help_of_a_magic(kernel: Kernel) -> None:
    for cell in ("%claude_task", "%%claude_task", "%claude_stop", "%claude_tasks"):
        told = kernel.ask(kernel.client.inspect(cell))["data"]["text/plain"]
        assert f"{cell.lstrip('%')}" in told
        assert "Examples:" in told
