"""The commands other than `run`, and every command's help."""

import os
import sys
from argparse import Action, ArgumentParser, Namespace, RawDescriptionHelpFormatter

from covcore import __version__
from covcore.config import FORMATS, HTML_FOLDER, HTML_TITLE, KEYS, percentage, precision, read_settings, sort_column
from covcore.errors import CovcoreError, did_you_mean
from covcore.options import RUN_OPTIONS, split_list

TYPE_CHECKING = False
if TYPE_CHECKING:
    from argparse import _SubParsersAction
    from collections.abc import Callable, Sequence
    from typing import Any, NoReturn

    type Subparsers = _SubParsersAction[Parser] | Only

OVERVIEW = """\
Branch coverage of Python programs, per test.

  covcore run -m pytest        run a program and record what it does
  covcore report -m            say which lines and branches it missed
"""


class Parser(ArgumentParser):
    """Raises CovcoreError in place of ending the process with status 2.

    Its arguments stand in groups of ours, which are called as argparse's own: what is added to a parser itself has its help
    tried out, and that imports 20 ms worth of colours on 3.14.
    """

    def __init__(self, **settings: "Any") -> None:
        super().__init__(add_help=False, **settings)
        self.positionals = self.add_argument_group("positional arguments")
        self.options = self.add_argument_group("options")
        self.add_argument("-h", "--help", action="help", help="show this help message and exit")

    def add_argument(self, *names: str, **settings: "Any") -> Action:
        group = self.options if names[0].startswith("-") else self.positionals
        return group.add_argument(*names, **settings)

    def error(self, message: str) -> "NoReturn":
        raise CovcoreError(f"{message}: `{self.prog} --help` has examples")


class Only:
    """In place of argparse's set of commands, where the one that is asked for is known: making all takes 10 ms."""

    parser: Parser

    def add_parser(self, name: str, *, help: str, **settings: "Any") -> Parser:
        self.parser = Parser(prog=f"covcore {name}", **settings)
        return self.parser


class SplitList(Action):
    """A comma-separated value; more of them add up, and together they replace the configuration's."""

    def __call__(self, parser: object, namespace: Namespace, values: object, option_string: str | None = None) -> None:
        given = getattr(namespace, "_given", {})
        given.setdefault(self.dest, []).extend(split_list(str(values)))
        namespace._given = given
        setattr(namespace, self.dest, given[self.dest])


def command(arguments: "Sequence[str]") -> int:
    """Run a command.

    arguments: the command's name and what follows it

    Returns the exit status.
    Raises CovcoreError: the arguments make no sense, or the command fails.
    """
    if arguments and arguments[0] in COMMANDS:
        only = Only()
        COMMANDS[arguments[0]](only)
        options, unknown = only.parser.parse_known_args(arguments[1:])
    else:
        options, unknown = _parser().parse_known_args(arguments)
    if unknown:
        known = [name for action in options.parser._actions for name in action.option_strings]
        hint = did_you_mean(unknown[0], known) or f": `{options.parser.prog} --help` lists all options"
        raise CovcoreError(f"unknown argument {unknown[0]}{hint}")
    settings = read_settings()
    settings.say_remarks(*(("warning", "note") if hasattr(options, "omit") else ("warning",)))
    for key in KEYS:
        if getattr(options, key, None) is None:
            setattr(options, key, settings.of_report(key))
    settings.data = options.data
    options.data = settings.data_path
    try:
        status = options.function(options)
        sys.stdout.flush()
    except BrokenPipeError:  # the reader, `head` say, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        return 130
    return int(status)


def _parser() -> Parser:
    parser = Parser(prog="covcore", description=OVERVIEW, formatter_class=RawDescriptionHelpFormatter)
    parser.add_argument("--version", action="version", version=f"covcore {__version__}")
    parser.set_defaults(function=_help, parser=parser)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", prog=parser.prog)  # else 15 ms to find it out
    for add in COMMANDS.values():
        add(commands)
    return parser


def _help(options: Namespace) -> int:
    options.parser.print_help()
    return 0


def _add_command(
    commands: "Subparsers", name: str, help: str, text: str, function: "Callable[[Namespace], int]"
) -> Parser:
    """text: a paragraph, and examples"""
    description = help[0].upper() + help[1:] + "."
    parser = commands.add_parser(
        name, help=help, description=description, epilog=text, formatter_class=RawDescriptionHelpFormatter
    )
    parser.set_defaults(function=function, parser=parser)
    return parser


