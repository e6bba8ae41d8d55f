"""Which names a cell reads, makes and changes in place."""

from __future__ import annotations

import sys

import pytest

from agentflow_dagster.notebook.dataflow import analyse
from agentflow_dagster.spec.diagnostics import Position


def names(text: str) -> set[str]:
    return set(text.split())


@pytest.mark.parametrize(
    ("source", "reads", "defines"),
    [
        ("y = x + 1", "x", "y"),
        ("x = 1\ny = x", "", "x y"),
        ("print(x)\nx = 1", "x", "x"),
        ("x += 1", "x", "x"),
        ("x = x + 1", "x", "x"),
        ("a = b = c", "c", "a b"),
        ("(a, [b, *c]) = d", "d", "a b c"),
        ("a: int = b", "b", "a"),
        ("a: T", "T", ""),
        ("a[i] = b", "a i b", ""),
        ("a.b = c", "a c", ""),
        ("if (n := f()) > 1: print(n)", "f", "n"),
        ("for i in xs: y = i\nprint(i, y)", "xs", "i y"),
        ("for r in rows:\n    if last: print(last)\n    last = r", "rows last", "r last"),
        ("while go(): x = 1\nprint(x)", "go", "x"),
        ("with open(p) as f: t = f.read()", "p", "f t"),
        ("with a as (b, c), d as e.f: pass", "a d e", "b c"),
        ("try:\n    x = 1\nexcept E as e:\n    print(e)\n    raise", "E", "x"),
        ("try:\n    import a\nexcept ImportError:\n    a = None\na", "", "a"),
        ("try:\n    x = f()\nfinally:\n    y = 1\nprint(x, y)", "f", "x y"),
        ("import a.b, c as d\nfrom e import f as g, h", "", "a d g h"),
        ("from __future__ import annotations\nx = 1", "", "x"),
        ("def f(a, b=c, *d, e: T = g, **h) -> U:\n    return a + z", "c T g U z", "f"),
        ("async def f():\n    async with a as b:\n        return await b", "a", "f"),
        ("@deco\nclass A(B, m=M):\n    x = y\n    def m(self): return x", "deco B M y x", "A"),
        ("class A:\n    x = 1\n    y = [x for _ in z]", "z x", "A"),
        ("class A:\n    x = 1\n    y = x", "", "A"),
        ("f = lambda a, b=c: a + d", "c d", "f"),
        ("[x for x in xs if x > low]", "xs low", ""),
        ("x = 1\n[x for x in x]", "", "x"),
        ("{k: v for k, vs in d.items() for v in vs}", "d", ""),
        ("[last := x for x in xs]\nprint(last)", "xs", "last"),
        ("any((hit := x) for x in xs)", "xs", "hit"),
        ("def f():\n    return later\nlater = 1\nf()", "", "f later"),
        ("def f():\n    def g(): return a + b\n    a = 1\n    return g", "b", "f"),
        ("def f():\n    global n\n    n = 1", "", "f n"),
        ("def f():\n    n = 1\n    def g():\n        nonlocal n\n        n = 2\n    g()", "", "f"),
        ("def f():\n    from a import b\n    return b", "", "f"),
        ("def f():\n    for i in xs: y = i\n    return y", "xs", "f"),
        ("def f(x):\n    [x for x in y]\n    return x", "y", "f"),
        ("def f():\n    if (n := g()): return n", "g", "f"),
        ("f'{x!r:{width}}'", "x width", ""),
        ("x = 1\ndel x", "", ""),
        ("del x", "x", ""),
        ("x = 1\ndel x\nprint(x)", "x", ""),
        ("match c:\n    case [a, *b]: pass\n    case {'k': d, **e}: pass", "c", "a b d e"),
        ("match c:\n    case P(q=f) as g: pass", "c P", "f g"),
        ("print(len(range(3)), __name__)", "", ""),
        ("display(x)", "display x", ""),
        ("x", "x", ""),
        ("", "", ""),
    ],
)  # fmt: skip
def test_reads_and_definitions(source: str, reads: str, defines: str) -> None:
    found = analyse(source)
    assert set(found.reads) == names(reads)
    assert set(found.defines) == names(defines)
    compile(source, "<case>", "exec")


@pytest.mark.parametrize(
    ("source", "perhaps"),
    [
        ("if c:\n    x = 1\nprint(x)", "x"),
        ("if c:\n    x = 1\nelse:\n    x = 2\nprint(x)", ""),
        ("if c:\n    x = 1\nelse:\n    raise E\nprint(x)", ""),
        ("for i in xs:\n    if i:\n        continue\n    else:\n        x = 1\n    print(x)", ""),
        ("try:\n    x = f()\nexcept E:\n    pass\nprint(x)", "x"),
        ("try:\n    x = f()\nexcept E:\n    x = 0\nprint(x)", ""),
        ("match c:\n    case 1: x = 1\nprint(x)", "x"),
        ("match c:\n    case 1: x = 1\n    case _: x = 2\nprint(x)", ""),
        ("match c:\n    case 1: x = 1\n    case y if y: x = 2\nprint(x)", "x"),
        ("def f():\n    global n\n    n += 1", "n"),
    ],
)
def test_names_made_on_some_paths_only(source: str, perhaps: str) -> None:
    found = analyse(source)
    assert set(found.perhaps) == names(perhaps)
    assert "x" not in found.reads


