"""What a file tool started ends when nobody waits for it, or when its time is up."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import psutil  # type: ignore[import-untyped] # it ships none
import pytest

from budget_magic import Task
from budget_magic.events import Ceilings, ToolStarted
from budget_magic.simulator import Call, Reply, Simulator
from budget_magic.tools.context import CancelToken, TimeLimit
from budget_magic.tools.directory_handle import DirectoryHandle
from budget_magic.tools.files import file_tools
from budget_magic.tools.run_tool import run_tool
from budget_magic.tools.search import DirectoryWalk
from tests.loop.running import CUT_S, facts, interruption, task_on
from tests.tools.calling import NOTHING_SECRET, Files, context

GUARD_S = 5
"""Less than the ten seconds after which a call of a task ends by itself."""
LONG_S = 600.0
"""A limit that no test reaches."""
ENDLESS: dict[str, dict[str, object]] = {
    "read": {"file_path": "huge.log", "view_range": [10**9, 10**9 + 1]},
    "glob": {"pattern": "**/*/" * 150 + "{a,b}" * 6},
    "grep": {"pattern": "^(a+)+$"},
}


def wait_until(holds: Callable[[], bool]) -> bool:
    """Whether something holds within the guard."""
    beat = threading.Event()
    for _ in range(GUARD_S * 100):
        if holds():
            return True
        beat.wait(0.01)
    return False


def searches() -> list[int]:
    """The processes of searches that this process started, ended but unreaped ones too."""
    return [
        child.pid
        for child in psutil.Process().children()
        if child.status() == psutil.STATUS_ZOMBIE or "search_worker" in " ".join(child.cmdline())
    ]


def is_working() -> bool:
    """Whether a thread is inside a file tool."""
    frames = list(sys._current_frames().values())  # noqa: SLF001 - the interpreter's own way
    for inner in frames:
        frame: FrameType | None = inner
        while frame is not None:
            if frame.f_code.co_qualname.startswith("FileTools."):
                return True
            frame = frame.f_back
    return False


@pytest.fixture
def endless(files: Files) -> Files:
    """A folder in which each of the calls above would go on for minutes."""
    with files.write("huge.log", "text\n" * 4_000).open("r+b") as stream:
        stream.truncate(2**40)  # sparse: takes no room
    files.write("a.txt", "a" * 60 + "!\n")
    deep = "/".join("a" * 60)
    for number in range(1_000):
        files.write(f"{deep}/{number}.txt", "")
    return files


def test_a_walk_through_empty_folders_ends_too(tmp_path: Path) -> None:
    for number in range(200):
        (tmp_path / str(number)).mkdir()
    cancel = CancelToken()
    with DirectoryHandle(str(tmp_path)) as root:
        walk = DirectoryWalk(root=root, start=(), limit=TimeLimit(LONG_S, cancel))

        def enters(_parts: tuple[str, ...]) -> bool:
            cancel.cancel()
            return True

        assert list(walk.files(enters)) == []

    assert walk.is_late


@pytest.mark.parametrize("name", ENDLESS)
def test_a_call_that_nobody_waits_for_ends(endless: Files, name: str) -> None:
    tool = next(one for one in file_tools(endless.root, limit_s=LONG_S) if one.name == name)

    async def main() -> None:
        call = asyncio.create_task(run_tool(tool, ENDLESS[name], context(), NOTHING_SECRET))
        is_busy = searches if name == "grep" else is_working
        assert await asyncio.to_thread(wait_until, lambda: bool(is_busy()))
        call.cancel()
        await asyncio.wait([call])

    asyncio.run(main())

    assert wait_until(lambda: not is_working())
    assert wait_until(lambda: not searches())


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("read", "stopped after 0.3 s at line"),
        ("glob", "[stopped after 0.3 s"),
        ("grep", "[stopped after 0.3 s"),
    ],
)
def test_a_call_ends_when_its_time_is_up_and_says_so(endless: Files, name: str, said: str) -> None:
    quick = Files(endless.root, limit_s=0.3)

    assert said in quick.either(name, **ENDLESS[name])
    assert not is_working()
    assert not searches()


def calling(root: Path, name: str, **options: Any) -> Task:
    """A task whose first reply makes the call."""
    simulator = Simulator([Reply(calls=[Call(name, dict(ENDLESS[name]))]), Reply(text="Done.")])
    return task_on(simulator, tools=["files"], root=str(root), **options)


@pytest.mark.parametrize("name", ENDLESS)
def test_stop_ends_the_work_of_a_turn_and_its_search_process(endless: Files, name: str) -> None:
    task = calling(endless.root, name)
    task.start("Look.")
    is_busy = searches if name == "grep" else is_working
    assert wait_until(lambda: bool(is_busy()))

    task.stop()
    outcome = interruption(task.wait)

    assert outcome.reason == "stop_button"
    assert wait_until(lambda: not is_working())
    assert wait_until(lambda: not searches())


@pytest.mark.parametrize("name", ENDLESS)
def test_the_time_ceiling_ends_the_work_of_a_turn(endless: Files, name: str) -> None:
    task = calling(endless.root, name, ceilings=Ceilings(elapsed_s=CUT_S), wrap_up=False)

    outcome = task.run("Look.")

    assert outcome.reason == "time_ceiling"
    assert facts(task, ToolStarted)
    assert wait_until(lambda: not is_working())
    assert wait_until(lambda: not searches())
