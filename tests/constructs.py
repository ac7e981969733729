"""Programs, one per construct, each with what a report must say about it written into its lines.

A program is run once, as it stands.  The mark at the end of a line says what becomes of that line:

    (nothing)     a statement that runs          (blank lines and pure comments are no statements)
    #-            a statement that never runs
    #.            no statement: a continuation, a docstring, `else:`
    #~            an annotation in a class: no statement, but before 3.14 one that runs
    #x            an excluded statement
    ...> 3 !5     then its branches: to line 3, taken; to line 5, never taken; "exit" is the way out of the code,
                  written as minus the first line of that code where there are two of them

Where a line cannot end in a comment, its mark stands on a line of its own after the program: `#8 > 9 !10`.
"""

import re
import sys
from typing import NamedTuple

_MARK = re.compile(r"(?:^#(?P<line>\d+) |#)(?P<kind>[-.x~]?)(?:> (?P<branches>[- !\w]+))?$")


class Expected(NamedTuple):
    """What the marks of a program say."""

    statements: list[int]
    missing: list[int]
    excluded: list[int]
    branches: dict[int, dict[str, bool]]  # from -> to -> taken


def expected(program: str) -> Expected:
    """Read the marks of a program."""
    marks: dict[int, tuple[str, str]] = {}
    for number, text in enumerate(program.splitlines(), 1):
        mark = _MARK.search(text)
        if mark and mark["line"]:
            marks[int(mark["line"])] = mark["kind"], mark["branches"] or ""
        elif mark:
            marks[number] = mark["kind"], mark["branches"] or ""
        elif text.strip() and not text.lstrip().startswith("#"):
            marks[number] = "", ""

    found = Expected([], [], [], {})
    for line, (kind, branches) in sorted(marks.items()):
        if kind in ("", "-") or (kind == "~" and sys.version_info < (3, 14)):
            found.statements.append(line)
        if kind == "-":
            found.missing.append(line)
        if kind == "x":
            found.excluded.append(line)
        if branches:
            found.branches[line] = {to.lstrip("!"): not to.startswith("!") for to in branches.split()}
    return found


