"""What a project's rules name is in nothing that Dagster shows, and in all that nodes work with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from agentflow_dagster.engine.redaction_rules import BUILT_IN, Rule, Rules
from tests.orchestration import lane
from tests.orchestration.samples import agent

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.orchestration.bench import Bench, Ran

CLEAR = ("joe@example.com", "4111 1111 1111 1111", "CASE-77")
SAID = "; ".join(CLEAR)
NODES = """
    ask: {kind: ai.chat, with: {prompt: Whom do we owe?}}
    again: {kind: ai.chat, with: {prompt: "{{ask.output.text}}"}}
    code:
      kind: code.python
      with:
        inputs: {said: "{{ask.output.text}}"}
        outputs: [frame, names, long]
        code: |
          import pandas as pd
          print("so far", said)
          frame = pd.DataFrame({said: [said], "padded": ["x" * 50 + " " + said]})
          names = {said: said, "nested": ["\\\\" + said.replace("@", "\\\\u0040")]}
          long = ["x" * 1_880, said]
    judged:
      kind: transform.validate
      onError: {to: told}
      with:
        value: "{{code.output.frame}}"
        expectations: [{type: expect_column_values_to_be_null, kwargs: {column: padded}}]
    told: {kind: ai.chat, with: {prompt: "{{judged.error.message}}"}}
    fails:
      kind: code.python
      with:
        inputs: {said: "{{ask.output.text}}"}
        code: |
          print("before", said)
          raise ValueError(f"bad {said}")
"""


def shown(bench: Bench, run_id: str) -> str:
    """All that Dagster keeps of what happened in a run."""
    engine = sa.create_engine(bench.database_url)
    with engine.connect() as connection:
        rows = connection.execute(
            sa.text("SELECT event FROM event_logs WHERE run_id = :run"), {"run": run_id}
        ).all()
    engine.dispose()
    return "\n".join(str(row[0]) for row in rows)


@pytest.mark.parametrize("run", [type(None), lane.run], ids=["process", "engine"])
def test_what_rules_name_is_not_shown(bench: Bench, run: Callable[..., Ran]) -> None:
    asked: list[str] = []

    def answer(request: object) -> str:
        asked.append(str(request.messages[-1].content))  # type: ignore[attr-defined]
        return SAID

    bench.model.answer = answer
    bench.serve(agent("shows", NODES))

    def carried_out() -> Ran:
        asked.clear()
        return bench.run("shows") if run is type(None) else run(bench, "shows")

    told = shown(bench, carried_out().run_id)
    for clear in CLEAR:
        assert clear in told  # Otherwise we do not look where it would be.
    bench.model.rules = Rules((*(Rule(name) for name in BUILT_IN), Rule("case", r"CASE-\d+")))
    bench.serve(agent("shows", NODES))  # With resources that have the rules.
    ran = carried_out()
    assert ran.status == "FAILURE"
    told = shown(bench, ran.run_id)
    for clear in (*CLEAR, "joe", "4111", "example.com"):
        assert clear not in told
    for mask in ("[email]", "[card]", "[case]"):
        assert mask in told
    # Nodes computed with what was said, and their outputs have it.
    assert SAID in asked
    assert ran.values["ask"].value == {"text": SAID}
    assert "so far" in told
    assert "before" in told
