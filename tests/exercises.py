"""A little work for modules of the standard library, so that a good part of each runs."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from types import ModuleType


def exercise_textwrap(it: ModuleType) -> None:
    it.fill("The quick brown fox -- jumped over the lazy dog's well-known back. " * 9, width=30, initial_indent="* ")
    it.dedent("  a\n    b\n  c\n")
    it.indent("a\nb\n\n", "> ")
    it.shorten("Hello  world, how are you?", width=12)


def exercise_argparse(it: ModuleType) -> None:
    parser = it.ArgumentParser(prog="prog", description="what it does", epilog="the end", exit_on_error=False)
    parser.add_argument("--count", "-c", type=int, default=1, help="how many (%(default)s)")
    parser.add_argument("--flag", action="store_true")
    parser.add_argument("--level", choices=["low", "high"])
    parser.add_argument("files", nargs="*", metavar="FILE")
    group = parser.add_mutually_exclusive_group()
    group.add_argument("--one", action="append")
    group.add_argument("--two", action="count")
    parser.parse_args(["-c3", "--flag", "a", "b", "--one=x"])
    parser.parse_known_args(["--two", "--unknown"])
    parser.format_help()
    with contextlib.suppress(it.ArgumentError):
        parser.parse_args(["--count", "many"])


def exercise_configparser(it: ModuleType) -> None:
    parser = it.ConfigParser(interpolation=it.ExtendedInterpolation())
    parser.read_string("[a]\nx = 1\ny: two\n  three\n# comment\n[b]\nz = ${a:x}\nempty =\n")
    parser.getint("a", "x")
    parser.get("b", "z")
    parser.set("a", "w", "4")
    list(parser.items("a"))
    parser.write(__import__("io").StringIO())
    for text in ("x = 1\n", "[a]\n[a]\n"):
        with contextlib.suppress(it.Error):
            it.ConfigParser().read_string(text)


def exercise_difflib(it: ModuleType) -> None:
    one, two = ["a", "b", "c", "d", "e", "f"], ["a", "x", "c", "d", "f", "g"]
    list(it.unified_diff(one, two, "from", "to"))
    list(it.context_diff(one, two))
    list(it.ndiff(one, two))
    it.get_close_matches("appel", ["ape", "apple", "peach"])
    it.SequenceMatcher(lambda x: x == " ", "private volatile", "private thread").ratio()
    it.HtmlDiff().make_table(one, two)


def exercise_fractions(it: ModuleType) -> None:
    a, b = it.Fraction("3/4"), it.Fraction(1.5)
    results = [a + b, a - 1, a * b, a / b, a**2, -a, abs(a), a < b, a == 0.75, round(a), hash(a), f"{a:.3f}", a // b]
    it.Fraction("0.125").limit_denominator(5)
    assert results
    with contextlib.suppress(ZeroDivisionError):
        it.Fraction(1, 0)


def exercise_shlex(it: ModuleType) -> None:
    it.split('a \'b c\' "d\\"e" f\\ g # no comment', comments=True)
    list(it.shlex("a && b || c; d >'abc'", punctuation_chars=True))
    it.quote("it's")
    with contextlib.suppress(ValueError):
        it.split("'open")


def exercise_statistics(it: ModuleType) -> None:
    data = [1, 2, 2, 3, 4.5, 7]
    for function in (it.mean, it.median, it.mode, it.stdev, it.variance, it.pvariance, it.harmonic_mean, it.quantiles):
        function(data)
    it.linear_regression([1, 2, 3], [2, 4, 6])
    it.NormalDist(1, 2).cdf(2)
    with contextlib.suppress(it.StatisticsError):
        it.mean([])


def exercise_pprint(it: ModuleType) -> None:
    nested = {"key": [list(range(40)), ("a" * 100,), {1, 2}, b"x" * 90], "other": {i: str(i) for i in range(30)}}
    it.pformat(nested, width=40)
    it.pformat(nested, depth=1, compact=True, sort_dicts=False)


def exercise_tokenize(it: ModuleType) -> None:
    from io import BytesIO

    text = b"# coding: utf-8\ndef f(x):\n    '''doc'''\n    return f'{x!r:>{10}}' + \\\n        '1' # end\n"
    tokens = list(it.tokenize(BytesIO(text).readline))
    it.untokenize(tokens)
    it.detect_encoding(BytesIO(text).readline)


def exercise_html_parser(it: ModuleType) -> None:
    class Parser(it.HTMLParser):
        def handle_starttag(self, tag: str, attrs: object) -> None: ...

    parser = Parser(convert_charrefs=False)
    parser.feed(
        "<!DOCTYPE html><!-- c --><p class='a' b>x &amp; &#65; <br/></p><script>1 < 2</script><?pi?><![CDATA[x]]>"
    )
    parser.close()


def exercise_urllib_parse(it: ModuleType) -> None:
    it.urlparse("https://user:pw@host:80/path;p?q=1#frag").geturl()
    it.urljoin("http://a/b/c/d", "../e?f")
    it.parse_qs("a=1&b=2&b=3&c=")
    it.urlencode({"a": [1, 2], "b": "ü"}, doseq=True)
    it.quote("a/b c"), it.unquote("a%20b")
    with contextlib.suppress(ValueError):
        it.urlsplit("http://[bad")


def exercise_ipaddress(it: ModuleType) -> None:
    network = it.ip_network("192.0.2.0/29")
    list(network.hosts())
    list(network.subnets(prefixlen_diff=1))
    assert it.ip_address("2001:db8::1").exploded
    it.collapse_addresses([it.ip_network("10.0.0.0/25"), it.ip_network("10.0.0.128/25")])
    for bad in ("1.2.3", "1.2.3.400", "::g"):
        with contextlib.suppress(ValueError):
            it.ip_address(bad)


def exercise_dataclasses(it: ModuleType) -> None:
    @it.dataclass(order=True, frozen=True)
    class Point:
        x: int
        y: int = 0
        z: list[int] = it.field(default_factory=list, compare=False)

    point = Point(1, 2)
    it.asdict(point), it.astuple(point), it.replace(point, x=3), it.fields(point)
    it.make_dataclass("C", ["a", ("b", int)], slots=True)
    with contextlib.suppress(it.FrozenInstanceError):
        point.x = 2


def exercise_contextlib(it: ModuleType) -> None:
    import asyncio

    @it.contextmanager
    def manager() -> object:
        yield 1

    with it.ExitStack() as stack:
        stack.enter_context(manager())
        stack.callback(print, end="")
        with it.suppress(ValueError):
            raise ValueError

    async def use() -> None:
        async with it.AsyncExitStack() as stack:
            await stack.enter_async_context(it.nullcontext())

    asyncio.run(use())


EXERCISES: dict[str, Callable[[ModuleType], None]] = {
    "textwrap": exercise_textwrap,
    "argparse": exercise_argparse,
    "configparser": exercise_configparser,
    "difflib": exercise_difflib,
    "fractions": exercise_fractions,
    "shlex": exercise_shlex,
    "statistics": exercise_statistics,
    "pprint": exercise_pprint,
    "tokenize": exercise_tokenize,
    "html/parser": exercise_html_parser,
    "urllib/parse": exercise_urllib_parse,
    "ipaddress": exercise_ipaddress,
    "dataclasses": exercise_dataclasses,
    "contextlib": exercise_contextlib,
}
