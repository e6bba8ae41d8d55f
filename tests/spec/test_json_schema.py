"""jsonschema is loaded without the grammar that takes a second to build."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import sys
from agentflow_dagster.spec.json_schema import load_jsonschema
load_jsonschema()
import jsonschema
assert "rfc3987_syntax" not in sys.modules
assert "lark" not in sys.modules
checker = jsonschema.Draft202012Validator.FORMAT_CHECKER
assert "uri" in checker.checkers and "date-time" in checker.checkers
import rfc3987_syntax  # whoever wants it still gets it
load_jsonschema()
assert sys.modules["rfc3987_syntax"] is rfc3987_syntax
"""


def test_the_grammar_is_left_out_and_stays_available() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
