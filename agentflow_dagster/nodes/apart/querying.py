"""Answers a SQL query by DuckDB, which reaches nothing but what it is given: `transform.table`."""

from __future__ import annotations

from typing import Any, cast


def work(
    *,
    sql: str,
    tables: dict[str, object],
    files: dict[str, str],
    rows: bool,
    most: int,
    memory_bytes: int,
) -> dict[str, object]:
    """The rows of the answer: a table, or a list of objects.

    Args:
        sql: One query.
        tables: DataFrames, Series and lists of objects, by the name that the query knows them by.
        files: Files that it may read, by name.
        rows: Whether a list of objects is wanted.
        most: Most rows.
        memory_bytes: Most memory that DuckDB takes for itself.
    """
    import duckdb

    try:
        connection = _opened(tables, files, memory_bytes)
        answer = connection.execute(sql).to_arrow_reader(10_000)
        found = 0
        batches: list[Any] = []
        for batch in answer:
            found += batch.num_rows
            if found > most:
                return {"failure": f"The query gives more than {most:,} rows."}
            batches.append(batch)
    except duckdb.Error as problem:
        return {"failure": f"The query failed: {problem}"}
    import pyarrow as pa

    table = pa.Table.from_batches(batches, schema=answer.schema)
    if len(set(table.column_names)) < len(table.column_names):
        return {"failure": f"Columns of the same name: {', '.join(table.column_names)}."}
    answered = [_plain(row) for row in table.to_pylist()] if rows else _part(table)
    return {"result": {"rows" if rows else "table": answered, "count": found}}


def _opened(tables: dict[str, object], files: dict[str, str], memory_bytes: int) -> Any:
    """A database in memory that holds these, and from then on reaches nothing else."""
    import duckdb

    settings: dict[str, str | bool | int | float | list[str]] = {
        "threads": "1",
        "memory_limit": f"{memory_bytes // 1024**2}MB",
        "autoinstall_known_extensions": "false",
        "autoload_known_extensions": "false",
        "allow_community_extensions": "false",
        "python_enable_replacements": "false",
        "temp_directory": "",
    }
    connection = duckdb.connect(":memory:", config=settings)
    for name, table in tables.items():
        connection.register(name, _frame(table))
    connection.execute("SET allowed_paths = $paths", {"paths": list(files.values())})
    connection.execute("SET enable_external_access = false")
    for name, path in files.items():
        kind = path.rpartition(".")[2].lower().replace("jsonl", "json").replace("tsv", "csv")
        place = path.replace("'", "''")
        connection.execute(f"CREATE VIEW \"{name}\" AS SELECT * FROM read_{kind}('{place}')")  # noqa: S608
    connection.execute("SET lock_configuration = true")
    return connection


def _frame(table: object) -> Any:
    import pyarrow as pa

    if isinstance(table, list):
        rows = cast("list[Any]", table)
        return pa.Table.from_pylist(rows)
    if hasattr(table, "to_frame"):  # a Series, of pandas or polars
        return cast("Any", table).to_frame()
    return table


def _part(table: Any) -> object:
    """The table as it is stored: by way of pandas its types would change."""
    import pyarrow as pa

    from agentflow_dagster.spec.values import TABLE, Part

    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    told = {"rows": table.num_rows, "columns": table.column_names[:50]}
    return Part(TABLE, sink.getvalue().to_pybytes(), told)


def _plain(value: Any) -> Any:
    """JSON of a row: what JSON has no form for is text, as in ISO 8601."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, dict):
        fields = cast("dict[Any, Any]", value)
        return {str(name): _plain(inner) for name, inner in fields.items()}
    if isinstance(value, list):
        items = cast("list[Any]", value)
        return [_plain(inner) for inner in items]
    if type(value).__name__ == "Decimal":
        return float(value)
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
