"""Writes an agent's document in another form."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Literal

from agentflow_dagster.errors import DocumentError
from agentflow_dagster.operations.check import read_file
from agentflow_dagster.spec.builder_code import python_code
from agentflow_dagster.spec.diagnostics import has_errors
from agentflow_dagster.spec.yaml_writer import write_yaml

if TYPE_CHECKING:
    from pathlib import Path

    from agentflow_dagster.spec.values import JsonObject

Form = Literal["yaml", "json", "python", "agent"]


def convert(path: Path, form: Form) -> str:
    """A file's document in another form; `agent` is the agent, in YAML, that a workflow stands for.

    Raises:
        UsageError: there is no such file.
        DocumentError: the file cannot be read.
    """
    source = read_file(path, file=str(path))
    if source.written is None or has_errors(source.diagnostics):
        raise DocumentError([d for d in source.diagnostics if d.severity == "error"])
    match form:
        case "yaml":
            return write_yaml(source.written)
        case "json":
            return json.dumps(source.written, ensure_ascii=False, indent=2) + "\n"
        case "python":
            return _python(source.written, path)
        case "agent":
            assert source.document is not None
            return write_yaml(source.document)


def _python(document: JsonObject, path: Path) -> str:
    code = python_code(document)
    if isinstance(code, tuple):
        raise DocumentError([one.at(str(path), None) for one in code])
    return code
