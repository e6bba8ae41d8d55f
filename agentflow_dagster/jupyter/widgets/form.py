"""The input of a run as a form, made of the agent's JSON Schema."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, cast

import traitlets

from agentflow_dagster.jupyter.form import form_fields, read_form
from agentflow_dagster.jupyter.tables import Table
from agentflow_dagster.jupyter.widgets.base import JsonList, NotebookWidget

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from agentflow_dagster.spec.values import JsonObject, JsonSchema

_COLUMNS = ("input", "type", "value", "")


class RunForm(NotebookWidget):
    """Asks for a run's input, and says at each field what is wrong with it.

    Args:
        title: What it runs.
        schema: JSON Schema of the input.
        run: Told the input, once it meets the schema, by whoever presses Run.
        cancel: Told that Cancel was pressed; only while `busy` is set.
        given: Values to begin with, in place of the defaults.
    """

    part: ClassVar[str] = "form"

    title = traitlets.Unicode().tag(sync=True)
    fields = JsonList().tag(sync=True)
    problems = traitlets.Dict().tag(sync=True)
    busy = traitlets.Bool(default_value=False).tag(sync=True)
    saying = traitlets.Unicode().tag(sync=True)

    def __init__(
        self,
        title: str,
        schema: JsonSchema,
        *,
        run: Callable[[JsonObject], None],
        cancel: Callable[[], None],
        given: JsonObject | None = None,
    ) -> None:
        self._schema = schema
        self._run = run
        self._cancel = cancel
        self._fields = form_fields(schema, given)
        super().__init__(title=title, fields=[one.to_json() for one in self._fields])

    def submit(self, typed: Mapping[str, str]) -> bool:
        """What pressing Run does; whether the input was in order.

        Args:
            typed: Texts by field.
        """
        if self.busy:
            return False
        input_, problems = read_form(self._schema, typed)
        self.problems = problems
        if input_ is None:
            return False
        self._run(input_)
        return True

    def asked(self, content: JsonObject) -> None:
        if content.get("do") == "run":
            self.submit(cast("dict[str, str]", content["typed"]))
        elif content.get("do") == "cancel" and self.busy:
            self._cancel()

    def as_text(self) -> str:
        return self._table().as_text()

    def as_picture(self) -> Mapping[str, str]:
        return {"text/html": self._table().as_html()}

    def _table(self) -> Table:
        return Table(
            f"Input of {self.title}", _COLUMNS, self._rows(), self._told(), "It takes no input."
        )

    def _told(self) -> str:
        """What is wrong, a line for each field."""
        problems = cast("dict[str, str]", self.problems)
        return "\n".join(f"{name}: {said}" if name else said for name, said in problems.items())

    def _rows(self) -> list[list[str]]:
        return [
            [one.name + (" *" if one.required else ""), one.kind, one.initial, one.description]
            for one in self._fields
        ]