def _add_data(parser: Parser) -> None:
    parser.add_argument("--data", metavar="FILE", help="the database; default: $COVCORE_DATA, else .covcore")


# ---- run


def _add_run(commands: "Subparsers") -> None:
    parser = _add_command(
        commands,
        "run",
        "run a program and record which lines and branches it takes",
        """\
The program's output, exit status and everything it sees of itself are as without covcore.  What it did is added up in
.covcore when it ends; if it is killed, the next covcore command takes up what it had done until then.

examples:
  covcore run script.py input.txt            a script, with an argument
  covcore run -m pytest -x                   a module, as python -m would run it
  covcore run --source=mypackage -m pytest   with the files of mypackage that never run
  covcore run --dynamic-contexts=task server.py   with what each asyncio task ran, by its name
  covcore run --append -c "import mypackage; mypackage.selftest()"
""",
        _run,
    )
    parser.usage = "covcore run [OPTION ..] (-m MODULE | -c CODE | SCRIPT) [ARGUMENT ..]"
    for option in RUN_OPTIONS:
        if option.value:
            parser.add_argument(*option.names, metavar=option.value, help=option.help)
        else:
            parser.add_argument(*option.names, action="store_true", help=option.help)


def _run(options: Namespace) -> int:
    raise AssertionError("covcore.cli runs programs")


# ---- report


def _add_report(commands: "Subparsers") -> None:
    parser = _add_command(
        commands,
        "report",
        "print how much of each file ran, and what did not",
        """\
Stmts are statements, Branch counts the ways on from statements that have more than one, BrPart those statements
of which only some ways were taken.  Ends with status 2 if the total is below --fail-under.

examples:
  covcore report -m                          with the missing lines, and branches as from->to
  covcore report --skip-covered --sort=cover
  covcore report --format=total              nothing but the percentage, for scripts
  covcore report --format=github             what is missing, shown beside the lines of a pull request
  covcore report --format=gitlab             into coverage-gitlab-1.xml and so on, shown in a merge request
  covcore report --format=badge -o coverage.svg
  covcore report --include="src/*" --omit="*/vendored" --fail-under=90
""",
        _report,
    )
    flag = parser.add_argument
    flag("-m", "--show-missing", action="store_true", default=None, help="list missing lines and branches")
    flag(
        "--conditions", action="store_true", help="list below the table the outcomes of conditions that never happened"
    )
    flag(
        "--show-excluded", action="store_true", help="list what is excluded below the table, with the rule that says so"
    )
    flag("--unique", action="store_true", help="list below the table what one test alone runs")
    flag("--sort", metavar="COLUMN", type=sort_column, help=KEYS["sort"][1] + "; default: name")
    flag(
        "--format",
        choices=FORMATS,
        help="a table, one in Markdown, the percentage, that as a picture, annotations and a job's summary for GitHub, or "
        "files in Cobertura's XML as GitLab takes them; default: text",
    )
    flag("-o", dest="output", metavar="FILE", help="write to a file, not to standard output")
    _add_choices(parser)


def _add_choices(parser: Parser) -> None:
    """What every report can be asked for."""
    flag = parser.add_argument
    flag("--include", metavar="GLOB,..", action=SplitList, help="report only files that match a pattern; default: all")
    flag("--omit", metavar="GLOB,..", action=SplitList, help="leave out files that match a pattern; default: none")
    flag(
        "--contexts",
        metavar="GLOB,..",
        action=SplitList,
        default=(),
        help="count only what ran in contexts of which label, test or label|test|phase matches a pattern; default: all",
    )
    flag("--skip-covered", action="store_true", default=None, help="leave out files of which all ran")
    flag("--skip-empty", action="store_true", default=None, help="leave out files without statements")
    flag("--precision", metavar="N", type=precision, help="decimals of percentages; default: 0")
    flag(
        "--fail-under",
        metavar="N",
        type=percentage,
        help="end with status 2 if the total is below this per cent; default: fail_under of the configuration, which "
        "may have a threshold for each of some patterns",
    )
    flag(
        "--strict",
        action="store_true",
        help="end with status 1 unless every process of the run is known to have finished",
    )
    _add_data(parser)


def _report(options: Namespace) -> int:
    from covcore.report.text import report_command

    return report_command(options)


# ---- html


