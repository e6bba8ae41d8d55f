"""Where PostgreSQL's step store puts what: rows up to 64 KiB, files above."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from agentflow_dagster.errors import StoreError
from agentflow_dagster.ports.stores import StepOutput
from agentflow_dagster.spec.values import BYTES, Part
from agentflow_dagster.stores.artifacts import ArtifactFolder
from agentflow_dagster.stores.engine import create_engine, transaction
from agentflow_dagster.stores.steps import INLINE, PostgresStepStore
from agentflow_dagster.stores.tables import step_outputs

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    import sqlalchemy as sa

    from agentflow_dagster.spec.values import Value


@pytest.fixture
def engine(database_url: str) -> Generator[sa.Engine]:
    engine = create_engine(database_url)
    yield engine
    engine.dispose()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "artifacts"


@pytest.fixture
def steps(engine: sa.Engine, root: Path) -> PostgresStepStore:
    return PostgresStepStore(engine, ArtifactFolder(root))


def files(root: Path) -> list[Path]:
    return [path for path in root.rglob("*") if path.is_file()]


@pytest.mark.parametrize(
    ("value", "spilled"),
    [
        ("x" * (INLINE - 2), 0),  # two bytes are the quotation marks
        ("x" * (INLINE - 1), 1),
        ("ü" * (INLINE // 2 - 1), 0),
        ("ü" * (INLINE // 2), 1),
        (Part(BYTES, b"x" * INLINE), 0),
        (Part(BYTES, b"x" * (INLINE + 1)), 1),
        (["x" * INLINE, Part(BYTES, b"x" * (INLINE + 1))], 2),
    ],
)
def test_spills_above_64_kib(
    steps: PostgresStepStore, root: Path, value: Value, spilled: int
) -> None:
    steps.put("run", "draft", StepOutput("result", value))
    assert len(files(root)) == spilled
    assert steps.get("run", "draft") == StepOutput("result", value)


def test_file_is_there_before_the_row(engine: sa.Engine, root: Path) -> None:
    root.parent.mkdir(exist_ok=True)
    root.write_text("in the way")
    steps = PostgresStepStore(engine, ArtifactFolder(root))
    with pytest.raises(StoreError, match="cannot be written"):
        steps.put("run", "draft", StepOutput("result", "x" * 100_000))
    assert steps.get("run", "draft") is None


@pytest.mark.parametrize("value", ["x" * 100_000, Part(BYTES, b"x" * 100_000)])
def test_damaged_file_is_told(steps: PostgresStepStore, root: Path, value: Value) -> None:
    steps.put("run", "draft", StepOutput("result", value))
    (file,) = files(root)
    file.write_bytes(file.read_bytes().replace(b"x", b"y", 1))
    with pytest.raises(StoreError, match="is damaged"):
        steps.get("run", "draft")


def test_facts_that_are_not_json_are_refused(steps: PostgresStepStore) -> None:
    with pytest.raises(StoreError, match="not JSON compliant"):
        steps.put("run", "draft", StepOutput("result", 1, {"latency_ms": float("nan")}))


def test_nothing_of_a_value_is_shown_in_an_error(steps: PostgresStepStore) -> None:
    with pytest.raises(StoreError, match="too long") as raised:
        steps.put("run", "n" * 300, StepOutput("result", "a secret"))
    assert "a secret" not in f"{raised.value} {raised.value.__cause__}"


def test_body_can_be_read_as_json_by_sql(steps: PostgresStepStore, engine: sa.Engine) -> None:
    steps.put("run", "draft", StepOutput("result", {"label": "bug"}))
    with transaction(engine) as connection:
        label = connection.scalar(step_outputs.select().with_only_columns(step_outputs.c.body))
    assert label == {"label": "bug"}
