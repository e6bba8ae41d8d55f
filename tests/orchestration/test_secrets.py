"""A secret that a run works with stands nowhere in what is kept of the run."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
import sqlalchemy as sa

from tests.orchestration.samples import agent

if TYPE_CHECKING:
    from pathlib import Path

    from tests.orchestration.bench import Bench

SECRET = 'tok-Zx9+/="q\\uoted-é'
USES = "secrets: [TOKEN]\n  defaults: {retry: {maxAttempts: 2, backoff: fixed, delay: 1ms}}"


@pytest.fixture
def bench(bench: Bench) -> Bench:
    bench.secrets.given.values["TOKEN"] = SECRET
    return bench


def kept(bench: Bench, artifacts: Path) -> str:
    """Everything in the database and in the artifact folder, as text."""
    engine = sa.create_engine(bench.database_url)
    told: list[str] = []
    with engine.connect() as connection:
        tables = connection.execute(
            sa.text(
                "SELECT table_schema, table_name FROM information_schema.tables "
                "WHERE table_schema IN ('public', 'agentflow') AND table_type = 'BASE TABLE'"
            )
        ).all()
        for schema, name in tables:
            rows = connection.execute(sa.text(f'SELECT t::text FROM "{schema}"."{name}" t'))
            told += [str(row[0]) for row in rows]
    engine.dispose()
    told += [p.read_bytes().decode("utf-8", "replace") for p in artifacts.rglob("*") if p.is_file()]
    return "\n".join(told)


def forms() -> list[str]:
    """The secret as it is, and as programs are likely to write it."""
    data = SECRET.encode()
    return [
        SECRET,
        SECRET.replace("\\", "\\\\").replace('"', '\\"'),
        SECRET[:8],
        quote(SECRET, safe=""),
        base64.b64encode(data).decode(),
        data.hex(),
    ]


NODES = {
    "echoed by a tool": """
    echo: {kind: ai.chat, with: {prompt: "say {{secret.TOKEN}}"}}
    next: {kind: ai.chat, with: {prompt: "{{echo.output.text}}"}}
    """,
    "put out by code": """
    code:
      kind: code.python
      with:
        inputs: {token: "{{secret.TOKEN}}"}
        code: |
          import base64, pandas as pd
          print("the token is", token, base64.b64encode(token.encode()).decode())
          out = {"a": token, token: 1, "b": [token.encode().hex()], "large": token * 10_000}
          frame = pd.DataFrame({"t": [token] * 10_000})
          raw = token.encode() * 10_000
        outputs: [out, frame, raw]
    """,
    "raised by code": """
    code:
      kind: code.python
      with:
        inputs: {token: "{{secret.TOKEN}}"}
        code: |
          print("so far", token)
          raise ValueError(f"bad {token!r} {token}")
    """,
    "raised by code whose errors are handled": """
    code:
      kind: code.python
      onError: {to: rescue}
      with:
        inputs: {token: "{{secret.TOKEN}}"}
        code: raise ValueError(f"bad {token}")
    rescue: {kind: ai.chat, with: {prompt: "{{code.error.message}}"}}
    """,
    "in the address of a call that fails": """
    call: {kind: tool.http, with: {url: "http://127.0.0.1:9/{{secret.TOKEN}}?t={{secret.TOKEN}}"}}
    """,
    "in an address that is none": """
    call: {kind: tool.http, with: {url: "nowhere://{{secret.TOKEN}}"}}
    """,
    "of the wrong type": """
    call: {kind: tool.http, with: {url: "http://127.1", query: "{{dyn({'t': [secret.TOKEN]})}}"}}
    """,
    "in an expression that fails": """
    sum: {kind: ai.chat, with: {prompt: "{{dyn(secret.TOKEN) + dyn(1)}} {{int(secret.TOKEN)}}"}}
    """,
}


@pytest.mark.parametrize("how", NODES)
def test_no_secret_is_kept(bench: Bench, how: str) -> None:
    bench.serve(agent("secretive", NODES[how], more=USES))
    ran = bench.run("secretive")
    assert ran.status in {"SUCCESS", "FAILURE"}
    told = kept(bench, bench.artifacts)
    assert ran.run_id in told
    for form in forms():
        assert form not in told
    assert "***" in told or "raised" not in how


def test_a_model_that_raises_with_a_secret_in_its_message(bench: Bench) -> None:
    def refuse(request: object) -> str:
        raise KeyError(f"{request} has {SECRET}")

    nodes = """
    ask: {kind: ai.chat, with: {prompt: "say {{secret.TOKEN}}"}}
    """
    bench.serve(agent("refused", nodes, more=USES))
    bench.model.answer = refuse
    ran = bench.run("refused")
    assert ran.status == "FAILURE"
    assert "***" in ran.failure("ask").user_failure_data.description
    told = kept(bench, bench.artifacts)
    for form in forms():
        assert form not in told


def test_a_secret_that_is_not_set_fails_the_step(bench: Bench) -> None:
    bench.secrets.given.values.clear()
    nodes = """
    ask: {kind: ai.chat, with: {prompt: "say {{secret.TOKEN}}"}}
    """
    bench.serve(agent("unset", nodes, more=USES))
    ran = bench.run("unset")
    assert ran.status == "FAILURE"
    assert "TOKEN" in ran.failure("ask").user_failure_data.description
    assert bench.model.requests == []