def _add_html(commands: "Subparsers") -> None:
    parser = _add_command(
        commands,
        "html",
        "write pages for a browser: the source with what ran of it, by which tests",
        """\
Prints the path of the index.  The pages need no server and no network, and can be read where scripts are forbidden.
Where they are not, choose tests in them, and all colours and figures follow; ? lists the keys.  In a folder that
has a report already only pages that have changed are written.  docs/html.md shows it all.

examples:
  covcore html                               into htmlcov/
  covcore html -d build/coverage --title="parcels, main"
  covcore html --include="src/*" --skip-covered
  covcore html --single-file coverage.html   all pages in one file, to send or to keep
  covcore html --baseline main.covcore       with what was lost, gained, and is new and uncovered
  covcore html --no-contexts                 without the tests: half the size
""",
        _html,
    )
    flag = parser.add_argument
    flag("-d", "--directory", metavar="DIR", default=HTML_FOLDER, help="the folder to write; default: %(default)s")
    flag("--single-file", metavar="FILE", help='write one file in place of the folder; "-": standard output')
    flag("--baseline", metavar="FILE", help="another database: mark what has changed since, and filter by it")
    flag("--title", metavar="TEXT", default=HTML_TITLE, help="default: %(default)s")
    flag("--no-contexts", dest="with_tests", action="store_false", help="leave out which tests ran what")
    flag("-q", "--quiet", action="store_true", help="do not print where the report is")
    _add_choices(parser)


def _html(options: Namespace) -> int:
    from covcore.html.command import html_command

    return html_command(options)


# ---- json, xml, lcov


def _add_file_command(
    commands: "Subparsers", name: str, help: str, text: str, function: "Callable[[Namespace], int]"
) -> Parser:
    """A report that is written to a file."""
    parser = _add_command(commands, name, help, text, function)
    flag = parser.add_argument
    flag(
        "-o",
        dest="output",
        metavar="FILE",
        default=f"coverage.{name}",
        help='default: %(default)s; "-": standard output',
    )
    flag("-q", "--quiet", action="store_true", help="do not say where the report is")
    _add_choices(parser)
    return parser


def _add_json(commands: "Subparsers") -> None:
    parser = _add_file_command(
        commands,
        "json",
        "write a report for programs: coverage.py's JSON, with conditions and more",
        """\
docs/formats.md tells what each key means.

examples:
  covcore json                               into coverage.json
  covcore json -o - --pretty-print           to standard output, for reading
  covcore json --show-contexts               with the tests that ran each line
  covcore json -o - | python -c "import json, sys; print(json.load(sys.stdin)['totals'])"
""",
        _json,
    )
    parser.add_argument(
        "--pretty-print", action="store_true", help="one value a line, indented; default: all in one line"
    )
    parser.add_argument("--show-contexts", action="store_true", help="say for each line which contexts ran it")


def _json(options: Namespace) -> int:
    from covcore.report.json_format import json_command

    return json_command(options)


def _add_xml(commands: "Subparsers") -> None:
    _add_file_command(
        commands,
        "xml",
        "write a report in Cobertura's XML, which CI services read",
        """\
File names are relative to the folders of `covcore run --source`, or else to the current folder; see <sources>.

examples:
  covcore xml                                into coverage.xml
  covcore xml -o build/cobertura.xml --skip-empty
  covcore xml --omit="*/migrations" --fail-under=90
""",
        _xml,
    )


def _xml(options: Namespace) -> int:
    from covcore.report.cobertura import xml_command

    return xml_command(options)


def _add_lcov(commands: "Subparsers") -> None:
    _add_file_command(
        commands,
        "lcov",
        "write a tracefile as lcov and genhtml read it",
        """\
File names are relative to the current folder where they are below it.

examples:
  covcore lcov                               into coverage.lcov
  covcore lcov -o - --include="src/*"        to standard output
  covcore lcov && genhtml --branch-coverage -o html coverage.lcov
""",
        _lcov,
    )


def _lcov(options: Namespace) -> int:
    from covcore.report.lcov import lcov_command

    return lcov_command(options)


# ---- tests


def _add_tests(commands: "Subparsers") -> None:
    parser = _add_command(
        commands,
        "tests",
        "list the tests that ran a file, a line or a branch",
        """\
One test a line, by name.

examples:
  covcore tests src/mypackage/core.py            all that ran any of it
  covcore tests core.py:12                       line 12; the end of a path will do
  covcore tests core.py:12-40                    any of these lines
  covcore tests "core.py:12->15"                 the branch from line 12 to 15, or ->exit
  pytest $(covcore tests core.py:12)             run them again
""",
        _tests,
    )
    parser.add_argument("target", metavar="FILE[:LINE[-LINE|->LINE]]", help="what to ask about")
    _add_data(parser)