@pytest.mark.parametrize(
    ("source", "mutates"),
    [
        ("x.a = 1", "x"),
        ("x[0] = 1", "x"),
        ("x[0].a += 1", "x"),
        ("del x['k']", "x"),
        ("x.append(1)", "x"),
        ("x.rows[0].update(a=1)", "x"),
        ("first = x.pop()", "x"),
        ("y = x.setdefault('k', [])", "x"),
        ("x.loc[mask, 'c'] = 1", "x"),
        ("x.drop(columns='c', inplace=True)", "x"),
        ("y = x.drop(columns='c')", ""),
        ("y = x.add(1)", ""),
        ("y = x.sort('a')", ""),
        ("y = sorted(x)", ""),
        ("import random\nrandom.shuffle(x)", "x"),
        ("from heapq import heappush\nheappush(x, 1)", "x"),
        ("setattr(x, 'a', 1)", "x"),
        ("y = x\ny['k'] = 1", "x"),
        ("y = x\nz = y\nz.append(1)", "x"),
        ("y = x\ny = []\ny.append(1)", ""),
        ("y = x.copy()\ny['k'] = 1", ""),
        ("x = x.copy()\nx['k'] = 1", ""),
        ("x = []\nx.append(1)", ""),
        ("for row in x:\n    row['k'] = 1", "x"),
        ("for i, row in enumerate(x):\n    row['k'] = i", "x"),
        ("for group in x.values():\n    group.append(1)", "x"),
        ("for row in [dict(r) for r in x]:\n    row['k'] = 1", ""),
        ("for x[0] in rows: pass", "x"),
        ("def f(v):\n    x.append(v)", "x"),
        ("def f(x):\n    x.append(1)", ""),
        ("def f():\n    x = []\n    x.append(1)", ""),
        ("def f(v):\n    x.append(v)\nx = []", ""),
        ("f(x).append(1)", ""),
    ],
)
def test_changes_in_place(source: str, mutates: str) -> None:
    assert set(analyse(source).mutates) == names(mutates)


@pytest.mark.parametrize(
    ("source", "kind"),
    [
        ("n = 1", "value"),
        ("for n in xs: pass", "target"),
        ("for n in xs: pass\nn = 1", "value"),
        ("with a as n: pass", "target"),
        ("import n", "import"),
        ("def n(): pass", "function"),
        ("n = lambda: 1", "function"),
        ("class n: pass", "class"),
        ("def n(): pass\nn = cache(n)", "function"),
        ("try:\n    import n\nexcept ImportError:\n    n = None", "import"),
    ],
)
def test_how_a_name_is_made(source: str, kind: str) -> None:
    assert analyse(source).defines["n"].kind == kind


def test_builtins_stand_apart() -> None:
    found = analyse("total = sum(xs)\nlen")
    assert set(found.builtins) == {"sum", "len"}
    assert set(found.reads) == {"xs"}


def test_positions_are_those_of_the_first_place() -> None:
    found = analyse("a = 1\nb = x + a\nb += x\nx.y = 1")
    assert found.reads["x"] == Position(2, 5)
    assert found.defines["b"].position == Position(2, 1)
    assert found.mutates["x"] == Position(4, 1)


@pytest.mark.parametrize(
    ("source", "unknown"),
    [
        ("from math import *", ["from math import *"]),
        ("from .a import *", ["from .a import *"]),
        ("exec('x = 1')\nglobals()['y'] = eval('z')", ["exec", "eval", "globals"]),
        ("def exec(x): pass\nexec('x = 1')", []),
    ],
)
def test_blind_spots(source: str, unknown: list[str]) -> None:
    assert [u.what for u in analyse(source).unknown] == unknown


def test_what_is_not_python_raises() -> None:
    with pytest.raises(SyntaxError):
        analyse("%time x = 1")


@pytest.mark.skipif(sys.version_info < (3, 12), reason="syntax of Python 3.12")
def test_type_parameters_are_no_reads() -> None:
    found = analyse(
        "def f[T](x: T) -> T: return x\nclass A[U](B[U]): pass\ntype L[V] = list[V] | W"
    )
    assert set(found.reads) == {"B", "W"}
    assert set(found.defines) == {"f", "A", "L"}
