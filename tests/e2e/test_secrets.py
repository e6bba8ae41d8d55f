"""After runs that use, print, return and raise a secret, nothing that was written holds it."""

from __future__ import annotations

import base64
import json
import threading
import zlib
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, quote_plus

import httpx
import psutil
import pytest
import sqlalchemy as sa

from agentflow_dagster.orchestration.names import LANE_TAG
from agentflow_dagster.testing import Answer, Refusal
from tests.e2e.conftest import ACME_KEY, TRACKER_TOKEN
from tests.support.command import Command
from tests.support.openai_server import Scripted

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from pathlib import Path

    from agentflow_dagster.orchestration.record import RunRecord
    from tests.e2e.conftest import Running

CONTROL = "control-4711"
"""Goes every way that the secret goes; it must be found, or we did not look where things are."""

HANDLED = """
apiVersion: agentflow.io/v1
kind: Agent
metadata: {name: handles-secrets}
spec:
  secrets: [TRACKER_TOKEN]
  env: [TRACKER]
  defaults: {retry: {maxAttempts: 2, backoff: fixed, delay: 1ms}}
  nodes:
    call:
      kind: tool.http
      with:
        method: POST
        url: "{{env.TRACKER}}/issues"
        headers: {authorization: "Bearer {{secret.TRACKER_TOKEN}}"}
        json: {title: control-4711, copy: "{{secret.TRACKER_TOKEN}}"}
    tell:
      kind: code.python
      with:
        inputs: {secret: "{{secret.TRACKER_TOKEN}}", again: "copy: {{secret.TRACKER_TOKEN}}!"}
        outputs: [forms, keys, raw, table, large, nested]
        code: |
          import base64, json, sys
          from urllib.parse import quote, quote_plus
          import pandas
          def all_forms(text):
              data = text.encode()
              yield from [text, quote(text), quote(text, safe=""), quote_plus(text), data.hex()]
              yield from [json.dumps(text), json.dumps(json.dumps(text)), data.hex().upper()]
              for before in range(3):
                  padded = b"?" * before + data + b"?"
                  yield base64.b64encode(padded).decode()
                  yield base64.urlsafe_b64encode(padded).decode()
          forms = [*all_forms("control-4711"), *all_forms(secret)]
          keys = {form: len(form) for form in forms}
          raw = b"control-4711 " + secret.encode() + b"\\0" + again.encode()
          table = pandas.DataFrame({secret: forms, "control-4711": forms})
          large = ["control-4711", secret, again] * 4000
          nested = {"deep": [{"deeper": json.dumps({"s": secret, "c": "control-4711"})}]}
          for form in forms:
              print("printed", form)
              print("to stderr", form, file=sys.stderr)
    fails:
      kind: code.python
      after: [tell]
      onError: {to: after_error}
      with:
        inputs: {secret: "{{secret.TRACKER_TOKEN}}"}
        code: |
          print("before the end control-4711", secret)
          try:
              raise KeyError(secret)
          except KeyError as problem:
              raise ValueError(f"control-4711 {secret!r} {secret}") from problem
    after_error:
      kind: code.python
      with:
        inputs: {told: "{{fails.error.message}}"}
        outputs: [told]
        code: "pass"
  outputs: {forms: "{{tell.output.forms}}"}
"""

FAILS = """
apiVersion: agentflow.io/v1
kind: Agent
metadata: {name: fails-with-secrets}
spec:
  inputs: {type: object, required: [url], properties: {url: {type: string}}}
  secrets: [TRACKER_TOKEN]
  nodes:
    call:
      kind: tool.http
      with:
        method: POST
        url: "{{input.url}}/control-4711"
        query: {token: "{{secret.TRACKER_TOKEN}}"}
        headers: {authorization: "Bearer {{secret.TRACKER_TOKEN}}"}
        body: "{{secret.TRACKER_TOKEN}}"
"""

RAISES = """
apiVersion: agentflow.io/v1
kind: Agent
metadata: {name: raises-secrets}
spec:
  secrets: [TRACKER_TOKEN]
  nodes:
    fails:
      kind: code.python
      with:
        inputs: {secret: "{{secret.TRACKER_TOKEN}}"}
        code: |
          print("control-4711", secret)
          assert secret == "control-4711", secret
"""


ASKS = """
apiVersion: agentflow.io/v1
kind: Agent
metadata: {name: asks-a-model}
spec:
  nodes:
    ask: {kind: ai.chat, llm: {model: gpt-4o-mini}, with: {prompt: control-4711}}
"""

