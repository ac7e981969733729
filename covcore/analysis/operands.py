"""Which operands a text tests, in the order in which the compiler comes to them.

The compiler makes a conditional jump (a *site*, src/sites.h) for whatever decides something inside an expression, and
gives it the position of an expression.  Of which one, depends on what the expression is for:

    if a and not b:             to jump: each operand has a site, at its own position
    x = a and not b             a value: the last operand is not tested; the sites of the others are at `a and not b`
    a < b < c                   each link has a site at the whole chain; the last link of a value has none
    [x for x in y if c]         the site of c is where it jumps from on to the next item: at the element, x

So sites are told apart by position, and by order where several share one.  Constants leave no site.

Before 3.14 all ways through `a and b` meet before its value is tested, in `(a and b) or c`: what has a site then is the whole of
it, not b.  In 3.12 the site of c is at c in a comprehension too, and that of its loop at the whole comprehension.
"""

from __future__ import annotations

import ast
from bisect import bisect_left
from collections.abc import Sequence
from typing import NamedTuple

# Families of sites that may have the same position.  No event tells of the "next item" of ASYNC_LOOPS.
TESTS, LOOPS, ASYNC_LOOPS, WHOLE_LOOPS = range(4)

type Place = tuple[int, int, int, int, int]  # line, column, end line, end column, family
type Arms = tuple[tuple[Operand, bool], ...]  # an operand was true, or false, by its own site


class Operand:
    """An operand that has a site, if the code is compiled as expected.

    Attributes:
        node: the expression, without any `not` before it; of a loop, what it runs over.
        link: of a chained comparison: which link it is, from 0; else -1.
        kind: see Condition.
        inverted: its site tests `not` of it.
        by_true, by_false: arms of other sites that make its site true or false without asking it: in `(a if b else c
            and d) or e`, a false c jumps past the site at which the ternary is tested.
        hits: whether its site was true, and false.
        may_fold: it is constant in part, so that its site, if any, may test something else: nothing is said of it.
        found: whether there is such a site.
    """

    __slots__ = ("by_false", "by_true", "found", "hits", "inverted", "kind", "link", "may_fold", "node")

    def __init__(
        self, node: ast.expr, kind: str, link: int = -1, inverted: bool = False, by_true: Arms = (), by_false: Arms = ()
    ) -> None:
        self.node = node
        self.kind = kind
        self.link = link
        self.inverted = inverted
        self.by_true = by_true
        self.by_false = by_false
        self.hits = [False, False]
        self.may_fold = False
        self.found = False

    def outcomes(self) -> tuple[bool, bool]:
        """Whether it was ever true, as the source has it, and whether it was ever false; or who saw it so, as `hits` has it."""
        true, false = self.hits
        for operand, truth in self.by_true:
            true |= operand.hits[not truth]
        for operand, truth in self.by_false:
            false |= operand.hits[not truth]
        return (false, true) if self.inverted else (true, false)

    def add(self, other: Operand) -> None:
        """Take in what is known of the same operand where another version has compiled it."""
        hits = other.outcomes()
        true, false = reversed(hits) if self.inverted else hits
        self.hits[0] |= true
        self.hits[1] |= false
        self.found |= other.found


class Value(NamedTuple):
    """How it shows what the value of an expression is.

    Attributes:
        true, false: arms that make it so before the last part of it is evaluated.
        node, inverted, by_true, by_false: of an operand whose site would test the value, see there.
    """

    true: Arms
    false: Arms
    node: ast.expr
    inverted: bool
    by_true: Arms
    by_false: Arms


class Following(NamedTuple):
    """A test of a value, right behind the expression that makes the value.

    The compiler has a jump to such a test, if that jumps in the same sense, go where the test itself goes, and gives it
    the test's position: in `x = (a and b) and c`, the site of a is at the whole.
    """

    decides: bool  # what the value must be to jump
    place: Place
    next: Following | None  # where the jump goes, if that is a test again


