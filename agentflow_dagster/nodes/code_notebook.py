"""`code.notebook`: a whole notebook, run with parameters in a kernel of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, cast

from pydantic import AfterValidator, Field, JsonValue, StringConstraints

from agentflow_dagster.errors import NotebookFailed
from agentflow_dagster.graph.inputs import misfit
from agentflow_dagster.graph.partitions import by_parameter
from agentflow_dagster.nodes.schema_field import SchemaField
from agentflow_dagster.ports.kind import Kind, NodeContext, NodeResult
from agentflow_dagster.ports.notebooks import NotebookRequest
from agentflow_dagster.spec.kind import KindConfig
from agentflow_dagster.spec.values import BYTES, Part, split

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agentflow_dagster.ports.notebooks import NotebookResult
    from agentflow_dagster.spec.kind import RawConfig
    from agentflow_dagster.spec.values import JsonSchema, Value

EXECUTED = "notebook"
"""The field of the output that holds the notebook as it was executed."""


def _free(name: str) -> str:
    if name == EXECUTED:
        raise ValueError(f"{name!r} is the executed notebook; give the variable another name")
    return name


Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=255)]
OutputName = Annotated[Name, AfterValidator(_free)]
NotebookPath = Annotated[
    str, StringConstraints(pattern=r"^[\w][\w .-]*(/[\w][\w .-]*)*\.ipynb$", max_length=255)
]


class NotebookConfig(KindConfig):
    """Which notebook, what it is given and what it must leave."""

    notebook: NotebookPath = Field(description="Its path below the folder `notebooks`.")
    parameters: dict[Name, JsonValue] = Field(
        default_factory=dict[str, Any],
        description="What its cell tagged `parameters` is overridden with. Of a partitioned agent, "
        "its parameters `partition_key`, `partition_start`, `partition_end` and `partition_keys` "
        "have the run's, unless they stand here.",
    )
    outputs: tuple[OutputName, ...] | dict[OutputName, SchemaField] = Field(
        default=(),
        description="Names that it glues, or leaves defined; a mapping gives each its JSON Schema. "
        "Without them, all that it glues.",
    )
    kernel: Annotated[str, StringConstraints(pattern=r"^[\w.-]+$", max_length=100)] = Field(
        default="python3",
        description="The kernel's name. Only `python3` is ready before it is asked for.",
    )


class Notebook(Kind[NotebookConfig]):
    """Gives an object with the names of `outputs`, and `notebook`: the notebook as executed."""

    name = "code.notebook"
    summary = "Runs a notebook with parameters."
    example = """\
report:
  kind: code.notebook
  with:
    notebook: invoice_check.ipynb
    parameters: {limit: 500}
    outputs: {total: {type: number}}
  timeout: 5m
"""
    config = NotebookConfig
    uses = frozenset({"memory"})
    fixed = frozenset({"notebook", "outputs"})

    def output_schema(self, config: RawConfig, upstream: Mapping[str, JsonSchema]) -> JsonSchema:
        named = config.get("outputs")
        known: dict[str, JsonSchema] = {}
        if isinstance(named, dict):
            known = cast("dict[str, JsonSchema]", named)
        elif isinstance(named, list):
            known = {str(name): {} for name in named}
        if not known:  # What it glues is known once it has run.
            return {}
        known = {**known, EXECUTED: {}}
        return {"type": "object", "properties": known, "required": list(known)}

    async def run(self, context: NodeContext, config: NotebookConfig) -> NodeResult:
        request = NotebookRequest(
            notebook=config.notebook,
            name=f"{context.run_id}/notebooks/{_file_name(context)}",
            parameters=config.parameters,
            offered=by_parameter(context.partition),
            outputs=tuple(config.outputs),
            kernel=config.kernel,
            timeout=context.timeout,
            redacted=context.redacted,
            shown=context.shown,
            tell=context.tell,
            **({"memory_bytes": context.memory_bytes} if context.memory_bytes else {}),
        )
        done = await context.notebooks.run(request)
        _require_types(config, done)
        executed = Part(BYTES, done.executed, {"bytes": len(done.executed)})
        output: dict[str, Value] = {**done.outputs, EXECUTED: executed}
        return NodeResult(output, notebook=done.path)


def _file_name(context: NodeContext) -> str:
    """The step's path and attempt, as a file may be called: `each.3.draft-1`."""
    path = context.path.replace("[", ".").replace("]", "")
    return f"{path}-{context.attempt}"


def _require_types(config: NotebookConfig, done: NotebookResult) -> None:
    """Refuses values that are not of the types that the node declares, and the one name that is
    taken."""
    wrong = ""
    if EXECUTED in done.outputs:
        wrong = f"glues {EXECUTED!r}, which is the executed notebook itself: use another name"
    elif isinstance(config.outputs, dict):
        given = {n: split(v)[0] for n, v in done.outputs.items()}
        schema: JsonSchema = {"type": "object", "properties": dict(config.outputs)}
        wrong = misfit(schema, given)
        wrong = f"leaves what is not of its type: {wrong}" if wrong else ""
    if wrong:
        raise NotebookFailed(f"{config.notebook} {wrong}.", notebook=done.path, retryable=False)
