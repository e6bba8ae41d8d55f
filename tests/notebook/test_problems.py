"""Every code can happen, and no notebook gives a code that is not listed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from agentflow_dagster.notebook import read_agent
from agentflow_dagster.notebook.problems import CODES, WARNINGS
from tests.support.mistakes import NOTEBOOKS

if TYPE_CHECKING:
    from tests.notebook.conftest import Read

EXAMPLES = {
    code: text for code, text in NOTEBOOKS.items() if text.startswith("---") and code != "AF625"
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
        *(d.code for d in read_agent(NOTEBOOKS["AF629"], file="a.ipynb")[2]),
        *(d.code for d in read_agent(NOTEBOOKS["AF630"], file="a.ipynb")[2]),
    }
    assert found == {"AF601", "AF602", "AF625", "AF629", "AF630"}
    assert found | set(EXAMPLES) | {"AF628"} == set(CODES)
