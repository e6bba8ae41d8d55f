"""`transform.table`: a SQL query over tables, lists of objects, and files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, Field, StringConstraints, model_validator

from agentflow_dagster.errors import RunError
from agentflow_dagster.nodes.apart import USUAL_MEMORY, done_apart
from agentflow_dagster.ports.kind import Kind, NodeContext, NodeResult
from agentflow_dagster.spec.kind import KindConfig
from agentflow_dagster.spec.values import TABLE

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from agentflow_dagster.spec.kind import RawConfig
    from agentflow_dagster.spec.values import JsonSchema, Value

_READ = frozenset({".csv", ".tsv", ".json", ".jsonl", ".parquet"})
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]*$", max_length=63)]


def _query(sql: str) -> str:
    import duckdb

    try:
        statements = duckdb.extract_statements(sql)
    except duckdb.Error as problem:
        raise ValueError(f"not SQL: {' '.join(str(problem).split())}") from None
    if [statement.type for statement in statements] != [duckdb.StatementType.SELECT]:
        raise ValueError("one query is needed: SELECT …, WITH … or FROM …")
    return sql


class TableConfig(KindConfig):
    """The query, and what it is asked of."""

    sql: Annotated[str, AfterValidator(_query)] = Field(
        min_length=1,
        max_length=100_000,
        description=(
            "One query in DuckDB's SQL. It is taken as it stands: values come in by `inputs`."
        ),
    )
    inputs: dict[Name, Any] = Field(
        default_factory=dict[str, Any],
        max_length=100,
        description="What the query knows by name: tables, or lists of objects.",
    )
    files: dict[Name, str] = Field(
        default_factory=dict[str, str],
        max_length=100,
        description="Files of the data folder, by name: CSV, TSV, JSON, JSONL or Parquet.",
    )
    as_: Literal["table", "rows"] = Field(
        default="table",
        alias="as",
        description="A table, as `code.python` gives a DataFrame; or a list of objects.",
    )
    max_rows: int = Field(
        default=100_000, ge=1, le=10_000_000, description="Most rows; more is an error."
    )

    @model_validator(mode="after")
    def _named_once(self) -> TableConfig:
        if both := self.inputs.keys() & self.files.keys():
            raise ValueError(f"{min(both)!r} is named under `inputs` and under `files`")
        return self


class Table(Kind[TableConfig]):
    """Gives `{table, count}`, or `{rows, count}`.

    DuckDB runs apart from this process and reaches nothing but its inputs and the named files.
    """

    name = "transform.table"
    summary = "Asks a SQL query of tables, lists of objects and files."
    example = """\
totals:
  kind: transform.table
  with:
    inputs: {orders: "{{input.orders}}"}
    sql: SELECT customer, sum(price) AS total FROM orders GROUP BY customer ORDER BY total DESC
    as: rows
"""
    config = TableConfig
    uses = frozenset({"memory"})
    fixed = frozenset({"as"})
    programs = frozenset({"sql"})

    def output_schema(self, config: RawConfig, upstream: Mapping[str, JsonSchema]) -> JsonSchema:
        if config.get("as") == "rows":
            name, schema = "rows", {"type": "array", "items": {"type": "object"}}
        else:
            name, schema = "table", {"contentMediaType": TABLE}
        return {
            "type": "object",
            "properties": {name: schema, "count": {"type": "integer", "minimum": 0}},
            "required": [name, "count"],
            "additionalProperties": False,
        }

    async def run(self, context: NodeContext, config: TableConfig) -> NodeResult:
        memory = context.memory_bytes or USUAL_MEMORY
        given: dict[str, Value] = {
            "sql": config.sql,
            "tables": dict(config.inputs),
            "files": {name: str(_file(context, path)) for name, path in config.files.items()},
            "rows": config.as_ == "rows",
            "most": config.max_rows,
            # What it holds itself, beside its inputs and its answer.
            "memory_bytes": max(64 * 1024**2, memory // 2),
        }
        hint = "Correct `sql`, or what it is asked of."
        return NodeResult(await done_apart(context, "querying", given, hint=hint))


def _file(context: NodeContext, path: str) -> Path:
    """The file that a path names under the data folder, links followed.

    Raises:
        RunError: it leads elsewhere, or is of no kind that can be read.
    """
    if context.data is None:
        raise RunError(
            f"{context.node!r} reads {path!r}, and no data folder is set.",
            retryable=False,
        )
    folder = context.data.resolve()
    found = (folder / path).resolve()
    if not found.is_relative_to(folder) or not found.is_file():
        raise RunError(
            f"There is no file {path!r} in the data folder.",
            hint="Give its path under the project's data folder, such as orders.csv.",
            retryable=False,
        )
    if found.suffix.lower() not in _READ:
        raise RunError(
            f"{path!r} cannot be read as a table.",
            hint=f"These can: {', '.join(sorted(_READ))}.",
            retryable=False,
        )
    return found
