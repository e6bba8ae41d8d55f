"""The author's code in a real child process: what it may do, and how each way to fail is told."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pandas as pd
import pytest

from agentflow_dagster.sandbox import ChildProcess
from agentflow_dagster.spec.values import BYTES, TABLE, Part, pack, unpack
from tests.support.code import MIB, failure, run

if TYPE_CHECKING:
    from agentflow_dagster.spec.values import Value


class TestValues:
    def test_json_bytes_and_numbers_cross_both_ways(self) -> None:
        value = {
            "n": [1, 2.5, None, True],
            "text": "é\ud800",
            "big": 2**70,
            "raw": b"\0\xff",
        }
        packed = pack(value)
        result = run("out = given", "out", inputs={"given": packed})
        assert unpack(result.outputs["out"]) == value

    def test_a_table_arrives_as_a_frame_and_leaves_as_a_table(self) -> None:
        frame = pd.DataFrame({"amount": [1.5, 2.0], "label": ["a", None]}, index=["x", "y"])
        result = run(
            "out = frame.assign(double=frame.amount * 2)",
            "out",
            inputs={"frame": pack(frame)},
        )
        part = result.outputs["out"]
        assert isinstance(part, Part)
        assert part.media_type == TABLE
        assert part.summary == {"rows": 2, "columns": ["amount", "label", "double"]}
        expected = frame.assign(double=[3.0, 4.0])
        pd.testing.assert_frame_equal(unpack(part), expected)  # type: ignore[arg-type]

    def test_arrays_and_series_cross_both_ways(self) -> None:
        given = {"a": np.arange(6.0).reshape(2, 3), "s": pd.Series([1, 2], name="n")}
        source = "out = {'a': a * 2, 's': s + 1, 'kinds': [type(a).__name__, type(s).__name__]}"
        packed = cast("dict[str, Value]", pack(given))
        out = cast("dict[str, Any]", unpack(run(source, "out", inputs=packed).outputs["out"]))
        assert out["kinds"] == ["ndarray", "Series"]
        np.testing.assert_array_equal(out["a"], given["a"] * 2)
        pd.testing.assert_series_equal(out["s"], pd.Series([2, 3], name="n"))

    def test_a_type_that_the_setup_registers_crosses_from_one_process_to_the_next(self) -> None:
        setup = (
            "from dataclasses import dataclass\nfrom agentflow_dagster import register_type\n"
            "@dataclass\nclass Money:\n    amount: str\n"
            "register_type(Money, store=vars, restore=lambda given: Money(**given))\n"
            "start = given"
        )
        made = run("m = Money(given)", "m", setup=setup, inputs={"given": "3.50"}).outputs["m"]
        source = "out = [type(m).__name__, m.amount, isinstance(m, Money)]"
        read = run(source, "out", setup=setup, inputs={"m": made, "given": "1"})
        assert read.outputs == {"out": ["Money", "3.50", True]}
        error = failure("out = m", "out", inputs={"m": made})
        assert "its input 'm'" in error.message
        assert "'Money', which is not known here" in error.message
        assert not error.retryable

    def test_several_outputs_with_parts_keep_their_names(self) -> None:
        result = run("a = b'1'; b = {'in': b'2'}; c = 3", "c", "a", "b")
        assert dict(result.outputs) == {
            "c": 3,
            "a": Part(BYTES, b"1", {"bytes": 1}),
            "b": {"in": Part(BYTES, b"2", {"bytes": 1})},
        }

    def test_setup_shares_the_namespace_and_sees_the_inputs(self) -> None:
        setup = "import math\nscale = 10 * given\ndef grow(x):\n    return math.floor(x * scale)"
        assert run("out = grow(1.26)", "out", setup=setup, inputs={"given": 10}).outputs == {
            "out": 126
        }

    def test_a_large_input_reaches_code_that_prints_as_it_goes(self) -> None:
        data = bytes(8 * MIB)
        result = run(
            "print('x' * 1_000_000)\nout = len(data)",
            "out",
            inputs={"data": pack(data)},
        )
        assert result.outputs == {"out": 8 * MIB}

    def test_dataclasses_and_event_loops_work_as_in_a_script(self) -> None:
        source = (
            "from __future__ import annotations\n"
            "import asyncio\nfrom dataclasses import dataclass\n"
            "@dataclass\nclass Row:\n    n: int\n"
            "async def main(): return Row(5).n\nout = asyncio.run(main())"
        )
        assert run(source, "out").outputs == {"out": 5}


class TestSurroundings:
    def test_no_secret_of_this_process_is_inherited(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
        monkeypatch.setenv("TZ", "Asia/Tokyo")
        seen = run("import os\nout = dict(os.environ)", "out").outputs["out"]
        assert isinstance(seen, dict)
        assert "sk-secret" not in str(seen)
        assert seen["TZ"] == "Asia/Tokyo"
        assert seen["PATH"] == os.environ["PATH"]

    def test_it_works_in_an_empty_folder_that_is_removed(self) -> None:
        source = "import os\nopen('left', 'w').close()\nout = [os.getcwd(), os.listdir()]"
        out = run(source, "out").outputs["out"]
        assert isinstance(out, list)
        assert out[1] == ["left"]
        assert not Path(str(out[0])).parent.exists()

    def test_nothing_can_be_read_from_a_terminal(self) -> None:
        assert "EOFError" in failure("input()").message

    def test_sets_iterate_alike_in_every_run(self) -> None:
        source = "out = list({'alpha', 'beta', 'gamma', 'delta', 'epsilon', 'zeta'})"
        assert run(source, "out").outputs == run(source, "out").outputs

    def test_a_trivial_run_loads_no_heavy_library(self) -> None:
        loaded = run("import sys\nout = sorted(sys.modules)", "out").outputs["out"]
        assert isinstance(loaded, list)
        heavy = {"pandas", "numpy", "pyarrow", "pydantic", "asyncio", "dagster"}
        assert not heavy & set(map(str, loaded))


class TestPrints:
    def test_all_ways_to_print_are_caught_and_cannot_touch_the_reply(self) -> None:
        source = (
            "import os, sys\nprint('one', flush=True)\nsys.stderr.write('two\\n')\n"
            "os.write(1, b'three\\n')\nos.system('echo four')\nsys.stdout.buffer.write(b'\\xff')\n"
            "out = 'kept'"
        )
        result = run(source, "out")
        assert result.outputs == {"out": "kept"}
        assert result.stdout == "one\ntwo\nthree\nfour\n\N{REPLACEMENT CHARACTER}"

    def test_the_tail_is_kept_and_the_cut_is_marked(self) -> None:
        source = "for i in range(1000): print(f'{i:09}')"
        result = run(source, runner=ChildProcess(printed_bytes=25))
        assert result.stdout == "[9,975 bytes cut]\n0997\n000000998\n000000999\n"

    def test_prints_before_a_crash_are_kept(self) -> None:
        error = failure("print('so far')\nimport os\nos.abort()")
        assert error.stdout == "so far\n"


class TestAuthorsMistakes:
    def test_a_traceback_shows_the_authors_lines_alone_with_their_text(self) -> None:
        setup = "import json\ndef parse(text):\n    return json.loads(text)"
        error = failure("def go():\n    return parse('{')\ngo()", setup=setup)
        assert error.message.startswith("<setup>, line 3: JSONDecodeError: Expecting property")
        lines = [line for line in error.traceback.splitlines() if set(line) - set(" ^~")]
        assert lines == [
            "Traceback (most recent call last):",
            '  File "<node total>", line 3, in <module>',
            "    go()",
            '  File "<node total>", line 2, in go',
            "    return parse('{')",
            '  File "<setup>", line 3, in parse',
            "    return json.loads(text)",
            "json.decoder.JSONDecodeError: " + error.message.partition("Error: ")[2],
        ]
        assert error.retryable

    def test_the_authors_own_chain_of_errors_is_kept(self) -> None:
        source = (
            "try:\n    1 / 0\nexcept ZeroDivisionError as e:\n    raise ValueError('bad') from e"
        )
        error = failure(source)
        assert "ZeroDivisionError: division by zero" in error.traceback
        assert "direct cause" in error.traceback
        assert error.message == "<node total>, line 4: ValueError: bad"

    def test_a_librarys_inner_errors_are_left_out(self) -> None:
        error = failure("import pandas\npandas.DataFrame({'a': [1]})['b']")
        assert error.message == "<node total>, line 2: KeyError: 'b'"
        assert error.traceback.count("Traceback") == 1
        assert "site-packages" not in error.traceback

    def test_source_that_is_not_python(self) -> None:
        error = failure("x = 1\ny = (")
        assert error.message == "<node total>, line 2: SyntaxError: '(' was never closed"
        assert "y = (" in error.traceback
        assert not error.retryable

    def test_an_undefined_output(self) -> None:
        error = failure("a = 1", "a", "b", "c")
        assert error.message == "<node total> ended without defining 'b', 'c'."
        assert not error.retryable

    def test_a_value_that_has_no_stored_form(self) -> None:
        error = failure("out = {'rows': [1, {2, 3}]}", "out")
        assert "out.rows[1] is a set" in error.message
        assert "sorted(value)" in error.message
        assert not error.retryable

    def test_a_value_that_contains_itself(self) -> None:
        error = failure("out = []; out.append(out)", "out")
        assert error.message.startswith("<node total>: ")
        assert "nested too deep" in error.message
        assert not error.retryable

    def test_a_number_that_json_cannot_hold(self) -> None:
        error = failure("out = 10 ** 5000", "out")
        assert error.message.startswith("<node total>: an output cannot be stored: ")
        assert not error.retryable

    def test_exit_is_a_failure(self) -> None:
        error = failure("import sys\nsys.exit(0)")
        assert error.message == "<node total> called exit(0): a node must run to its end."
        assert "line 2" in error.traceback

    def test_a_raised_base_exception_is_a_failure(self) -> None:
        assert "KeyboardInterrupt" in failure("raise KeyboardInterrupt").message


class TestLimits:
    def test_an_endless_loop_ends_at_its_timeout_and_says_where_it_was(self) -> None:
        error = failure("def spin():\n    while True:\n        n = 1\nspin()", timeout=3.0)
        assert error.message == "<node total> was still running after its limit of 3 s."
        assert 'File "<node total>", line 4, in <module>\n    spin()' in error.traceback
        assert "in spin" in error.traceback
        assert "_child.py" not in error.traceback

    def test_code_that_ignores_every_signal_ends_too(self) -> None:
        source = (
            "import signal, time\nfor s in (signal.SIGTERM, signal.SIGINT):\n"
            "    signal.signal(s, signal.SIG_IGN)\n"
            "print('deaf', flush=True)\nwhile True:\n    try:\n        time.sleep(60)\n"
            "    except BaseException:\n        pass"
        )
        error = failure(source, timeout=3.0)
        assert "still running" in error.message
        assert error.stdout == "deaf\n"

    @pytest.mark.skipif(sys.platform != "linux", reason="RLIMIT_DATA holds on Linux alone")
    @pytest.mark.parametrize(
        "source",
        ["out = [0] * 10**9", "out = []\nwhile True: out.append(bytearray(10**6))"],
        ids=["at once", "bit by bit"],
    )
    def test_memory(self, source: str) -> None:
        error = failure(source, memory_bytes=128 * MIB)
        assert error.message == "<node total> went past its memory limit of 128 MiB."
        assert "MemoryError" in error.traceback
        assert not error.retryable

    @pytest.mark.skipif(sys.platform != "linux", reason="RLIMIT_DATA holds on Linux alone")
    def test_an_input_beyond_the_memory_limit(self) -> None:
        error = failure("pass", inputs={"data": pack([0] * 300_000)}, memory_bytes=1 * MIB)
        assert "memory limit" in error.message

    def test_a_table_fits_in_256_mib_with_pandas_and_arrow(self) -> None:
        frame = pd.DataFrame({"a": range(1000), "b": ["text"] * 1000})
        source = "import numpy\nnumpy.ones((300, 300)) @ numpy.ones((300, 300))\nout = frame"
        result = run(source, "out", inputs={"frame": pack(frame)}, memory_bytes=256 * MIB)
        assert isinstance(result.outputs["out"], Part)

    def test_outputs_that_are_too_large(self) -> None:
        error = failure("out = b'x' * 5000", "out", runner=ChildProcess(output_bytes=4000))
        assert "the outputs take 5," in error.message
        assert "the limit is 4,000" in error.message

    def test_outputs_just_within_the_limit(self) -> None:
        result = run("out = b'x' * 3800", "out", runner=ChildProcess(output_bytes=4000))
        assert isinstance(result.outputs["out"], Part)

    def test_a_file_that_grows_without_end(self) -> None:
        source = "with open('f', 'wb') as f:\n    while True: f.write(bytes(10**6))"
        assert "OSError" in failure(source, runner=ChildProcess(file_bytes=3 * 10**6)).message


class TestCrashes:
    def test_a_segmentation_fault_says_where(self) -> None:
        error = failure("import ctypes\ndef f():\n    ctypes.string_at(0)\nf()")
        assert error.message == "<node total> crashed the interpreter (SIGSEGV)."
        assert "line 4, in <module>\n    f()" in error.traceback
        assert "line 3, in f\n    ctypes.string_at(0)" in error.traceback

    def test_os_exit(self) -> None:
        error = failure("import os\nos._exit(0)")
        assert "ended its process with exit code 0" in error.message

    def test_killed_from_outside(self) -> None:
        error = failure("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)")
        assert "killed from outside (SIGKILL)" in error.message
        assert error.retryable

    def test_closed_descriptors(self) -> None:
        assert failure("import os\nos.closerange(3, 100)\nout = 1", "out").message

    def test_a_fork_that_runs_on_has_no_say(self) -> None:
        source = (
            "import os\npid = os.fork()\nif pid: os.waitpid(pid, 0)\n"
            "out = 'parent' if pid else 'child'"
        )
        assert run(source, "out").outputs == {"out": "parent"}