class Operands:
    """What the walk over a text found.

    Attributes:
        at: the operands at each place, in the order of their sites.
        decisions: all that is tested to jump and has several operands.
        leaves: the operands of decisions: (id of the node, link) -> operand.
        managers: places at which the exits of with statements have sites, too.
        unsure: places at which constants may have left fewer sites than operands.
    """

    def __init__(self, tree: ast.Module, lines: Sequence[int], minor: int) -> None:
        """Args:
        tree: the text, parsed.
        lines: those on which sites are, ascending; statements without any are passed over.
        minor: of the version of CPython whose compiler made the sites, 14 for 3.14.
        """
        self.at: dict[Place, list[Operand]] = {}
        self.decisions: list[ast.expr] = []
        self.leaves: dict[tuple[int, int], Operand] = {}
        self.managers: set[Place] = set()
        self.unsure: set[Place] = set()
        self._lines = lines
        self._values_meet = self._negations_fold = minor < 14
        self._tests_stand_at_themselves = self._loops_are_whole = minor < 13
        self._async_loops = ASYNC_LOOPS if minor >= 14 else WHOLE_LOOPS
        self._new: list[tuple[Place, Operand]] = []  # of the statement that is being looked at
        self._body(tree.body)

    def add(self, other: Operands) -> None:
        """Take in what is known where another version has compiled the same tree, with the same lines."""
        mine = {(id(operand.node), operand.link): operand for operands in self.at.values() for operand in operands}
        for place, operands in other.at.items():
            for operand in operands:
                if known := mine.get((id(operand.node), operand.link)):
                    known.add(operand)
                else:
                    self.at.setdefault(place, []).append(operand)

    # ---- statements

    def _body(self, body: Sequence[ast.stmt | ast.ExceptHandler | ast.match_case]) -> None:
        for node in body:
            if isinstance(node, ast.match_case):
                self._body(node.body)
            elif self._has_site(_first_line(node), node.end_lineno or node.lineno):
                self._statement(node)

    def _has_site(self, first: int, last: int) -> bool:
        at = bisect_left(self._lines, first)
        return at < len(self._lines) and self._lines[at] <= last

    def _statement(self, node: ast.stmt | ast.ExceptHandler) -> None:
        """Take up the operands of a statement: of its own expressions all or none."""
        n_decisions = len(self.decisions)
        try:
            self._own_expressions(node)
        except RecursionError:  # thousands of levels: then nothing is said of it
            del self.decisions[n_decisions:]
        else:
            for place, operand in self._new:
                self.at.setdefault(place, []).append(operand)
        self._new.clear()
        for field in _BODIES.get(type(node), ()):
            self._body(getattr(node, field))

    def _own_expressions(self, node: ast.stmt | ast.ExceptHandler) -> None:
        match node:
            case ast.If(test=test) | ast.While(test=test):
                self._decision(test)
            case ast.Assert():
                self._decision(node.test)
                self._values(node.msg)
            case ast.For(target=target, iter=iterable) | ast.AsyncFor(target=target, iter=iterable):
                self._values(iterable, target)
            case ast.Match():
                self._value(node.subject)
                for case in node.cases:
                    self._inside(case.pattern)
                    if case.guard:
                        self._decision(case.guard)
            case ast.With() | ast.AsyncWith():
                for item in node.items:
                    self._values(item.context_expr, item.optional_vars)
                    self.managers.add(_place(item.context_expr))
            case ast.Try() | ast.TryStar():
                pass
            case ast.ExceptHandler():
                self._values(node.type)
            case ast.FunctionDef() | ast.AsyncFunctionDef():
                self._values(*node.decorator_list, *node.args.defaults, *node.args.kw_defaults)
                self._type_parameters(node.type_params)
            case ast.ClassDef():
                self._values(*node.decorator_list, *node.bases, *(keyword.value for keyword in node.keywords))
                self._type_parameters(node.type_params)
            case ast.AnnAssign():  # an annotation runs when somebody looks at it, if ever
                self._values(node.value, node.target)
            case _:
                self._inside(node)

    def _type_parameters(self, parameters: Sequence[ast.type_param]) -> None:
        for parameter in parameters:
            self._inside(parameter)

    # ---- expressions for their value

    def _values(self, *nodes: ast.expr | None) -> None:
        for node in nodes:
            if type(node) not in _ATOMS:
                self._value(node)

    def _inside(self, node: ast.AST) -> None:
        """Take up what is below a node that decides nothing by itself."""
        for field in _FIELDS[type(node)]:
            child = getattr(node, field)
            if type(child) is list:
                for item in child:
                    if type(item) not in _ATOMS:
                        self._value(item)
            elif type(child) not in _ATOMS:
                self._value(child)

    def _value(self, node: ast.AST | None, following: Following | None = None) -> Value | None:
        """Take up an expression.  None: nothing shows its value but what tests it."""
        match node:
            case ast.BoolOp():
                return self._boolean_value(node, following)
            case ast.UnaryOp(op=ast.Not()):
                return self._inverse(node.operand)
            case ast.IfExp():
                self._decision(node.test)
                values = [self._value(node.body), self._value(node.orelse, following)]  # from the body it jumps there
                true = tuple(arm for value in values if value for arm in value.true)
                false = tuple(arm for value in values if value for arm in value.false)
                return Value(true, false, node, False, true, false)
            case ast.Compare(ops=[_, _, *_]):
                self._inside(node)
                links = [self._add(_place(node), Operand(node, "comparison", n)) for n in range(len(node.ops) - 1)]
                false = tuple((link, False) for link in links)
                return Value((), false, node, False, (), false)
            case ast.ListComp(elt=element) | ast.SetComp(elt=element) | ast.GeneratorExp(elt=element):
                self._comprehension(node, element, None)
            case ast.DictComp():
                self._comprehension(node, node.key, node.value)
            case ast.Lambda():
                self._values(*node.args.defaults, *node.args.kw_defaults, node.body)
            case ast.AST():
                self._inside(node)
        return None

    def _inverse(self, node: ast.expr) -> Value:
        value = self._value(node)
        if value is None:
            return Value((), (), node, True, (), ())
        if isinstance(node, ast.BoolOp):  # all ways through it meet before it is inverted
            return Value(value.false, value.true, node, True, value.false, value.true)
        return Value(value.false, value.true, value.node, not value.inverted, value.false, value.true)

    def _boolean_value(self, node: ast.BoolOp, following: Following | None) -> Value:
        """Each operand but the last is tested, and may decide the value of the whole."""
        if self._values_meet:
            following = None
        decides = isinstance(node.op, ast.Or)
        test = Following(decides, _place(node), following)
        place, behind = test.place, following
        while behind and behind.decides == decides:
            place, behind = behind.place, behind.next
        if _may_lose_tests(node.values, decides):
            self.unsure |= {test.place, place}
        arms: Arms = ()
        for part in node.values[:-1]:
            value = self._value(part, test) or Value((), (), part, False, (), ())
            if not is_constant(part):
                operand = self._add(place, Operand(value.node, "operand", -1, *value[3:]))
                operand.may_fold = may_fold(part)
                arms += (*(value.true if decides else value.false), (operand, decides))
        last = self._value(node.values[-1], following) or Value((), (), node.values[-1], False, (), ())
        true, false = (arms, ()) if decides else ((), arms)
        tested = (node, False, (), ()) if self._values_meet else last[2:]
        return Value(true + last.true, false + last.false, *tested)

    def _comprehension(
        self,
        node: ast.ListComp | ast.SetComp | ast.DictComp | ast.GeneratorExp,
        element: ast.expr,
        value: ast.expr | None,
    ) -> None:
        """value: of a dict, whose key is the element"""
        first = _place(self._folded(element))
        last = (*first[:2], *_place(self._folded(value or element))[2:])
        if _may_lose_tests([*(test for part in node.generators for test in part.ifs), element], False):
            self.unsure |= {first, last}
        for part in node.generators:
            self._values(part.iter)
            loop = Operand(part.iter, "loop")
            if part.is_async:
                self._add((*_place(node)[:4], self._async_loops), loop)
            elif self._loops_are_whole:
                self._add((*_place(node)[:4], WHOLE_LOOPS), loop)
            else:
                self._add((*_place(self._folded(part.iter))[:4], LOOPS), loop)
            self._values(part.target)
            exit = last if part is node.generators[-1] else first
            for test in part.ifs:
                self._decision(test, None if self._tests_stand_at_themselves else exit)
        self._values(element, value)

    def _folded(self, node: ast.expr) -> ast.expr:
        """What stands for an expression in the code: `not a is b` became `a is not b` (fold_unaryop in 3.13's ast_opt.c)."""
        inner = node
        while isinstance(inner, ast.UnaryOp) and isinstance(inner.op, ast.Not):
            inner = inner.operand
        match inner:
            case ast.Compare(ops=[ast.Is() | ast.IsNot() | ast.In() | ast.NotIn()]) if self._negations_fold:
                return inner
        return node

    # ---- expressions that are tested, to jump

    def _decision(self, test: ast.expr, exit: Place | None = None) -> None:
        """exit: where the compiler puts the sites that jump out, if not at the operands"""
        self._jump(test, "test", exit, False)
        if is_decision(test):
            self.decisions.append(test)

    def _jump(self, node: ast.expr, kind: str, exit: Place | None, sense: bool) -> None:
        """Take up what is tested as codegen_jump_if in CPython's codegen.c compiles it.

        Args:
            node: what is tested.
            kind: of the operand, if it is one.
            exit: see _decision; None if the jump goes to another operand.
            sense: whether the jump is taken if it is true.
        """
        match node:
            case ast.UnaryOp(op=ast.Not()):
                self._jump(node.operand, kind, exit, not sense)
            case ast.BoolOp():
                decides = isinstance(node.op, ast.Or)  # what an operand must be to decide all
                for part in node.values[:-1]:
                    self._jump(part, "operand", exit if decides == sense else None, decides)
                self._jump(node.values[-1], "operand", exit, sense)
            case ast.IfExp():
                self._decision(node.test)
                self._jump(node.body, kind, exit, sense)
                self._jump(node.orelse, kind, exit, sense)
            case ast.Compare(ops=[_, _, *_]):
                self._inside(node)
                last = len(node.ops) - 1
                for link in range(last + 1):
                    self._add_leaf(exit if link == last else None, Operand(node, "comparison", link))
            case _:
                self._values(node)
                if not is_constant(node):
                    self._add_leaf(exit, Operand(node, kind)).may_fold = may_fold(node)

    def _add_leaf(self, exit: Place | None, operand: Operand) -> Operand:
        self.leaves[id(operand.node), operand.link] = operand
        return self._add(exit or _place(operand.node), operand)

    def _add(self, place: Place, operand: Operand) -> Operand:
        self._new.append((place, operand))
        return operand