ASKS_WITH_A_KEY_OF_THE_VAULT = """
apiVersion: agentflow.io/v1
kind: Agent
metadata: {name: asks-with-a-key-of-the-vault}
spec:
  nodes:
    ask: {kind: ai.chat, llm: {model: acme/one, maxTokens: 100}, with: {prompt: control-4711}}
"""


class Echo(BaseHTTPRequestHandler):
    """Refuses every call, with all that it was sent in the answer."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"])).decode()
        told = json.dumps({"path": self.path, "headers": dict(self.headers), "body": body}).encode()
        self.send_response(403, "control-4711")
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(told)))
        self.end_headers()
        self.wfile.write(told)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Says nothing."""


@contextmanager
def echo_server() -> Generator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def forms(secret: str) -> set[str]:
    """Every spelling in which a reader could take the secret out again."""
    data = secret.encode()
    found = {secret, quote(secret), quote(secret, safe=""), quote_plus(secret), data.hex()}
    found |= {form.lower() for form in found} | {json.dumps(secret)[1:-1]}
    for before in range(3):
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            # Without the characters that depend on the neighbours.
            whole = encode(b"?" * before + data + b"?").decode()
            found.add(whole[-(-before * 8 // 6) : (before + len(data)) * 8 // 6])
    return found


def unescaped(text: str) -> Iterator[str]:
    """The text, and what it is as JSON within JSON within JSON."""
    for _ in range(5):
        yield text
        text = text.replace('\\"', '"').replace("\\\\", "\\")


def holds(text: str, wanted: set[str]) -> bool:
    return any(form in layer for layer in unescaped(text) for form in (*wanted,)) or any(
        form in text.lower() for form in wanted if form == form.lower()
    )


def texts(value: Any) -> Iterator[str]:
    """A value of a database's row, in every way it can be read."""
    match value:
        case None:
            return
        case memoryview() | bytes():
            data = bytes(value)
            yield data.decode("latin-1")
            yield data.decode("utf-16-le", "replace")
            try:
                yield zlib.decompress(data).decode("utf-8", "replace")
            except zlib.error:
                return
        case dict() | list():
            yield json.dumps(value, ensure_ascii=False)
        case _:
            yield str(value)


def database(url: str) -> Iterator[tuple[str, str]]:
    """Every value of every row of every table, with the table's and the column's name."""
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    with engine.connect() as connection:
        tables = connection.execute(
            sa.text(
                "SELECT table_schema, table_name FROM information_schema.tables "
                "WHERE table_type = 'BASE TABLE' "
                "AND table_schema NOT IN ('pg_catalog', 'information_schema')"
            )
        ).all()
        assert {"event_logs", "runs", "step_outputs", "inbox"} <= {t.table_name for t in tables}
        for schema, table in tables:
            for row in connection.execute(
                sa.text(f'SELECT * FROM "{schema}"."{table}"')
            ).mappings():
                for column, value in row.items():
                    for text in texts(value):
                        yield f"{table}.{column}", text


def files(home: Path) -> Iterator[tuple[str, str]]:
    for path in home.rglob("*"):
        if path.is_file() and path.name != "token":
            for text in texts(path.read_bytes()):
                yield str(path.relative_to(home)), text


def events(running: Running, run_id: str) -> Iterator[tuple[str, str]]:
    """What Dagster's UI shows of a run."""
    query = """
    query Events($id: ID!) {
      logsForRun(runId: $id, limit: 1000) {
        ... on EventConnection {
          events {
            ... on MessageEvent { message }
            ... on ExecutionStepFailureEvent {
              error { message stack errorChain { error { message stack } } }
              failureMetadata { description metadataEntries { label ...entry } }
            }
            ... on MaterializationEvent {
              metadataEntries { label ...entry }
            }
          }
        }
      }
    }
    fragment entry on MetadataEntry {
      ... on TextMetadataEntry { text }
      ... on MarkdownMetadataEntry { mdStr }
      ... on JsonMetadataEntry { jsonString }
    }"""
    answer = httpx.post(
        f"{running.platform.client.url}/graphql",
        json={"query": query, "variables": {"id": run_id}},
        timeout=60,
    )
    assert "errors" not in answer.json(), answer.text
    yield "GraphQL", answer.text


@pytest.fixture(scope="module")
def records(running: Running) -> Generator[list[RunRecord]]:
    """A run that ends well, one whose call is refused, one whose code raises, one whose model's
    provider quotes its key."""
    folder = running.project.root / "notebooks"
    agents = {"handles": HANDLED, "fails": FAILS, "raises": RAISES, "asks": ASKS}
    for name, text in agents.items():
        (folder / f"{name}.agent.yaml").write_text(text)
    plans = running.deploy(*(f"{name}.agent.yaml" for name in agents))
    key = running.project.variables["OPENAI_API_KEY"]
    running.models.replies = [
        Scripted(status=400, text=f"control-4711: bad key {key} ({key[:9]}…)")
    ]
    with echo_server() as url:
        runs = [
            running.launch(p, {"url": url} if "url" in str(p.agent.spec.inputs) else {})
            for p in plans
        ]
        # What runs with a process of their own print is kept, too.
        plans.append(plans[0])
        runs.append(running.launch(plans[0], {"url": url}, **{LANE_TAG: "warm"}))
        done = [running.finish(plan, run) for plan, run in zip(plans, runs, strict=True)]
    running.models.replies = [Scripted()]
    yield done
    for name in agents:
        (folder / f"{name}.agent.yaml").unlink()


def test_the_runs_went_as_they_were_meant_to(running: Running, records: list[RunRecord]) -> None:
    assert [r.status for r in records] == ["SUCCESS", "FAILURE", "FAILURE", "FAILURE", "SUCCESS"]
    assert {n.name: n.status for n in records[0].nodes}["fails"] == "HANDLED_ERROR"
    # The tool got the real one, and only what is written down is masked.
    copies = [issue["copy"] for issue in running.tracker.issues if "copy" in issue]
    assert copies[-1] == TRACKER_TOKEN
    assert "answered 403" in records[1].nodes[0].error
    assert "AssertionError" in records[2].nodes[0].error
    assert "control-4711" in records[3].nodes[0].error


@pytest.fixture(scope="module")
def asked(running: Running) -> Generator[list[RunRecord]]:
    """Runs of both lanes whose provider answers, and then quotes the key that it was given."""
    file = running.project.root / "notebooks" / "vault.agent.yaml"
    file.write_text(ASKS_WITH_A_KEY_OF_THE_VAULT)
    (plan,) = running.deploy(file.name)
    quoting = Refusal(400, message=f"control-4711: bad key {ACME_KEY} ({ACME_KEY[:9]}…)")
    done: list[RunRecord] = []
    for lane in ({}, {LANE_TAG: "warm"}):
        for reply in (Answer("Well."), quoting):
            running.acme.answer_with([reply], forget=not done)
            done.append(running.run(plan, {}, **lane))
    yield done
    file.unlink()


def test_keys_come_from_the_projects_own_secrets(running: Running, asked: list[RunRecord]) -> None:
    assert [r.status for r in asked] == ["SUCCESS", "FAILURE"] * 2
    assert "control-4711" in asked[1].nodes[0].error
    assert "control-4711" in asked[3].nodes[0].error
    keys = {call.headers["authorization"] for call in running.acme.received}
    assert keys == {f"Bearer {ACME_KEY}"}


@pytest.mark.usefixtures("asked")
def test_they_are_in_no_environment(running: Running) -> None:
    processes = Command(running.project.root).living()
    assert len(processes) > 5
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            held = "\n".join(process.environ().values())
            assert ACME_KEY not in held
            assert TRACKER_TOKEN not in held


def test_no_secret_is_in_what_runs_wrote(
    running: Running, records: list[RunRecord], asked: list[RunRecord]
) -> None:
    secret, control = forms(TRACKER_TOKEN), {CONTROL}
    secret |= forms(running.project.variables["OPENAI_API_KEY"]) | forms(ACME_KEY)
    url = running.project.variables["AGENTFLOW_DATABASE_URL"]
    leaks: set[str] = set()
    seen: set[str] = set()
    places = [*database(url), *files(running.project.home)]
    places += [place for r in (*records, *asked) for place in events(running, r.run_id)]
    places += [("record", json.dumps(r.to_json(), ensure_ascii=False)) for r in (*records, *asked)]
    for place, text in places:
        if holds(text, control):
            seen.add(place)
        if holds(text, secret):
            leaks.add(place)
    assert leaks == set()
    assert {"event_logs.event", "step_outputs.body", "step_parts.data", "GraphQL"} <= seen
    assert any(place.startswith("artifacts/") for place in seen), seen
    assert any(place.startswith("logs/") for place in seen), seen


def test_the_search_finds_what_it_is_to_find() -> None:
    data = TRACKER_TOKEN.encode()
    for text in (
        f"x{TRACKER_TOKEN}x",
        json.dumps(json.dumps({"a": TRACKER_TOKEN})),
        quote(TRACKER_TOKEN),
        quote_plus(TRACKER_TOKEN).lower(),
        f"x{data.hex().upper()}x",
        *(base64.b64encode(b"?" * n + data + b"??").decode() for n in range(4)),
        *(base64.urlsafe_b64encode(b"?" * n + data).decode() for n in range(4)),
    ):
        assert holds(text, forms(TRACKER_TOKEN)), text
