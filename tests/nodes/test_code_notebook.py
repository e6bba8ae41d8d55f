"""`code.notebook`: real notebooks, in real kernels."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import nbformat
import pandas as pd
import pytest

from agentflow_dagster.errors import NotebookFailed, RunError
from agentflow_dagster.nodes.code_notebook import Notebook, NotebookConfig
from agentflow_dagster.notebook import PapermillNotebooks
from agentflow_dagster.spec.values import Part, unpack
from tests.support.contexts import context
from tests.support.waiting import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def report(write: Callable[..., str]) -> str:
    return write(
        "limit = 2",
        "import pandas as pd\nframe = pd.DataFrame({'n': range(limit)})",
        "total = int(frame.n.sum())\n1 / limit\ntotal",
    )


def kept(tmp_path: Path) -> Any:
    """The notebook as it is kept."""
    return nbformat.read(tmp_path / "executed/run-1/notebooks/probe-1.ipynb", as_version=4)


async def test_its_names_are_the_output_and_the_executed_notebook_too(
    run: Any, report: str, tmp_path: Path
) -> None:
    output = await run(report, parameters={"limit": 4}, outputs=["total", "frame"])
    assert output["total"] == 6
    assert isinstance(unpacked := unpack(output["frame"]), pd.DataFrame)
    assert list(unpacked.n) == [0, 1, 2, 3]
    assert isinstance(output["notebook"], Part)
    executed = nbformat.reads(output["notebook"].data.decode(), as_version=4)
    assert executed.cells[-1].outputs[0].data["text/plain"] == "6"
    assert "agentflow" not in output["notebook"].data.decode()
    assert kept(tmp_path) == executed
    assert output["path"].endswith("executed/run-1/notebooks/probe-1.ipynb")


async def test_what_it_glues_is_its_output(run: Any, write: Any, tmp_path: Path) -> None:
    name = write(
        "limit = 2",
        "import pandas as pd\nfrom agentflow_dagster import glue\nglue('count', limit)",
        "glue('frame', pd.DataFrame({'n': range(limit)}))\nglue('raw', b'abc')\nother = 1",
    )
    output = await run(name)
    assert output.keys() == {"count", "frame", "raw", "notebook", "path"}
    assert output["count"] == 2
    assert isinstance(unpacked := unpack(output["frame"]), pd.DataFrame)
    assert list(unpacked.n) == [0, 1]
    assert output["raw"].data == b"abc"
    shown = kept(tmp_path).cells[-1].outputs[0]
    assert "<table" in shown.data["text/html"]
    assert shown.metadata == {"agentflow": {"glue": "frame"}}
    assert len(str(shown.data)) < 2_000, "the table's bytes are the node's output, not the page's"


async def test_names_may_be_glued_or_left_defined(run: Any, write: Any) -> None:
    name = write("a = 1", "from agentflow_dagster import glue\nb = 2\nglue('a', 10)")
    output = await run(name, outputs={"a": {"type": "integer"}, "b": {"type": "integer"}})
    assert (output["a"], output["b"]) == (10, 2)


async def test_a_name_that_it_does_not_leave(run: Any, report: str) -> None:
    with pytest.raises(NotebookFailed, match="no 'nope': it neither glues nor defines it"):
        await run(report, outputs=["total", "nope"])


async def test_a_value_of_another_type_than_declared(run: Any, report: str) -> None:
    with pytest.raises(NotebookFailed, match="total: 1 is not of type 'string'"):
        await run(report, outputs={"total": {"type": "string"}})


async def test_a_value_that_cannot_be_stored_is_named(run: Any, write: Any) -> None:
    name = write("a = 1", "import threading\nlock = {'inner': threading.Thread()}")
    with pytest.raises(NotebookFailed, match=r"lock\.inner is a Thread"):
        await run(name, outputs=["lock"])


async def test_a_cell_that_raises_is_named_as_its_author_counts(
    run: Any, report: str, tmp_path: Path
) -> None:
    with pytest.raises(NotebookFailed) as caught:
        await run(report, parameters={"limit": 0})
    assert "cell 4 raised ZeroDivisionError: division by zero" in str(caught.value)
    assert "1 / limit" in caught.value.traceback
    assert "\x1b" not in caught.value.traceback
    assert caught.value.notebook.endswith("probe-1.ipynb")
    told = [o for cell in kept(tmp_path).cells for o in cell.get("outputs", ())]
    assert [o.ename for o in told if o.output_type == "error"] == ["ZeroDivisionError"]


@pytest.mark.parametrize("path", ["../report.ipynb", "/etc/x.ipynb", "a/../../x.ipynb", "x.txt"])
def test_no_path_leaves_the_folder(path: str) -> None:
    with pytest.raises(ValueError, match="notebook"):
        NotebookConfig.model_validate({"notebook": path})


async def test_a_link_that_leaves_the_folder(run: Any, folder: Path, report: str) -> None:
    (folder.parent / "outside.ipynb").write_bytes((folder / report).read_bytes())
    (folder / "link.ipynb").symlink_to(folder.parent / "outside.ipynb")
    with pytest.raises(RunError, match="no notebook"):
        await run("link.ipynb")


async def test_its_time_holds_and_what_it_did_is_kept(
    run: Any, write: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agentflow_dagster.notebook.papermill_run._LATE_SECONDS", 20.0)
    name = write("a = 1", "print('before')", "import time\ntime.sleep(99)")
    with pytest.raises(
        NotebookFailed, match=r"cell 4 was still running after the limit of 2 s"
    ) as e:
        await run(name, limit=2)
    assert "time.sleep(99)" in e.value.traceback
    (printed,) = [c.outputs for c in kept(tmp_path).cells if c.source == "print('before')"]
    assert printed[0].text == "before\n"


async def test_a_cell_that_catches_interrupts_is_ended_all_the_same(run: Any, write: Any) -> None:
    stubborn = """\
