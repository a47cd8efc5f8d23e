"""A coroutine run to its end while a thread waits."""

from __future__ import annotations

import asyncio
import signal
import threading
from collections.abc import Callable

import pytest

from budget_magic.tools.loop_thread import run_coroutine


async def give(value: str) -> str:
    await asyncio.sleep(0)
    return value


async def fail() -> None:
    message = "inside"
    raise ValueError(message)


def inside_a_loop(function: Callable[[], object]) -> object:
    async def main() -> object:
        return function()

    return asyncio.run(main())


def test_it_gives_the_result_with_and_without_a_running_loop() -> None:
    assert run_coroutine(give("plain")) == "plain"
    assert inside_a_loop(lambda: run_coroutine(give("nested"))) == "nested"


def test_it_raises_what_the_coroutine_raises() -> None:
    with pytest.raises(ValueError, match="inside"):
        run_coroutine(fail())
    with pytest.raises(ValueError, match="inside"):
        inside_a_loop(lambda: run_coroutine(fail()))


def test_it_leaves_the_current_event_loop_of_the_thread_alone() -> None:
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        run_coroutine(give("x"))

        assert asyncio.get_event_loop() is loop
    finally:
        asyncio.set_event_loop(None)
        loop.close()


def test_an_interrupt_of_the_waiting_thread_cancels_the_coroutine() -> None:
    cleaned_up = threading.Event()

    async def wait_for_ever() -> None:
        signal.raise_signal(signal.SIGINT)
        try:
            await asyncio.Event().wait()
        finally:
            cleaned_up.set()

    async def main() -> None:
        before = signal.signal(signal.SIGINT, signal.default_int_handler)
        try:
            run_coroutine(wait_for_ever())
        finally:
            signal.signal(signal.SIGINT, before)

    with pytest.raises(KeyboardInterrupt):
        asyncio.run(main())
    assert cleaned_up.wait(10)
