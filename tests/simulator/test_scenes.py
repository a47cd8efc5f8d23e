"""The shipped scenes, scripts, and scenes written as data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from budget_magic.errors import ConfigurationError
from budget_magic.simulator import (
    SCENES,
    Call,
    Reply,
    SceneContext,
    Scripted,
    Simulator,
    load_scene,
    scene_from_data,
)
from tests.simulator.helpers import (
    HELLO,
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
from tests.simulator.planted_folder import FILE_TOOLS, PLANTED, Folder

FINAL = {"type": "text", "text": "Please give a final summary without tools."}


def play(simulator: Simulator, folder: Folder, steps: int, **changes: Any) -> list[dict[str, Any]]:
    """Play a conversation of at most `steps` steps."""
    messages: list[dict[str, Any]] = [{"role": "user", "content": "Audit this folder."}]

    async def one(name: str, arguments: dict[str, Any]) -> str:
        return await folder.answer(name, arguments)

    for _ in range(steps):
        message = ask(simulator, messages=messages, tools=FILE_TOOLS, **changes)
        messages.append(said(message))
        answered = results(message)
        for block, call in zip(answered["content"], _calls(messages[-1]), strict=True):
            block["content"] = run(one(call["name"], call["input"]))
        if not answered["content"]:
            break
        messages.append(answered)
    return messages


def _calls(message: dict[str, Any]) -> list[dict[str, Any]]:
    return [block for block in message["content"] if block["type"] == "tool_use"]


@pytest.mark.parametrize("name", [name for name in SCENES if name != "budget_too_small"])
def test_no_other_shipped_scene_looks_like_too_small_a_budget(name: str, tmp_path: Path) -> None:
    simulator = Simulator(name)
    play(simulator, Folder(tmp_path, PLANTED), 50, max_tokens=16_000, **budget(100_000))
    assert simulator.requests[0].billed is not None
    last = simulator.requests[-1]
    reply = ask_again(simulator)
    assert reply != "refusal"
    if name not in ("runaway", "greedy"):
        assert (last.remaining_after or 0) >= 10_000


def ask_again(simulator: Simulator) -> str | None:
    return ask(simulator, tools=[LOOKUP], **budget()).stop_reason


@pytest.mark.parametrize(("seed", "reason"), [(0, "end_turn"), (1, "refusal")])
def test_a_budget_too_small_ends_at_once_without_a_call(seed: int, reason: str) -> None:
    message = ask(Simulator("budget_too_small", seed=seed), tools=[LOOKUP], **budget(20_000))
    assert message.stop_reason == reason
    assert all(block.type != "tool_use" for block in message.content)


def test_the_runaway_never_stops_by_itself_and_never_repeats_a_call(tmp_path: Path) -> None:
    folder = Folder(tmp_path, PLANTED)
    messages = play(Simulator("runaway"), folder, 40)
    assert messages[-1]["role"] == "user"
    assert all(_calls(message) for message in messages if message["role"] == "assistant")
    assert max(folder.calls.count(call) for call in folder.calls) < 3


@pytest.mark.parametrize("name", ["runaway", "greedy", "long_audit", "audit"])
def test_every_scene_gives_a_last_answer_when_asked(name: str, tmp_path: Path) -> None:
    simulator = Simulator(name)
    messages = play(simulator, Folder(tmp_path, PLANTED), 2)
    messages[-1]["content"].append(FINAL)
    message = ask(simulator, messages=messages, tools=FILE_TOOLS)
    assert text_of(message)
    assert all(block.type != "tool_use" for block in message.content)


@pytest.mark.parametrize("limit", [100, 4_000, 128_000])
@pytest.mark.parametrize("model", ["claude-opus-5-5", "claude-opus-4-7"])
def test_the_greedy_model_fills_max_tokens_to_the_last(limit: int, model: str) -> None:
    simulator = Simulator("greedy")
    for tools in ([LOOKUP], None):
        message = ask(simulator, model=model, max_tokens=limit, tools=tools, thinking=None)
        assert message.usage.output_tokens == limit
        assert message.stop_reason == ("tool_use" if tools else "end_turn")


def test_the_long_audit_takes_its_steps_and_goes_on_from_its_own_summary(tmp_path: Path) -> None:
    simulator, folder = Simulator("long_audit"), Folder(tmp_path, PLANTED)
    messages = play(simulator, folder, 100)
    assert len(simulator.requests) == 41
    messages = messages[:31]
    messages.append(
        {"role": "assistant", "content": [{"type": "text", "text": "I have what I need."}]}
    )
    messages.append({"role": "user", "content": "Summarise the work so far for later."})
    summary = text_of(ask(simulator, messages=messages, tools=FILE_TOOLS, model="claude-opus-4-7"))
    assert "of 40 steps are done" in summary
    assert "`shop/web.py:10`" in summary
    fresh = [{"role": "user", "content": f"{summary}\n\nAudit this folder."}]
    message = ask(simulator, messages=fresh, tools=FILE_TOOLS)
    assert text_of(message).startswith("Step 1")
    assert not text_of(message).startswith("Step 1 ")


def test_a_condition_plays_a_reply_ahead_of_its_place() -> None:
    script = [
        Reply(text="First."),
        Reply(text="Asked.", when=lambda context: "please" in context.asked),
        Reply(text="Second."),
    ]
    simulator = Simulator(script)
    please = [{"role": "user", "content": "Yes, please."}]
    said_ = [text_of(ask(simulator, messages=m)) for m in (HELLO, please, HELLO, HELLO)]
    assert said_[:3] == ["First.", "Asked.", "Second."]
    assert "the script is over" in said_[3]


def test_a_call_of_any_tool_takes_one_that_is_offered() -> None:
    simulator = Simulator(Scripted([Reply(calls=[Call("*"), Call("other|lookup")])]))
    message = ask(simulator, tools=[LOOKUP])
    names = [block.name for block in message.content if block.type == "tool_use"]
    assert names == ["lookup", "lookup"]


def test_a_function_is_a_scene() -> None:
    def scene(context: SceneContext) -> Reply:
        if context.last_calls:
            return Reply(text=f"It said {context.last_calls[0].text}, {context.remaining} left.")
        return Reply(calls=[Call("lookup")], output_tokens=1_000, result_tokens=100)

    async def answer(_name: str, _arguments: dict[str, Any]) -> str:
        return "yes"

    async def work() -> str:
        async with client_of(Simulator(scene)) as client:
            replies = await loop(client, list(HELLO), answer, tools=[LOOKUP], **budget(50_000))
            return text_of(replies[-1])

    assert run(work()) == "It said yes, 48900 left."


def test_a_scene_can_be_a_file(tmp_path: Path) -> None:
    file = tmp_path / "two.toml"
    file.write_text(
        'play = "history"\nprompt_tokens = 77\n'
        '[[reply]]\ntext = "This is simulated."\n'
        '[[reply]]\ntext = "In French."\n[reply.when]\nasked = "french"\n',
        encoding="utf-8",
    )
    simulator = Simulator(str(file))
    assert text_of(ask(simulator)) == "This is simulated."
    french = [{"role": "user", "content": "In French?"}]
    assert text_of(ask(simulator, messages=french)) == "In French."
    assert simulator.requests[0].prompt_tokens == 77


def test_the_example_of_the_guide_can_be_played() -> None:
    guide = Path(load_scene.__code__.co_filename).with_name("WRITING.md")
    toml = guide.read_text(encoding="utf-8").split("```toml\n")[1].split("```")[0]
    file_scene = guide.parent / "worked_example.toml"
    assert load_scene(file_scene).prompt_tokens == 20
    import tomllib  # noqa: PLC0415 - only here

    simulator = Simulator(scene_from_data(tomllib.loads(toml)))
    assert ask(simulator, tools=FILE_TOOLS).stop_reason == "tool_use"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({}, "scene without a name: reply: Field required"),
        ({"reply": [{"txt": "x"}]}, "reply.0.txt: Extra inputs are not permitted"),
        ({"reply": [{"text": 1}]}, "reply.0.text: Input should be a valid string"),
        ({"reply": [{"output_tokens": -1}]}, "reply.0.output_tokens: Input should be greater"),
        ({"reply": [{"calls": ["read"]}]}, "reply.0.calls.0: Input should be a valid dict"),
        ({"reply": [{"when": {"often": 1}}]}, "reply.0.when.often: Extra inputs"),
        ({"reply": [{}], "play": "random"}, "play: Input should be 'order' or 'history'"),
        ({"reply": [{}], "colour": "red"}, "colour: Extra inputs are not permitted"),
    ],
)
def test_a_mistake_in_a_scene_is_named(data: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        scene_from_data(data)


def test_an_unknown_scene_is_named_with_those_there_are() -> None:
    with pytest.raises(ConfigurationError, match="unknown scene 'audti'; shipped scenes: audit, "):
        Simulator("audti")