def is_decision(node: ast.expr) -> bool:
    """Whether what is tested has several operands."""
    while isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        node = node.operand
    return isinstance(node, ast.BoolOp) or (isinstance(node, ast.Compare) and len(node.ops) > 1)


def may_fold(node: ast.expr) -> bool:
    """Whether its value may be known to the compiler, so that it may have no site."""
    match node:
        case ast.BoolOp(values=values):
            return any(map(may_fold, values))
        case ast.IfExp():
            return may_fold(node.test) or may_fold(node.body) or may_fold(node.orelse)
        case ast.UnaryOp(operand=operand):
            return may_fold(operand)
        case ast.BinOp():
            return may_fold(node.left) and may_fold(node.right)
        case ast.Tuple(elts=parts):
            return all(map(may_fold, parts))
        case ast.Subscript():
            return may_fold(node.value) and may_fold(node.slice)
    return is_constant(node)


def _may_lose_tests(parts: Sequence[ast.expr], decides: bool) -> bool:
    """Whether constants may have left the compiler without some of the tests in operands; `decides` is what ends them early."""
    *tested, last = parts
    return _may_lose_some(last) or any(
        _may_lose_some(part)
        or (may_fold(part) and not (isinstance(part, ast.Constant) and bool(part.value) != decides))
        for part in tested
    )


