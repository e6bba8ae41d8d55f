"""Every code can happen, and no notebook gives a code that is not listed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from agentflow_dagster.notebook import read_agent
from agentflow_dagster.notebook.problems import CODES, WARNINGS

if TYPE_CHECKING:
    from tests.notebook.conftest import Read

EXAMPLES = {
    "AF603": "---\n%%node\nx = 1",
    "AF604": "---node:a\nx = 1\n---node:a\ny = 1",
    "AF605": "---node:a\n%time x = 1",
    "AF606": "---node:a\nx = ",
    "AF607": "---node:a\nawait x",
    "AF608": "---parameters\nimport x\n---node:a\ny = 1",
    "AF609": "---parameters\nx = f()\n---node:a\ny = 1",
    "AF610": "---parameters\nx: int = ''\n---node:a\ny = 1",
    "AF611": "---parameters\nx = 1\n---parameters\ny = 1\n---node:a\nz = x",
    "AF612": "---node:a\nx = y",
    "AF613": "---\ny = 1\n---node:a\nx = y",
    "AF614": "---node:a\nx = 1\n---node:b\nx = 1",
    "AF615": "---node:a\ndef f(): pass\n---node:b\ny = f()",
    "AF616": "---node:a\nx = []\n---node:b\nx.append(1)",
    "AF617": "---node:a\nfrom math import *",
    "AF618": "---node:a\nx = eval('1')",
    "AF619": "---setup\ndef f(): return x\n---node:a\nx = 1",
    "AF620": "---node:a\ntrue = 1\n---node:b\ny = true",
    "AF621": "---node:a\ndisplay(1)",
    "AF622": "---node:a\nx = 1\n---node:b\nif 1: x = 1\ny = x",
    "AF623": "---node:a\nx = 1\n---\nx = 2\n---node:b\ny = x",
    "AF624": "---\nx = 1",
    "AF626": "---setup test\nx = 1\n---node:a\ny = 1",
}


@pytest.mark.parametrize("code", sorted(EXAMPLES))
def test_each_code_can_happen(read: Read, code: str) -> None:
    result = read(EXAMPLES[code])
    assert code in result.codes
    assert all((d.severity == "warning") == (code in WARNINGS) for d in result.diagnostics
               if d.code == code and code != "AF616")  # fmt: skip


def test_codes_of_files_and_metadata(read: Read) -> None:
    found = {
        *(d.code for d in read_agent("", file="a.ipynb")[2]),
        *(d.code for d in read_agent(" " * 5_000_001, file="a.ipynb")[2]),
        *read("---node:a\nx = 1", settings=[]).codes,
    }
    assert found == {"AF601", "AF602", "AF625"}
    assert found | set(EXAMPLES) == set(CODES)