def _tests(options: Namespace) -> int:
    from covcore.report.tests import tests_command

    return tests_command(options)


# ---- combine, export, import


def _add_combine(commands: "Subparsers") -> None:
    parser = _add_command(
        commands,
        "combine",
        "add up the data of several runs, processes or machines",
        """\
A PATH is a database, a recording, or a folder of them; without any, the databases named like .covcore.NAME beside
.covcore.  They go into .covcore, with what is there already, and are removed once that is safe on the disk.  If one
cannot be read, nothing changes.  [tool.covcore.paths] says what folders are called on other machines.

examples:
  covcore combine                            .covcore.unit, .covcore.integration and so on
  covcore combine artifacts/*                what CI jobs have brought
  covcore combine --keep --data=all.covcore linux/ macos/
  covcore combine --allow-partial shards/    name and leave out what cannot be read
""",
        _combine,
    )
    parser.add_argument("inputs", metavar="PATH", nargs="*", help="what to add up")
    parser.add_argument("--keep", action="store_true", help="do not remove what was added up")
    parser.add_argument("--allow-partial", action="store_true", help="leave out what cannot be read")
    _add_data(parser)


def _combine(options: Namespace) -> int:
    from covcore.store.exchange import combine_command

    return combine_command(options)


def _add_export(commands: "Subparsers") -> None:
    parser = _add_command(
        commands,
        "export",
        "write all data into one file, to take to another machine",
        """\
Files below the current folder are named relative to it, and are found below the current folder of `covcore import`.
A FILE that is called as coverage.py calls its data, .coverage or *.coverage or .coverage.*, is written as such, for
what reads those: `coverage html`, bots, dashboards.  That needs coverage.py: pip install covcore[coverage].

examples:
  covcore export -o coverage-$JOB.covcore    on each machine
  covcore import coverage-unit.covcore       on one; or covcore combine coverage-*.covcore
  covcore export -o .coverage                coverage.py's data file, contexts included
""",
        _export,
    )
    parser.add_argument("-o", dest="output", metavar="FILE", required=True, help="the file to write")
    parser.add_argument(
        "--format",
        dest="kind",
        choices=["covcore", "coverage"],
        help="covcore's own, or that of coverage.py; default: as the name of FILE says",
    )
    _add_data(parser)


def _export(options: Namespace) -> int:
    from covcore.store.exchange import export_command

    return export_command(options)


def _add_import(commands: "Subparsers") -> None:
    parser = _add_command(
        commands,
        "import",
        "add an exported file, or one of coverage.py's, to the data",
        """\
The file stays as it is, and adding it once more changes nothing.  A data file of coverage.py, which needs coverage.py to be
read, has no texts of sources: its lines and branches are those of the sources as they are now, below the current folder
and the folders that the configuration names.

examples:
  covcore import coverage-unit.covcore
  covcore import .coverage                   then covcore report, html, tests
""",
        _import,
    )
    parser.add_argument("file", metavar="FILE", help="what `covcore export` or coverage.py wrote")
    _add_data(parser)


def _import(options: Namespace) -> int:
    from covcore.store.exchange import import_command

    return import_command(options)


# ---- erase, debug


def _add_erase(commands: "Subparsers") -> None:
    parser = _add_command(
        commands,
        "erase",
        "remove the database and the recordings of processes that have ended",
        """\
examples:
  covcore erase
  covcore erase --data=nightly.covcore
""",
        _erase,
    )
    _add_data(parser)


def _erase(options: Namespace) -> int:
    from covcore.store.maintenance import erase_command

    return erase_command(options)


def _add_debug(commands: "Subparsers") -> None:
    parser = _add_command(
        commands,
        "debug",
        "print what a report of a problem should say",
        """\
examples:
  covcore debug sys       versions, interpreter, extensions
  covcore debug config    the settings that hold here, and which file they come from
  covcore debug data      what the database and the recordings beside it hold
""",
        _debug,
    )
    parser.add_argument("topic", choices=("sys", "config", "data"), help="what to print")
    _add_data(parser)


def _debug(options: Namespace) -> int:
    from covcore.store.maintenance import debug_command

    return debug_command(options)


COMMANDS = {
    "run": _add_run,
    "report": _add_report,
    "html": _add_html,
    "json": _add_json,
    "xml": _add_xml,
    "lcov": _add_lcov,
    "tests": _add_tests,
    "combine": _add_combine,
    "export": _add_export,
    "import": _add_import,
    "erase": _add_erase,
    "debug": _add_debug,
}  # in the order of help