def _may_lose_some(node: ast.expr) -> bool:
    match node:
        case ast.BoolOp(op=op, values=values):
            return _may_lose_tests(values, isinstance(op, ast.Or))
        case ast.IfExp(test=test, body=body, orelse=orelse):
            return may_fold(test) or any(map(_may_lose_some, (test, body, orelse)))
        case ast.UnaryOp(op=ast.Not(), operand=operand):
            return _may_lose_some(operand)
    return may_fold(node) and not is_constant(node)


def is_constant(node: ast.expr) -> bool:
    """Whether the compiler knows its value at once."""
    return isinstance(node, ast.Constant) or (isinstance(node, ast.Name) and node.id == "__debug__")


def _place(node: ast.expr) -> Place:
    assert node.end_lineno is not None and node.end_col_offset is not None
    return node.lineno, node.col_offset, node.end_lineno, node.end_col_offset, TESTS


def _first_line(node: ast.stmt | ast.ExceptHandler) -> int:
    decorators = getattr(node, "decorator_list", None)
    return decorators[0].lineno if decorators else node.lineno


_NO_EXPRESSIONS = {
    *("ctx", "op", "ops", "id", "attr", "arg", "conversion", "kind", "str", "name", "names", "asname", "module"),
    *("level", "rest", "kwd_attrs", "type_comment", "simple", "is_lazy"),
}
_FIELDS: dict[type, tuple[str, ...]] = {
    kind: tuple(field for field in kind._fields if field not in _NO_EXPRESSIONS)
    for kind in vars(ast).values()
    if isinstance(kind, type) and issubclass(kind, ast.AST)
}
_ATOMS = {type(None), str, int, ast.Name, ast.Constant}  # nothing is below them
_BODIES: dict[type, tuple[str, ...]] = {
    kind: tuple(field for field in fields if field in ("body", "cases", "handlers", "orelse", "finalbody"))
    for kind, fields in _FIELDS.items()
}
