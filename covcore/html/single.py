"""A report in one file: all pages one after the other, which scripts, where they may run, show one at a time.

Its policy lets run only scripts that have one of the hashes it names, and no data is a script.
"""

import base64
import hashlib
from collections.abc import Callable, Iterator, Sequence

from markupsafe import Markup

from covcore.html.data import as_json, packed
from covcore.html.folder import joined_records
from covcore.html.index import functions_data, index_data
from covcore.html.pages import Function
from covcore.html.report import Report
from covcore.html.templating import SCRIPTS, render, static

SPLIT = "<!-- pages -->"


def single_file(report: Report, advance: Callable[[], None]) -> Iterator[str]:
    """The text of a report, piece by piece.

    Args:
        report: what.
        advance: is called for each page that is made.

    Raises:
        CovcoreError: a file has changed since it was analysed.
    """
    style, theme = static("report.css"), static("theme.js")
    scripts = [static(name) for name in SCRIPTS["single"]]
    before, after = _frame(report, style, theme, [theme, *scripts]).split(SPLIT)
    yield before
    records: list[bytes] = []
    functions: list[Sequence[Function]] = []
    classes: list[Sequence[Function]] = []
    for job in report.jobs():
        page = report.page(job.entry)
        yield render(
            "single_file.html",
            index="#index",
            href="#{}".format,
            prefix=f"{job.entry.page}-",
            page=job.entry.page,
            name=job.entry.name,
            figures=job.entry.figures,
            before=job.before,
            after=job.after,
            rows=page.rows,
            with_tests=bool(report.test_names),
            change=report.changes.get(job.entry.path),
        )
        yield _data(job.entry.page, page.data)
        records.append(page.record)
        functions.append(page.functions)
        classes.append(page.classes)
        advance()
    choice = report.choice
    chunks = [len(records)] if report.test_names else []
    index = index_data(report.entries, choice.title, choice.precision, len(report.test_names), chunks, report.changes)
    yield _data("index", index)
    yield _data("functions", functions_data(functions))
    yield _data("classes", functions_data(classes))
    yield _data("tests", report.tests_data())
    if chunks:
        yield _data("records-0", packed(joined_records(records)))
    for script in scripts:
        yield f"<script>{script}</script>\n"
    yield after


def _frame(report: Report, style: str, theme: str, scripts: Sequence[str]) -> str:
    """All but the pages, with SPLIT where they belong."""
    policy = (
        f"default-src 'none'; script-src {' '.join(map(_hash, scripts))}; style-src {_hash(style)}; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )
    return render(
        "single.html",
        policy=policy,
        style=Markup(style),
        theme=Markup(theme),
        split=Markup(SPLIT),
        href="#{}".format,
        title=report.choice.title,
        total=report.total,
        precision=report.choice.precision,
        listed=report.entries,
        n_files=len(report.entries),
        n_more=0,
        left_out=report.left_out,
    )


def _hash(text: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _data(key: str, value: object) -> str:
    return f'<script type="application/json" id="data-{key}">{as_json(value)}</script>\n'
