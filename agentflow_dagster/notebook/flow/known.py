"""What is known of functions of Python and of well-known libraries, by their full names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from agentflow_dagster.notebook.flow.objects import Kind

NUMBERS: Final = frozenset(
    {
        *("abs", "all", "any", "ascii", "bin", "bool", "bytes", "chr", "complex", "divmod"),
        *("float", "format", "hash", "hex", "int", "oct", "ord", "pow", "repr", "round", "str"),
        *("sum", "input", "slice", "range", "memoryview", "bytearray", "print", "breakpoint"),
    }
)
ONLY_THE_NAME: Final = frozenset({"callable", "id", "isinstance", "issubclass", "object"})

COPIES: Final[dict[str, Kind]] = {
    "builtins.list": "list",
    "builtins.tuple": "tuple",
    "builtins.set": "set",
    "builtins.frozenset": "tuple",
    "builtins.sorted": "list",
    "builtins.dict": "dict",
    "collections.deque": "list",
    "collections.OrderedDict": "dict",
    "collections.defaultdict": "dict",
    "collections.Counter": "dict",
    "types.SimpleNamespace": "dict",
}
"""Constructors of what holds the elements of another."""

ITERATORS: Final = frozenset(
    {
        *("builtins.enumerate", "builtins.filter", "builtins.iter", "builtins.map"),
        *("builtins.reversed", "builtins.zip", "itertools.*", "csv.reader", "csv.DictReader"),
        *("io.StringIO", "io.BytesIO", "builtins.open", "queue.Queue", "re.finditer"),
    }
)
CALLS_FIRST: Final = frozenset(
    {
        *("builtins.map", "builtins.filter", "itertools.starmap", "itertools.takewhile"),
        *("itertools.dropwhile", "itertools.filterfalse"),
    }
)

CHANGES: Final[dict[str, int]] = {
    **dict.fromkeys(("random.shuffle", "heapq.heapify", "heapq.heappop", "heapq.heappush"), 0),
    **dict.fromkeys(("heapq.heappushpop", "heapq.heapreplace", "operator.setitem"), 0),
    **dict.fromkeys(("bisect.insort", "bisect.insort_left", "bisect.insort_right"), 0),
    **dict.fromkeys(("numpy.random.shuffle", "numpy.fill_diagonal", "numpy.put"), 0),
    **dict.fromkeys(("numpy.copyto", "numpy.place", "numpy.putmask", "operator.delitem"), 0),
    **dict.fromkeys(("operator.iadd", "operator.iconcat", "setattr", "delattr"), 0),
    **dict.fromkeys(("json.load", "pickle.load", "csv.writer", "csv.DictWriter"), 0),
    **dict.fromkeys(("json.dump", "pickle.dump"), 1),
    **dict.fromkeys(("numpy.add.at", "numpy.subtract.at", "numpy.maximum.at"), 0),
}
"""Which argument these change in place."""

VIEWS: Final = frozenset(
    {
        *("numpy.asarray", "numpy.ravel", "numpy.reshape", "numpy.transpose", "numpy.squeeze"),
        *("numpy.expand_dims", "numpy.broadcast_to", "numpy.atleast_1d", "numpy.atleast_2d"),
        *("numpy.swapaxes", "numpy.flip", "numpy.diagonal", "numpy.split", "numpy.asanyarray"),
        *("numpy.fliplr", "numpy.flipud", "numpy.moveaxis", "numpy.array_split", "numpy.rot90"),
    }
)

DECORATORS: Final = frozenset(
    {
        *("functools.cache", "functools.lru_cache", "functools.wraps", "functools.cached_property"),
        *("functools.total_ordering", "functools.singledispatch", "contextlib.contextmanager"),
        *("dataclasses.dataclass", "abc.abstractmethod", "typing.final", "typing.overload"),
        *("typing.cast", "atexit.register", "builtins.staticmethod", "builtins.classmethod"),
        *("builtins.property", "enum.unique", "typing.runtime_checkable"),
    }
)
"""What gives back a function or class as it was, or makes what does."""

SCALAR_MODULES: Final = frozenset(
    {"math", "re", "time", "datetime", "string", "hashlib", "base64", "textwrap", "decimal"}
    | {"statistics", "fractions", "uuid", "os", "sys", "json.dumps", "copyreg", "zlib", "secrets"}
)

KIND_OF_MODULE: Final[dict[str, Kind]] = {"numpy": "array", "pandas": "frame", "polars": "frame"}
"""What the functions of these make."""
