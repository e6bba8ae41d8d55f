"""`transform.table`, with the real child process: what a query may ask, what it never reaches."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import pandas as pd
import pytest

from agentflow_dagster.errors import CodeError, RunError
from agentflow_dagster.nodes.transform_table import Table, TableConfig
from agentflow_dagster.sandbox import ChildProcess
from agentflow_dagster.spec.values import TABLE, Part, pack, unpack
from tests.support.contexts import context
from tests.support.documents import codes, minimal, plan

if TYPE_CHECKING:
    from pathlib import Path

    from agentflow_dagster.spec.values import JsonObject

ORDERS = [{"who": "a", "price": 1.5}, {"who": "b", "price": 2.0}, {"who": "a", "price": 3.0}]
TICKETS = {"t": "tickets.jsonl"}
TOTALS = "SELECT who, sum(price) AS total FROM orders GROUP BY who ORDER BY who"


async def asked(
    sql: str,
    folder: Path | None = None,
    *,
    seconds: float = 30.0,
    memory: int | None = None,
    **config: Any,
) -> dict[str, Any]:
    base = context(code=ChildProcess(), timeout=seconds)
    given = replace(base, data=folder, memory_bytes=memory)
    done = await Table().run(
        given, TableConfig.model_validate({"sql": sql, **config}, by_name=True)
    )
    return cast("dict[str, Any]", done.output)


async def test_lists_and_tables_come_in_and_a_table_goes_out() -> None:
    names = pack(pd.DataFrame({"who": ["a", "b"], "name": ["Ann", "Bob"]}))
    sql = f"SELECT name, total FROM ({TOTALS}) JOIN names USING (who) ORDER BY name"
    given = await asked(sql, inputs={"orders": ORDERS, "names": names})
    assert given["count"] == 2
    table = given["table"]
    assert isinstance(table, Part)
    assert (table.media_type, table.summary) == (TABLE, {"rows": 2, "columns": ["name", "total"]})
    frame: Any = unpack(table)
    assert frame.to_dict("records") == [
        {"name": "Ann", "total": 4.5},
        {"name": "Bob", "total": 2.0},
    ]


async def test_rows_are_json() -> None:
    sql = "SELECT DATE '2026-01-02' AS d, 1.50::DECIMAL(5,2) AS n, NULL AS x, [1, 2] AS l"
    given = await asked(sql, as_="rows")
    assert given == {"rows": [{"d": "2026-01-02", "n": 1.5, "x": None, "l": [1, 2]}], "count": 1}


async def test_a_table_without_rows_has_its_columns() -> None:
    given = await asked("FROM orders WHERE false", inputs={"orders": ORDERS})
    assert given["table"].summary == {"rows": 0, "columns": ["who", "price"]}


async def test_files_of_the_data_folder(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "it's.csv").write_text("a,b\n1,x\n2,y\n")
    (tmp_path / "l.jsonl").write_text('{"a": 2, "c": true}\n')
    sql = "SELECT b, c FROM one JOIN two USING (a)"
    files = {"one": "sub/it's.csv", "two": "l.jsonl"}
    given = await asked(sql, tmp_path, files=files, as_="rows")
    assert given["rows"] == [{"b": "y", "c": True}]


@pytest.mark.parametrize("path", ["../out.csv", "missing.csv", "link.csv", "/etc/passwd", "."])
async def test_files_elsewhere_are_not_read(tmp_path: Path, path: str) -> None:
    folder = tmp_path / "data"
    folder.mkdir()
    (tmp_path / "out.csv").write_text("a\n1\n")
    (folder / "link.csv").symlink_to(tmp_path / "out.csv")
    with pytest.raises(RunError, match="There is no file"):
        await asked("FROM f", folder, files={"f": path})
    with pytest.raises(RunError, match="no data folder"):
        await asked("FROM f", files={"f": path})


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM read_text('/etc/passwd')",
        "SELECT * FROM '{out}'",
        "SELECT * FROM read_csv('{out}')",
        "SELECT * FROM glob('/etc/*')",
        "SELECT * FROM 'https://example.org/x.parquet'",
        "SELECT * FROM frame",
    ],
)
async def test_a_query_reaches_nothing_else(tmp_path: Path, sql: str) -> None:
    out = tmp_path / "out.csv"
    out.write_text("a\n1\n")
    with pytest.raises(RunError, match="The query failed"):
        await asked(sql.replace("{out}", str(out)))


async def test_it_is_bounded() -> None:
    with pytest.raises(RunError, match="more than 10 rows"):
        await asked("FROM range(11)", maxRows=10)
    with pytest.raises(CodeError, match="limit of 1 s"):
        await asked("SELECT count(*) FROM range(10000000) a, range(10000000) b", seconds=1.0)
    with pytest.raises((RunError, CodeError)):
        await asked("SELECT list(a.range) FROM range(100000000) a", memory=128 * 1024**2)


@pytest.mark.parametrize(
    "sql",
    ["SELEC 1", "SELECT 1; SELECT 2", "DROP TABLE x", "INSTALL httpfs", "SET threads = 8", ""],
)
def test_one_query_is_taken(sql: str) -> None:
    assert codes(minimal({"t": {"kind": "transform.table", "with": {"sql": sql}}})) == ["AF112"]


def test_a_name_stands_for_one_thing() -> None:
    config: JsonObject = {"sql": "FROM a", "inputs": {"a": []}, "files": {"a": "a.csv"}}
    assert codes(minimal({"t": {"kind": "transform.table", "with": config}})) == ["AF112"]


def test_what_it_puts_out_is_known() -> None:
    config: JsonObject = {"sql": "SELECT 1", "as": "rows"}
    nodes: JsonObject = {"t": {"kind": "transform.table", "with": config}}
    assert plan(minimal(nodes)).step("t").output_schema["properties"]["count"]["type"] == "integer"
    assert codes(minimal(nodes, outputs={"x": "{{t.output.table}}"})) == ["AF203"]
    assert codes(minimal(nodes, outputs={"x": "{{t.output.rows[0]}}"})) == []


async def test_the_projects_data_folder_is_there_to_be_read() -> None:
    from resources.code import CodeResource

    given = await asked(
        "SELECT count(*) AS n FROM t", CodeResource().data(), files=TICKETS, as_="rows"
    )
    assert given["rows"][0]["n"] > 10
