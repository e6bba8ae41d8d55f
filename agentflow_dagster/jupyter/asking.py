"""What nodes wait for, in a notebook: people are asked in the cell, times pass at once."""

from __future__ import annotations

import getpass
import json
import sys
from datetime import datetime
from typing import TYPE_CHECKING, cast

from agentflow_dagster.errors import RunError, UsageError
from agentflow_dagster.graph.inputs import complete_input
from agentflow_dagster.ports.waits import Answer

if TYPE_CHECKING:
    from agentflow_dagster.jupyter.beside import Beside
    from agentflow_dagster.ports.waits import Asked
    from agentflow_dagster.spec.values import JsonSchema, JsonValue, Value

_YES = frozenset({"y", "yes", "approve"})
_NO = frozenset({"n", "no", "reject"})


class AskedHere:
    """Waits of nodes that run in a kernel.

    Args:
        beside: By which somebody is asked.
    """

    def __init__(self, beside: Beside) -> None:
        self._beside = beside

    async def ask(self, path: str, asked: Asked) -> None:
        """A question is put once its answer is waited for; nothing calls back into a notebook.

        Raises:
            RunError: a service would have to call back.
        """
        if asked.kind == "callback":
            raise RunError(
                f"{path!r} waits for a call from outside, which no notebook gets.",
                hint="Run the agent: %agentflow run.",
                retryable=False,
            )

    async def answer(self, path: str, asked: Asked) -> Answer:
        """What somebody types; of a time, now.

        Raises:
            RunError: nobody can be asked here.
        """
        await self.ask(path, asked)
        if asked.kind == "timer":
            return Answer(datetime.now().astimezone())
        if (shown := asked.subject.get("show")) is not None:
            sys.stdout.write(f"{json.dumps(shown, ensure_ascii=False, indent=2)}\n")
        try:
            decides = asked.kind == "approval"
            value = await (self._decision(asked) if decides else self._form(asked))
        except RunError:
            raise
        except Exception as problem:  # a front end that takes no input
            raise RunError(
                f"{path!r} asks somebody, and nobody can be asked here ({problem}).",
                hint="Run the cell by hand, or let a test say what stands in for it.",
                retryable=False,
            ) from problem
        return Answer(datetime.now().astimezone(), value, getpass.getuser())

    async def _decision(self, asked: Asked) -> Value:
        said = ""
        while said not in _YES | _NO:
            said = (await self._beside.ask(f"{asked.subject['ask']} (yes/no) ")).strip().lower()
        return {"approved": said in _YES}

    async def _form(self, asked: Asked) -> Value:
        """The fields one after the other; again where they do not meet the schema."""
        schema = cast("JsonSchema", asked.subject.get("schema") or {})
        fields = cast("dict[str, JsonSchema]", schema.get("properties") or {})
        sys.stdout.write(f"{asked.subject['ask']}\n")
        while True:
            given: dict[str, JsonValue] = {}
            for name in fields:
                typed = (await self._beside.ask(f"{name}: ")).strip()
                if typed:
                    given[name] = _read(typed, fields[name])
            try:
                return cast("Value", complete_input(schema, given))
            except UsageError as problem:
                sys.stdout.write(f"{problem}\n")


def _read(typed: str, schema: JsonSchema) -> JsonValue:
    """What was typed: a text where a text is wanted, else JSON."""
    if schema.get("type") == "string":
        return typed
    try:
        return json.loads(typed)
    except ValueError:
        return typed
