"""What a model said is recorded, replayed offline, and holds no secrets."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from agentflow_dagster.errors import ModelError, UsageError
from agentflow_dagster.ports.ledger import Caller
from agentflow_dagster.ports.model import Image, Message, ModelRequest, ToolSpec
from agentflow_dagster.testing import Answer, Call, Cassette, Price, ScriptedModel

if TYPE_CHECKING:
    from pathlib import Path

    from agentflow_dagster.spec.values import JsonSchema

OPENAI_LIKE = "sk-" + "a1B2" * 10
PRICE = Price(Decimal(10), Decimal(30))
CITY: JsonSchema = {"type": "object", "properties": {"city": {"type": "string"}}}
LOOK_UP = ToolSpec("look_up", "Looks a city up.", CITY)


class Heard:
    def __init__(self) -> None:
        self.pieces: list[str] = []

    def text(self, piece: str) -> None:
        self.pieces.append(piece)

    def again(self) -> None:
        self.pieces.clear()


def ask(said: str = "Hello?", **options: object) -> ModelRequest:
    return replace(ModelRequest((Message("user", said),), model="gpt-4o-mini"), **options)


async def test_what_was_recorded_is_replayed(tmp_path: Path):
    file = tmp_path / "deep" / "session.yaml"
    turns = [
        Answer("Two words.", tokens_in=100, tokens_out=9, tokens_cached=40),
        {"city": "Paris"},
        Answer("", (Call("look_up", {"city": "Rome"}),)),
        ModelError("Down.", model="x", provider="y", status=503, hint="Wait."),
    ]
    model = ScriptedModel(turns, price=PRICE)
    requests = [ask(), ask(output_schema=CITY), ask(tools=(LOOK_UP,)), ask("Again?")]
    recording, replaying = Cassette(file, model, mode="record"), None
    recorded = [await recording.complete(request) for request in requests[:3]]
    with pytest.raises(ModelError, match="Down"):
        await recording.complete(requests[3])
    replaying = Cassette(file)
    replayed = [await replaying.complete(request) for request in requests[:3]]
    assert [
        replace(r, usage=replace(r.usage, latency_ms=round(r.usage.latency_ms, 1)))
        for r in recorded
    ] == replayed
    with pytest.raises(ModelError, match="Down") as raised:
        await replaying.complete(requests[3])
    assert (raised.value.status, raised.value.hint) == (503, "Wait.")
    assert len(model.requests) == 4


async def test_the_file_is_read_by_people(tmp_path: Path):
    file = tmp_path / "session.yaml"
    model = ScriptedModel(["First line.\nSecond line."], price=PRICE)
    await Cassette(file, model, mode="record").complete(ask("What\nis it?"))
    latency = next(line for line in file.read_text().splitlines() if "latency_ms" in line)
    assert file.read_text().replace(f"{latency}\n", "") == (
        "version: 1\n"
        "calls:\n"
        "  - asked:\n"
        "      model: gpt-4o-mini\n"
        "      messages:\n"
        "        - role: user\n"
        "          content: |-\n"
        "            What\n"
        "            is it?\n"
        "    answered:\n"
        "      text: |-\n"
        "        First line.\n"
        "        Second line.\n"
        "      usage:\n"
        "        provider: test\n"
        "        model: test/scripted\n"
        "        tokens_in: 10\n"
        "        tokens_out: 5\n"
        '        cost_usd: "0.00025"\n'
    )


async def test_equal_requests_get_their_answers_in_order(tmp_path: Path):
    file = tmp_path / "session.yaml"
    recording = Cassette(file, ScriptedModel(["one", "two"]), mode="record")
    for _ in range(2):
        await recording.complete(ask())
    replaying = Cassette(file)
    assert [(await replaying.complete(ask())).text for _ in range(2)] == ["one", "two"]
    with pytest.raises(ModelError, match="recorded 2 times, and asked once more"):
        await replaying.complete(ask())


async def test_calls_at_once_are_kept_in_the_order_in_which_they_were_asked(tmp_path: Path):
    file = tmp_path / "session.yaml"
    first_may_end = asyncio.Event()

    class Slow:
        async def complete(self, request: ModelRequest, listener: object = None):
            if request.messages[0].content == "first":
                await first_may_end.wait()
            else:
                first_may_end.set()
            return await ScriptedModel([request.messages[0].content]).complete(request)

    recording = Cassette(file, Slow(), mode="record")
    await asyncio.gather(recording.complete(ask("first")), recording.complete(ask("second")))
    assert file.read_text().index("first") < file.read_text().index("second")


async def test_who_asks_and_how_it_is_kept_does_not_count(tmp_path: Path):
    file = tmp_path / "session.yaml"
    await Cassette(file, ScriptedModel(["one"]), mode="record").complete(ask())
    other = ask(caller=Caller("run", "agent", "node"), memo="x", timeout=3.0, prompt_cache=True)
    assert (await Cassette(file).complete(other)).text == "one"


@pytest.mark.parametrize(
    ("request_", "said"),
    [
        (ask("Hello!"), r"messages\[0\].content: 'Hello!', recorded 'Hello\?'"),
        (ask(temperature=0.5), "temperature: 0.5, recorded None"),
        (ask(model="gpt-4o"), "model: 'gpt-4o', recorded 'gpt-4o-mini'"),
        (ask(tools=(LOOK_UP,)), "tools: .*look_up.*, recorded None"),
    ],
    ids=["message", "temperature", "model", "tools"],
)
async def test_a_miss_says_what_differs_and_how_to_record(
    tmp_path: Path, request_: ModelRequest, said: str
):
    file = tmp_path / "session.yaml"
    await Cassette(file, ScriptedModel(["one"]), mode="record").complete(ask())
    with pytest.raises(ModelError, match=said) as raised:
        await Cassette(file).complete(request_)
    assert "--model-cassettes=record" in raised.value.hint
    assert not raised.value.retryable


async def test_auto_records_what_is_missing(tmp_path: Path):
    file = tmp_path / "session.yaml"
    model = ScriptedModel(["one", "two"])
    assert (await Cassette(file, model, mode="auto").complete(ask())).text == "one"
    again = Cassette(file, model, mode="auto")
    assert (await again.complete(ask())).text == "one"
    assert (await again.complete(ask("More?"))).text == "two"
    assert len(model.requests) == 2
    assert (await Cassette(file).complete(ask("More?"))).text == "two"


async def test_no_secret_is_written(tmp_path: Path):
    file = tmp_path / "session.yaml"
    model = ScriptedModel([f"You sent hunter2-hunter2 and {OPENAI_LIKE}."])
    request = ask(f"Use {OPENAI_LIKE}; authorization: Bearer abcdef.123456")
    await Cassette(file, model, mode="record", secrets=["hunter2-hunter2"]).complete(request)
    written = file.read_text()
    for secret in (OPENAI_LIKE, "hunter2", "abcdef.123456"):
        assert secret not in written
    assert "***" in written
    assert "***" in (await Cassette(file).complete(request)).text


async def test_pictures_stand_there_by_their_hashes(tmp_path: Path):
    file = tmp_path / "session.yaml"

    def shown(data: bytes) -> ModelRequest:
        return ModelRequest((Message("user", "What?", images=(Image("image/png", data),)),))

    await Cassette(file, ScriptedModel(["red"]), mode="record").complete(shown(b"one"))
    assert "sha256" in file.read_text()
    assert (await Cassette(file).complete(shown(b"one"))).text == "red"
    with pytest.raises(ModelError, match="sha256"):
        await Cassette(file).complete(shown(b"two"))


async def test_a_listener_hears_what_is_replayed(tmp_path: Path):
    file = tmp_path / "session.yaml"
    model = ScriptedModel(["One two three."])
    await Cassette(file, model, mode="record").complete(ask(), live := Heard())
    await Cassette(file).complete(ask(), later := Heard())
    assert live.pieces == later.pieces == ["One ", "two ", "three."]


def test_what_is_no_cassette_is_refused(tmp_path: Path):
    (tmp_path / "x.yaml").write_text("a: [")
    with pytest.raises(UsageError, match=r"x\.yaml is no cassette"):
        Cassette(tmp_path / "x.yaml")
    with pytest.raises(UsageError, match="does not 'rewind'"):
        Cassette(tmp_path / "y.yaml", mode="rewind")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="needs a model to record"):
        Cassette(tmp_path / "y.yaml", mode="record")


def test_replaying_imports_no_litellm(tmp_path: Path):
    file = tmp_path / "session.yaml"
    asyncio.run(Cassette(file, ScriptedModel(["one"]), mode="record").complete(ask()))
    program = f"""
import asyncio, pathlib, sys
from agentflow_dagster.ports.model import Message, ModelRequest
from agentflow_dagster.testing import Cassette
request = ModelRequest((Message("user", "Hello?"),), model="gpt-4o-mini")
print(asyncio.run(Cassette(pathlib.Path({str(file)!r})).complete(request)).text)
heavy = ("litellm", "openai", "uvicorn", "dagster", "langchain")
print([name for name in heavy if name in sys.modules])
"""
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert done.stdout == "one\n[]\n"
