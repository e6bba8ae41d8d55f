"""Writes an agent's document in another form."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Literal, cast

from agentflow_dagster.errors import DocumentError, UsageError
from agentflow_dagster.nodes import all_kinds
from agentflow_dagster.notebook.updating import update_notebook
from agentflow_dagster.notebook.writing import write_notebook
from agentflow_dagster.operations.check import read_file
from agentflow_dagster.spec.builder_code import python_code
from agentflow_dagster.spec.diagnostics import has_errors
from agentflow_dagster.spec.yaml_writer import update_yaml, write_yaml

if TYPE_CHECKING:
    from pathlib import Path

    from agentflow_dagster.spec.forms import AgentSource
    from agentflow_dagster.spec.values import JsonObject

Form = Literal["yaml", "json", "python", "notebook", "agent"]
_BY_SUFFIX: dict[str, Form] = {
    ".yaml": "yaml",
    ".yml": "yaml",
    ".json": "json",
    ".py": "python",
    ".ipynb": "notebook",
}


def convert_into(path: Path, target: Path) -> str:
    """A file's document in the form of another file; of one that exists, what is its own stays:
    comments, layout, and of a notebook every cell that does not change.

    Raises:
        UsageError: there is no such file, or the target's name tells no form.
        DocumentError: the file cannot be read, or a notebook cannot say it.
    """
    form = _BY_SUFFIX.get(target.suffix)
    if form is None:
        hint = f"Use one of {', '.join(_BY_SUFFIX)}."
        raise UsageError(f"{target.name!r} tells no form.", hint=hint)
    if not target.is_file() or form not in {"yaml", "notebook"}:
        return convert(path, form)
    source = _read(path)
    before = target.read_text(encoding="utf-8")
    if form == "yaml":
        return update_yaml(before, cast("JsonObject", source.written))
    document = cast("JsonObject", source.document)
    return update_notebook(before, document, all_kinds(), file=target.name)


def convert(path: Path, form: Form) -> str:
    """A file's document in another form; `agent` is the agent, in YAML, that a workflow stands for.

    Raises:
        UsageError: there is no such file.
        DocumentError: the file cannot be read.
    """
    source = _read(path)
    written = cast("JsonObject", source.written)
    match form:
        case "yaml":
            return write_yaml(written)
        case "json":
            return json.dumps(written, ensure_ascii=False, indent=2) + "\n"
        case "python":
            return _python(written, path)
        case "notebook":
            assert source.document is not None
            return write_notebook(source.document, all_kinds())
        case "agent":
            assert source.document is not None
            return write_yaml(source.document)


def _read(path: Path) -> AgentSource:
    """What a file says, without an error in its fields."""
    source = read_file(path, file=str(path))
    if source.written is None or has_errors(source.diagnostics):
        raise DocumentError([d for d in source.diagnostics if d.severity == "error"])
    return source


def _python(document: JsonObject, path: Path) -> str:
    code = python_code(document)
    if isinstance(code, tuple):
        raise DocumentError([one.at(str(path), None) for one in code])
    return code