import time
while True:
    try:
        time.sleep(9)
    except KeyboardInterrupt:
        pass
"""
    with pytest.raises(NotebookFailed, match="cell 3 was still running"):
        await run(write("a = 1", stubborn), limit=1)


async def test_canceled_it_is_interrupted_and_leaves_nothing(
    run: Any, write: Any, tmp_path: Path
) -> None:
    mark = tmp_path / "mark"
    name = write(
        "mark = ''",
        "import os, pathlib, subprocess\nchild = subprocess.Popen(['sleep', '99'])\n"
        "pathlib.Path(mark).write_text(f'{os.getpid()} {child.pid}')",
        "import time\ntime.sleep(99)",
    )
    work = asyncio.ensure_future(run(name, parameters={"mark": str(mark)}))
    await asyncio.to_thread(wait_until, lambda: mark.exists() and mark.read_text())
    work.cancel()
    with pytest.raises(asyncio.CancelledError):
        await work
    for pid in map(int, mark.read_text().split()):
        wait_until(lambda pid=pid: not alive(pid))
    assert "KeyboardInterrupt" in str(kept(tmp_path).cells)


def alive(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
        return stat.rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


async def test_its_memory_holds(run: Any, write: Any) -> None:
    name = write("a = 1", "x = bytearray(900 * 1024**2)")
    with pytest.raises(NotebookFailed, match="cell 3 went past its memory limit of 256 MiB"):
        await run(name, memory_bytes=256 * 1024**2)


@pytest.mark.parametrize(
    ("source", "told"),
    [
        ("import os\nos._exit(3)", "cell 3 ended its kernel with exit status 3"),
        ("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)", "killed in cell 3 .SIGKILL."),
        ("import ctypes\nctypes.string_at(0)", "cell 3 crashed its kernel .SIGSEGV."),
    ],
)
async def test_a_kernel_that_dies_is_told_at_once(
    run: Any, write: Any, tmp_path: Path, source: str, told: str
) -> None:
    with pytest.raises(NotebookFailed, match=told) as caught:
        await run(write("a = 1", source))
    if "SEGV" in told:
        assert "line 2" in caught.value.traceback
    assert kept(tmp_path).cells[-1].outputs[-1].ename == "DeadKernelError"


async def test_it_finds_what_stands_beside_it_and_leaves_nothing_there(
    run: Any, write: Any, folder: Path
) -> None:
    (folder / "data").mkdir(parents=True, exist_ok=True)
    (folder / "data" / "n.csv").write_text("n\n1\n2\n")
    (folder / ".env").write_text("KEY=1")
    (folder / "tool.py").write_text("VALUE = 7")
    name = write(
        "a = 1",
        "import os, pandas as pd, tool\n"
        "total = int(pd.read_csv('data/n.csv').n.sum()) + tool.VALUE",
        "open('new.txt', 'w').write('x')\nhidden = os.path.exists('.env')",
    )
    output = await run(name, outputs=["total", "hidden"])
    assert (output["total"], output["hidden"]) == (10, False)
    assert not (folder / "new.txt").exists()


async def test_it_sees_no_secret_and_what_is_kept_holds_none(
    run: Any, write: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRACKER_TOKEN", "in-the-environment")
    name = write(
        "key = ''",
        "import os\nprint(key)\nseen = [n for n in os.environ if 'TOKEN' in n]\n"
        "begun_with = open('/proc/self/environ').read()",
    )
    hidden = lambda text: text.replace("s3cret-value", "***")  # noqa: E731
    given = {"key": "s3cret-value"}
    output = await run(name, parameters=given, outputs=["seen", "begun_with"], redacted=hidden)
    assert output["seen"] == []
    assert "in-the-environment" not in output["begun_with"]
    assert "s3cret-value" not in nbformat.writes(kept(tmp_path))
    assert "s3cret-value" not in output["notebook"].data.decode()


async def test_it_tells_how_far_it_is(run: Any, report: str) -> None:
    told: list[str] = []
    await run(report, tell=told.append)
    assert told == [f"report.ipynb: cell {n} of 4" for n in (1, 2, 3, 4)]


async def test_another_kernel_than_pythons_is_started_for_it(run: Any, report: str) -> None:
    with pytest.raises(RunError, match="'no-such-kernel'"):
        await run(report, kernel="no-such-kernel")


async def test_where_no_pool_is_up_a_kernel_is_started(folder: Path, report: str) -> None:
    notebooks = PapermillNotebooks(folder, None, "")
    config = NotebookConfig(notebook=report, outputs=("total",))
    done = await Notebook().run(context(notebooks=notebooks, timeout=60), config)
    assert isinstance(done.output, dict)
    assert done.output["total"] == 1
    assert done.notebook == ""
    assert os.environ.get("AGENTFLOW_KERNELS") is None


@pytest.mark.parametrize(
    ("cell", "told"),
    [
        ("glue('two words', 1)", "'two words' is no name"),
        ("glue('lock', {'inner': [object()]})", r"lock\.inner\[0\] is a object"),
        ("glue('big', b'x' * (65 * 1024**2))", "'big' takes 65 MiB; glue takes 64"),
        ("glue('notebook', 1)", "glues 'notebook', which is the executed notebook"),
    ],
)
async def test_what_cannot_be_glued(run: Any, write: Any, cell: str, told: str) -> None:
    name = write("a = 1", f"from agentflow_dagster import glue\n{cell}")
    with pytest.raises(NotebookFailed, match=told):
        await run(name)


async def test_a_kernel_that_jupyter_knows_by_another_name(
    folder: Path, write: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    specs = tmp_path / ".local" / "share" / "jupyter" / "kernels" / "plain"
    specs.mkdir(parents=True)
    spec = {
        "argv": ["python", "-m", "ipykernel_launcher", "-f", "{connection_file}"],
        "display_name": "Plain",
        "language": "python",
        "env": {"PLAIN": "yes"},
    }
    (specs / "kernel.json").write_text(json.dumps(spec))
    monkeypatch.setenv("HOME", str(tmp_path))
    name = write("limit = 1", "import os\nplain = [os.environ['PLAIN'], limit]")
    config = NotebookConfig(
        notebook=name, kernel="plain", outputs=("plain",), parameters={"limit": 5}
    )
    done = await Notebook().run(
        context(notebooks=PapermillNotebooks(folder, None, ""), timeout=60), config
    )
    assert isinstance(done.output, dict)
    assert done.output["plain"] == ["yes", 5]