_AFTER_A_NEWLINE = {
    "if": """
def f(x):
    if x > 1:  #> 3 5
        a = 1
    # a comment
    if x > 5:  #> 6 7
        a = 2
    return x
f(9)
f(0)
f(7)
""",
    "if, elif, else": """
def f(x):
    if x == 1:  #> 3 4
        return "one"
    elif x == 2:  #> 5 6
        return "two"
    elif x == 3:  #> !7 9
        return "three"  #-
    else:  #.
        return "many"
f(1)
f(2)
f(4)
""",
    "if at the end of a function": """
def f(x):
    if x:  #> !3 exit
        x += 1  #-
f(0)
""",
    "if at the end of the module": """
x = 0
if x:  #> !3 exit
    x += 1  #-
""",
    "nested if": """
def f(x, y):
    if x:  #> 3 7
        if y:  #> 4 !6
            return 1
        else:  #.
            pass  #-
    return 2
f(1, 1)
f(0, 0)
""",
    "conditions inside one line": """
def f(x, y):
    if x and y or x > 5:  #> 3 4
        return 1
    if not (x or y):  #> 5 6
        return 2
    if 1 < x < y:  #> !7 8
        return 3  #-
    if (z := x) is None:  #> !9 10
        return 4  #-
    if (x if y else z):  #> 11 !exit
        return 5
f(1, 1)
f(0, 0)
f(3, 0)
f(2, 0)
""",
    "a test over several lines": """
def f(x, y):
    if (x and  #> 5 6
            y or  #.
            x > 5):  #.
        return 1
    elif (  #> !10 11
        x  #.
        # in between
    ):  #.
        return 2  #-
    while (  #> 15 exit
        y  #.
        and not x  #.
    ):  #.
        y -= 1
f(1, 1)
f(0, 2)
""",
    "any and all in a test": """
def f(x):
    if any(i > 2 for i in x):  #> 3 4
        return 1
    if all(i for i in x):  #> 5 6
        return 2
    if tuple(i for i in x):  #> 7 !exit
        return 3
f([3])
f([1])
f([0])
""",
    "comprehensions in a test": """
def f(x):
    if [i for i in x if i]:  #> 3 4
        return 1
    for j in [i for i in x]:  #> !5 6
        j()  #-
    while {i: i for i in x}:  #> !7 exit
        return 2  #-
f([0])if 0 else f([1])
f([])
""",
    "comprehensions": """
def f(x):
    a = [i for i in x if i > 1]
    b = {i: i
         for i in x  #.
         if i > 1}  #.
    c = {i for i in x for j in x}
    d = list(i for i in x)
    e = (i for i in x if i)
    return a, b, c, d
f([1, 2])
""",
    "and, or and the conditional expression as values": """
def f(x, y):
    a = x and y
    b = x or y
    c = 1 if x else 2
    return (a
            or b  #.
            or c)  #.
f(0, 1)
""",
    "lambda": """
f = lambda x: 1 if x else 2
g = lambda: (
    f(0)  #.
)  #.
h = lambda x: x
f(1)
""",
    "one-line if": """
def f(x):
    if x: x = 0
    if x: return 1  #> 4 !exit
    if x: x = 0; x += 2
    return x
f(0)
""",
    "one-line if with else": """
def f(x):
    if x: y = 1  #> 3 4
    else: y = 2
    if y == 3: return 1  #> 5 !exit
    elif y == 4: return 5  #> 6 !exit
    else: return 2
f(0)
f(1)
""",
    "one-line for and while": """
def f(x):
    for i in x: i += 1
    while x: x.pop()
    for i in x: break  #> 5 !6
    else: y = 2
    while x: return 1  #> 7 !exit
    return 2
f([1, 2])
""",
    "one-line break and continue": """
def f(x):
    for i in x:  #> 3 6
        if i > 2: break  #> 4 6
        if i < 2: continue  #> 2 5
        i += 1
    return i
f([1, 2])
f([3])
""",
    "for": """
def f(x):
    for i in x:  #> 3 4
        i += 1
    for i in ():  #> !5 6
        i += 1  #-
    for i in x:  #> 7 10
        if i:  #> 8 !9
            continue
        i += 1  #-
    return x
f([1])
""",
    "for and else": """
def f(x):
    for i in x:  #> 3 6
        if i == 1:  #> !2 4
            break
    else:  #.
        x = 0
    for i in [1]:  #> 8 !11
        if i == 1:  #> !7 9
            break
    else:  #.
        x = 1  #-
    return x
f([])
f([1])
""",
    "for with return in it": """
def f(x):
    for i in x:  #> 3 !exit
        if i:  #> 2 4
            return i
f([0, 1])
""",
    "for that never ends by itself": """
def f(x):
    for i in x:  #> 3 !4
        return i
    return 2  #-
f([1])
""",
    "nested for": """
def f(x):
    for i in x:  #> 3 exit
        for j in x:  #> 4 7
            if j:  #> 3 5
                break
        else:  #.
            continue
        break
f([1])
f([0])
""",
    "for that fails to unpack": """
def f(x):
    for a, b in x:  #> !3 !4
        x = a  #-
    return x  #-
try:
    f([1])
except TypeError:
    pass
""",
    "while": """
def f(x):
    while x:  #> 3 4
        x -= 1
    while x > 5:  #> !5 6
        x -= 1  #-
    return x
f(2)
""",
    "while and else": """
def f(x):
    while x > 0:  #> 3 7
        x -= 1
        if x == 5:  #> 2 5
            break
    else:  #.
        x = 0
    while x < 0:  #> !9 11
        break  #-
    else:  #.
        x = 1
    return x
f(2)
f(6)
""",
    "while True": """
def f(x):
    while True:
        x += 1
        if x > 3:  #> 2 5
            break
    while 1:
        x += 1
        if x > 10:  #> 6 9
            return x
f(1)
""",
    "while True with a with": """
import contextlib
def f(x):
    while True:
        with contextlib.nullcontext():
            x += 1
            if x > 3:  #> 7 8
                break
            if x > 4:  #> 3 !9
                x += 1  #-
    return x
f(1)
""",
    "async for": """
import asyncio
async def g(n):
    for i in range(n):  #> 4 exit
        yield i
async def f(n):
    async for i in g(n):  #> 7 10
        if i == 1:  #> 6 8
            break
    else:  #.
        n = 0
    async for i in g(n):  #> 12 13
        n += 1
    return [i async for i in g(n) if i]
asyncio.run(f(1))
asyncio.run(f(2))
""",
    "await in a test": """
import asyncio
async def g(n):
    return n
async def f(n):
    if await g(n):  #> !6 7
        n = 0  #-
    while await g(n):  #> !8 9
        n -= 1  #-
    for i in await g([1]):  #> 10 11
        n = i
    return n
asyncio.run(f(0))
""",
    "match": """
def f(x):
    match x:
        case 1:  #> 4 5
            return "one"
        case 2 | 3:  #> 6 7
            return "few"
        case int(n) if n > 10:  #> 8 9
            return "many"
        case str():  #> !10 11
            y = x  #-
        case [a, *b]:  #> 12 13
            y = b
        case {"k": v, **rest}:  #> !14 15
            y = v  #-
        case None:  #> !16 17
            y = 0  #-
    return x
f(1)
f(3)
f(11)
f([1])
f(4)
""",
    "match with a wildcard": """
def f(x):
    match x:
        case 1:  #> 4 !5
            y = 1
        case _:  #-
            y = 2  #-
    match x:
        case 1:  #> 9 !10
            y = 1
        case other:  #-
            y = other  #-
    match x:
        case 3 | _:
            y = 3
    match x:
        case _ if x:  #> 17 !18
            y = 3
    return y
f(1)
""",
    "match over several lines": """
def f(x):
    match (
        x  #.
    ):  #.
        case (  #> 9 10
            1  #.
            | 2  #.
        ):  #.
            y = 1
        case [  #> 16 !17
            int(),  #.
            int(),  #.
        ] if (  #.
            x[0]  #.
        ):  #.
            y = 2
        case {  #-
            "k": 1  #.
        }: y = 3  #.
    return x
f(2)
f([1, 2])
""",
    "match at the end of a function": """
def f(x):
    match x:
        case 1:  #> 4 !5
            x = 2
        case 2:  #-> !6 !exit
            x = 3  #-
f(1)
""",
    "try and except": """
def f(x):
    try:
        y = 1 / x
    except ZeroDivisionError:
        y = 0
    except (TypeError,  #-
            ValueError) as error:  #.
        y = str(error)  #-
    except:  #-
        y = 2  #-
    else:  #.
        y = 3
    return y
f(0)
f(1)
""",
    "try with if at the ends": """
def f(x):
    try:
        if x:  #> 4 9
            y = 1 / (x - 1)
    except ZeroDivisionError as error:
        if x:  #> 7 !11
            y = 0
    else:  #.
        if x:  #> !10 11
            y = 5  #-
    return x
f(0)
f(1)
""",
    "except group": """
def f(x):
    try:
        if x:  #> 4 10
            raise ExceptionGroup("", [ValueError()])
    except* ValueError:
        x = 0
    except* TypeError:
        if x:  #-> !9 !10
            x = 1  #-
    return x
f(0)
f(1)
""",
    "raise": """
def f(x):
    if x:  #> 3 6
        raise ValueError(
            x  #.
        )  #.
    try:
        if x == 0:  #> 8 !exit
            raise TypeError
    except TypeError:
        raise ValueError from None
for i in (0, 1):  #> 12 exit
    try:
        f(i)
    except ValueError:
        pass
""",
    "finally": """
def f(x):
    try:
        x += 1
    finally:  #.
        if x:  #> 6 7
            x += 1
    return x
f(1)
f(-1)
""",
    "finally after return": """
def f(x):
    try:
        if x:  #> 4 6
            return 1
    finally:  #.
        if x == 1:  #> 7 8 exit
            x = 2
    return x
f(0)
f(1)
f(2)
""",
    "finally after nothing but return": """
def f(x):
    try:
        return x
    finally:  #.
        if x:  #> !6 exit
            x = 2  #-
f(0)
""",
    "finally after break and continue": """
def f(x):
    for i in x:  #> 3 12
        try:
            if i == 1:  #> 5 6
                break
            if i == 2:  #> 7 8
                continue
            i += 1
        finally:  #.
            if i > 5:  #> 2 11 12
                x = []
    return x
f([1])
f([2, 9])
""",
    "finally after an exception": """
def f(x):
    try:
        try:
            1 / x
        finally:  #.
            if x == 0:  #> 7 !10
                x = 1
    except ZeroDivisionError:
        x = 2
    return x
f(0)
""",
    "one-line return through finally": """
def f(x):
    try:
        if x: return 1  #> 4 6
        x = 2
    finally:  #.
        x = 3
    return x
f(0)
f(1)
""",
    "an exception on its way through finally": """
def f(x):
    try:
        y = 1 / x
    finally:  #.
        if x:  #> !6 exit
            y = 1  #-
try:
    f(0)
except ZeroDivisionError:
    pass
""",
    "one-line raise beside finally": """
def f(x):
    try:
        try:
            y = 1 / x
        except ZeroDivisionError:
            if x == 0: raise
            y = 2  #-
        else:  #.
            if x: raise ValueError
        finally:  #.
            y = 3
    except (ZeroDivisionError, ValueError):
        y = 4
    return y
f(0)
f(1)
""",
    "finally in a loop": """
def f(x):
    while x:  #> 3 13
        try:
            x -= 1
            if x == 3: continue  #> 9 11
        except ValueError:  #-
            pass  #-
        else:  #.
            if x == 2: break
        finally:  #.
            y = 1
    else:  #.
        y = 2
    return y
f(1)
f(5)
""",
    "with": """
import contextlib
def f(x):
    with contextlib.nullcontext():
        if x:  #> !5 6
            x += 1  #-
    with contextlib.nullcontext() as y:
        x += 1
    with contextlib.nullcontext():
        for i in range(x):  #> 10 exit
            i += 1
f(0)
""",
    "nested with": """
import contextlib
def f(x):
    with contextlib.nullcontext():
        with contextlib.nullcontext():
            if x:  #> !6 7
                x += 1  #-
    for i in range(2):  #> 8 15
        with contextlib.nullcontext():
            with contextlib.nullcontext():
                if i:  #> 11 12
                    x += 1
        with contextlib.nullcontext():
            if i:  #> 7 14
                continue
    return x
f(0)
""",
    "with over several lines": r"""
import contextlib
def f(x):
    with (
        contextlib.nullcontext() as a,  #.
        contextlib.nullcontext() as b,  #.
    ):  #.
        if x:  #> 8 9
            x += 1
    with contextlib.nullcontext() as a, \
            contextlib.nullcontext() as b:  #.
        if x:  #> 12 13
            return 1
    return x
f(0)
f(1)
""",
    "with that swallows exceptions": """
import contextlib
def f(x):
    with contextlib.suppress(ValueError):
        if x:  #> 5 6
            raise ValueError
        x = 1
    with contextlib.suppress(ValueError):
        if not x:  #> !9 10
            x = 3  #-
        raise ValueError
    return x
f(0)
f(1)
""",
    "with, return and loops": """
import contextlib
def f(x):
    for i in x:  #> 4 11
        with contextlib.nullcontext():
            if i == 1:  #> !6 7
                return 1  #-
            if i == 2:  #> 8 9
                break
            if i == 3: continue  #> 3 10
            i += 1
    with contextlib.nullcontext(): x = 1
    with contextlib.nullcontext(): return 2
f([2])
f([3, 4])
""",
    "async with": """
import asyncio, contextlib
async def f(x):
    async with contextlib.AsyncExitStack() as a, contextlib.AsyncExitStack() as b:
        if x:  #> !5 6
            x += 1  #-
    return x
asyncio.run(f(0))
""",
    "with and try": """
import contextlib
def f(x):
    try:
        with contextlib.nullcontext():
            if x:  #> 6 !10
                raise ValueError
    except ValueError:
        x = 1
    else:  #.
        x = 2  #-
    return x
f(1)
""",
    "generators": """
def f(x):
    for i in x:  #> 3 5
        if i:  #> 2 4
            yield i
    yield from x
    x = yield
    while True:  #-
        x = yield x  #-
list(zip(f([0, 1]), range(3)))
""",
    "a generator that is not exhausted": """
def f(x):
    for i in x:  #> 3 !4
        yield i
    return 3  #-
next(f([1]))
""",
    "one-line functions": """
def f(): return 1  #> 2 exit
def g(): pass  #> 3 !exit
def h(x): yield x  #> 4 !exit
async def k(): await x  #> 5 !exit
def m(): x = 1; return x  #> 6 !exit
f()
""",
    "one-line classes": """
class A: pass  #> 2 exit
class B(Exception): pass  #> 3 exit
class C:
    class D: x = 1  #> 5 exit
    def f(self): return 1  #> 6 exit
    @property
    def g(self): return 2  #> -3 !-6
C().f()
""",
    "one-line raise": """
def f(x):
    if x: raise ValueError  #> 3 exit
    try:
        if x == 0: raise TypeError  #> !5 6
        x = 1  #-
    except KeyError:
        if x: raise KeyError  #-> !12 !exit
    except TypeError:
        x = 2
    else:  #.
        if x: raise KeyError  #-> !12 !exit
    try:
        if x == 3: raise KeyError
    finally:  #.
        x = 4
    return x
def g(): raise ValueError  #> 18 exit
def h(x): return x()  #> 19 exit
def i(x): x.close(); raise ValueError  #> 20 !exit
class A:
    if not f: raise TypeError
    x = 1
f(0)
try:
    f(1)
except ValueError:
    pass
try:
    h(g)
except ValueError:
    pass
if not f: raise TypeError
x = 1
""",
    "one-line definitions with a docstring": '''
class A: "doc"  #> 2 exit
def f(): "doc"  #> 3 exit
def g(): """doc"""; return 1  #> 4 !exit
f()
''',
    "a one-line definition at the end": """
x = 1
def f(): return 1  #> -1 !-2
""",
    "decorators": """
import functools
def d(*a):
    return lambda f: f
@d()
@d(1,
   2)  #.
@functools.cache
def f(x):
    if x:  #> !10 exit
        return 1  #-
@d(
    3  #.
)  #.
class A:
    @staticmethod
    @d()
    def g(): return 1  #> -11 !-15
f(0)
""",
    "definitions over several lines": """
def f(
    a,  #.
    b=1,  #.
    *,  #.
    c=None,  # :  #.
) -> int:  #.
    if a:  #> 8 !exit
        return b
def g(a,  #> 11 !exit
      b): return a  #.
def h(  #> 13 exit
): return 1  #.
class A(
    object,  #.
    metaclass=type,  #.
):  #.
    x = 1
class B(object  #> 20 exit
        ): y = 1  #.
f(1)
h()
""",
    "classes": '''
class A:
    """doc"""  #.
    x = 1
    if x:  #> 5 !6
        y = 1
    for i in range(2):  #> 7 8
        z = i
    def f(self):
        """doc  #.
        more"""  #.
        return 1
    def g(self):
        """only"""  #.
    def h(self): ...  #x
A().f()
''',
    "docstrings and strings": '''
"""doc  #.
more  #.
"""  #.
def f():
    """doc"""  #.
    "no doc"
    """no
    doc"""  #.
    return """text
    text"""  #.
"no doc"
f()
''',
    "global, nonlocal, del, pass": """
x = 1
def f():
    global x  #.
    y = 1
    def g():
        nonlocal y  #.
        del y
    if x:  #> 9 !10
        pass
    g()
    del x
f()
""",
    "assert": """
def f(x):
    assert x, "no"
    assert (x and
            x > 0), (  #.
        "no")  #.
    return 1
f(1)
try:
    f(0)
except AssertionError:
    pass
""",
    "constant tests": """
def f(x):
    if 0:
        x = 1  #.
    if 1:
        x = 2
    else:  #.
        x = 3  #.
    if __debug__:
        x = 4
    if not True:
        x = 5  #.
    while 0:
        x = 6  #.
    while 0:
        x = 6  #.
    else:  #.
        x = 7
    return x
f(1)
""",
    "partly constant tests": """
def f(x):
    if x or True:
        x = 1
    if x and 0:
        x = 2  #.
    if 0 and x:
        x = 3  #.
    return x
f(0)
""",
    "while 1 with else": """
def f(x):
    while 1:
        x += 1
        if x > 3:  #> 2 5
            break
    else:  #.
        x = 0  #.
    return x
f(0)
""",
    "semicolons and backslashes": r"""
x = 1; y = [
    2]; z = 3  #.
a = 1; \
    b = 2  #.
if x and \
        y:  #.
    c = 1; d = 2
if x: \
    e = 3  #.
f = "# \
" ; g = 1  #.
assert \
    x  #.
#5 > 7 !8
""",
    "statements over several lines": '''
x = [
    1,  #.

    # a comment
    2,  #.
]  #.
y = dict(
    a=lambda:  #.
        1,  #.
    b=[i  #.
       for i in x],  #.
)  #.
z = f"""{x
} {y!r:
>10}"""
#14 .
#15 .
''',
    "a return over several lines at the end of a loop": """
def f(x):
    for i in x:  #> 3 7
        if i:  #> 2 4
            return (
                i  #.
            )  #.
    return None
f([1])
f([0])
""",
    "type parameters and aliases": """
type X[T] = list[T]
def f[T: (int, str)](x: T) -> T:
    if x:  #> 4 !exit
        return x
class A[T]: pass  #> 6 exit
class B[T]:
    x: T  #~
    y: int = 1
    def g[S](self, s: S): return s  #> -6 !-9
f(1)
""",
    "annotations": """
x: int
y: int = 1
def f(a: int, b: "str" = "",
      *c: list[  #.
          int]) -> dict[  #.
              str, int]:  #.
    z: int  #.
    return a
class A:
    x: int  #~
    if y:  #> 12 !13
        z: int
    w: str = ""
f(1)
""",
    "dead code": """
def f(x):
    if x:  #> !3 5
        return 1  #-
        x = 2  #.
    while True:
        return 3
    x = 4  #.
f(0)
""",
    "nested functions": """
def f(x):
    def g(y):
        if y:  #> !4 5
            return 1  #-
        return 2
    class A:
        if x:  #> !8 exit
            z = 1  #-
    return g
f(0)(0)
""",
    "try in loops, all ways out": """
def f(x):
    for i in x:  #> 3 20
        try:
            if i == 1:  #> 5 6
                break
            if i == 2:  #> 7 8
                continue
            if i == 3:  #> 9 10
                return i
            1 / i
        except ZeroDivisionError:
            if not x[0]:  #> 13 !18
                continue
        else:  #.
            if i == 4:  #> 16 !18
                break
        finally:  #.
            i += 1
    else:  #.
        x = 0
    while x:  #> 22 30
        try:
            x = x[1:]
        except TypeError:  #-
            break  #-
        else:  #.
            continue
        finally:  #.
            i = 0
    return x
f([])
f([0])
f([2, 1, 5])
f([4])
f([3])
""",
    "except group in a loop": """
def f(x):
    for i in x:  #> 3 16
        try:
            if i:  #> 5 13
                raise ExceptionGroup("", [ValueError(), TypeError()])
        except* ValueError as group:
            if group.exceptions:  #> 8 !9
                i = 2
        except* (TypeError,
                 KeyError):  #.
            i = 3
        else:  #.
            i = 4
        finally:  #.
            i = 5
    return i
f([0, 1])
""",
    "f-strings and t-strings": '''
def f(x):
    if f"{x}" and t"{x}":  #> 3 !4
        y = f"{x if x else 0!r:>{x}}"
    for z in (f"{x}"  #> 6 9
              f"{y}",):  #.
        t"{z} {
            x or y
        }"
    if f"{'' if x else 'a'}": y = f"""
        {x
         }"""
    return t"{f"{y!r}"}"
f(1)
#7 .
#8 .
#10 .
#11 .
''',
    "async with over several lines": """
import asyncio, contextlib
@contextlib.asynccontextmanager
async def suppress():
    try:
        yield
    except ValueError:
        pass
async def f(x):
    async with (
        suppress() as a,  #.
        suppress(),  #.
    ):  #.
        if x:  #> 14 15
            raise ValueError
        x = 1
    while True:
        async with suppress():
            if x:  #> 19 !20
                break
            return 2  #-
    async with suppress():
        async for i in g():  #> 23 !25
            if i:  #> 22 24
                raise ValueError
    return x
async def g():
    for i in (0, 1):  #> !exit 28
        yield i
asyncio.run(f(0))
asyncio.run(f(1))
""",
    "annotated classes that end in a branch": """
import dataclasses
@dataclasses.dataclass
class A:
    x: int  #~
    def f(self): return 1  #> !-5 -2
class B:
    x: int = 1
    for i in (0,):  #> exit 9
        pass
class C[T]:
    x: T  #~
    if B:  #> !exit 13
        y = 1
@dataclasses.dataclass(
    order=True)  #.
class D:
    x: int  #~
    match 1:
        case 1:  #> !exit 20
            z = 1
A(1)
""",
    "lambdas and generators in headers": """
import functools
def d(*a):
    return lambda f: f
@d(lambda x: x if x else 1, [i for i in (1,) if i])
def f(x=lambda: 1 or 2, *y, z=any(i for i in (0, 1))):
    for i in (j for j in x() if j): y += (i,)
    while (lambda: not y)(): return (  #> !exit 9
        yield from ())  #.
    with (functools.partial(open, "/dev/null") if y else f)() as w: pass
    return (yield z)
f(lambda: [1])
list(f(lambda: [0, 1]))
""",
    "match in a loop": """
def f(x):
    for i in x:  #> 3 14
        match i:
            case [1, *rest] | [*rest, 2] if len(rest) > 1:  #> 5 6
                continue
            case {"a": (int() | str()) as a, **rest} if (b := a): break  #> 7 15
            case [[x0, y0], str(z0)] | (y0, x0, z0):  #> 8 9
                return x0
            case complex(real=0.0, imag=y0) if not y0 or y0 > 1: pass  #> 2 10
            case _ if i:  #> 11 12
                if i == 9: return  #> exit 2
            case _: i = 0
    else:  #.
        return 1
    return 2
f([[1, 2, 3], 0j, 5j, 7])
f([{"a": 1}])
f([[[1, 2], ""]])
f([0])
f([9])
""",
    "deleting, global and nonlocal on one line": """
x = 1; del x
def f():
    global x; x = 1
    def g(): nonlocal y; del y  #> exit 5
    y = 2
    if x: del x; x = 2
    g()
    for (x) in (): del x
f()
""",
    "code that never runs": """
def f(x):
    if x:  #-> !3 !4
        return 1  #-
    for i in x:  #-> !5 !8
        with x:  #-
            if i:  #-> !4 !7
                break  #-
    try:  #-
        x = 1  #-
    finally:  #.
        x = 2  #-
    return [  #-
        i for i in x  #.
    ]  #.
""",
    "excluded": """
import typing
from typing import TYPE_CHECKING
if TYPE_CHECKING:  #x
    import a  #x
if typing.TYPE_CHECKING:  #x
    import b  #x
else:  #.
    c = 1
if c:  # pragma: no cover  #x
    d = 1  #x
    e = 2  #x
elif c > 5:  #-
    d = 2  #-
else:  # pragma: no cover  #.
    d = 3  #x
def f(x):  # pragma: no cover  #x
    if x:  #x
        return 1  #x
    def g(): pass  #x
class A:  # pragma: no cover  #x
    x = 1  #x
    def g(self):  #x
        pass  #x
x = 1  # pragma: no cover  #x
def g(x):
    if x:
        y = 1  # pragma: no cover  #x
    if x:
        return 1  #-
    for i in x:  # pragma: no cover  #x
        i()  #x
    else:  #.
        x = 2
    while x:
        x()  # pragma: no cover  #x
    return 2  #-
g(0) if 0 else g([])
""",
    "excluded clauses": """
def f(x):
    try:
        y = 1
    except ValueError:  # pragma: no cover  #x
        y = 2  #x
        y = 3  #x
    except TypeError:  #-
        y = 4  #-
    else:  # pragma: no cover  #.
        y = 5  #x
    finally:  # pragma: no cover  #.
        y = 6  #x
    try:  # pragma: no cover  #x
        y = 7  #x
    except KeyError:  #-
        y = 8  #-
    with open(  #x
        "/dev/null"  #.
    ):  # pragma: no cover  #.
        y = 9  #x
    if (x  #x
            and y):  # pragma: no cover  #.
        y = 10  #x
    elif x:  # pragma: no cover  #x
        y = 11  #x
    else:  #.
        # pragma: no cover
        y = 12
    return y
f(0)
""",
    "excluded cases": """
def f(x):
    match x:
        case 1:
            y = 1
        case 2:  # pragma: no cover  #x
            y = 2  #x
            y = 3  #x
        case _:  #x
            y = 4  # pragma: no cover  #x
    match x:
        case 1:
            y = 1  # pragma: no cover  #x
        case 2:  #-> !14 !15
            y = 2  #-
        case other if other:  #-
            y = 3  # pragma: no cover  #x
    match x:  # pragma: no cover  #x
        case 1:  #x
            y = 1  #x
    return x
f(1)
""",
    "excluded definitions": """
import functools
@functools.cache  # pragma: no cover  #x
def f(x):  #x
    return x  #x
@functools.cache  #x
def g(  #x
    x,  #.
    y,  #.
):  # pragma: no cover  #.
    return x  #x
@functools.cache  #x
# pragma: no cover
class A:  #x
    x = 1  #x
class B:
    @property  # pragma: no cover  #x
    def x(self):  #x
        return 1  #x
    def y(self): pass  # pragma: no cover  #x
    def z(self):
        return (1,  #x
                2)  # pragma: no cover  #.
""",
    "placeholders": """
from typing import Protocol, overload
class P(Protocol):
    def f(self) -> int: ...
    def g(
        self,
    ) -> int: ...
    async def h(self): ...
    def i(self):
        ...
    def j(self) -> dict[
        str, int
    ]:
        ...  # later
class Q: ...
@overload
def k(x: int) -> int: ...
@overload
def k(x: str) -> str: ...
def k(x):
    return x
x = ...
k(1)
#3 x
#4 x
#5 .
#6 .
#7 x
#8 x
#9 x
#10 x
#11 .
#12 .
#13 x
#15 x
#16 x
#17 x
#18 x
""",
    "no branch": """
def f(x):
    if x:  # pragma: no branch  #> 3 4
        x = 1
    while x:  # pragma: no branch  #> 5 6
        return 2
    if (x  #-> 8 9
            or x):  # pragma: no branch  #.
        return 3  #-
    return x  #-
f(1)
""",
}

_SINCE_3_15 = {
    "lazy imports": """
lazy import json
lazy from json import (
    dumps,  #.
    loads,  #.
)  #.
if json: lazy import ast
if dumps:  #> 8 !exit
    dumps(1)
""",
    "comprehensions that unpack": """
def f(x):
    if [*i for i in x if i]:  #> 3 4
        return {**i for i in ({},)}
    for i in (*j for j in x): i += 1
    return {*i for i in x}
f([[1]])
f([[]])
""",
}

if sys.version_info >= (3, 15):
    _AFTER_A_NEWLINE |= _SINCE_3_15

if sys.version_info < (3, 14):
    _AFTER_A_NEWLINE["f-strings and t-strings"] = re.sub(r'\bt(?=")', "f", _AFTER_A_NEWLINE["f-strings and t-strings"])

PROGRAMS = {name: text[1:] for name, text in _AFTER_A_NEWLINE.items()}
