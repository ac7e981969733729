"""The folder that a report is written to; only what has changed is written.

    index.html, all.html    the index; all.html where the index cannot list all files without scripts
    files/PAGE.html         the page of a file; its name is a hash of the file's
    data/PAGE.js            what its script needs
    data/index.js           what the index's script begins with; functions.js, classes.js, tests.js: once asked for
    data/records-N.js       which tests ran what, of some files each
    static/                 scripts and style
    status.json             of each page a hash of what it is made of

Pages are made by as many processes as there are cores.
"""

import base64
import contextlib
import hashlib
import json
import mmap
import os
import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import covcore
from covcore.analysis.cache import encode
from covcore.analysis.figures import Figures
from covcore.analysis.workers import spread
from covcore.errors import CovcoreError
from covcore.html.data import as_script, packed
from covcore.html.index import Entry, functions_data, index_data
from covcore.html.pages import Function, Page
from covcore.html.report import Job, Report
from covcore.html.templating import FOLDER, SCRIPTS, STATIC, render, static
from covcore.report import output

STATUS = "status.json"
LISTED = 500  # files that the index lists without scripts
CHUNK = 2 << 20  # bytes of records in a chunk
_PAGE = re.compile("[0-9a-f]{16}")


class Made(NamedTuple):
    """What is left of a page once it is written."""

    key: str
    record: bytes
    functions: Sequence[Function]
    classes: Sequence[Function]


def write_folder(folder: str, report: Report, advance: Callable[[], None]) -> None:
    """Write a report.

    Args:
        folder: where to; it need not exist.
        report: what.
        advance: is called for each page that is made, by whichever process: all at times, as this one gets to it.

    Raises:
        CovcoreError: it cannot be written.
    """
    try:
        _Folder(folder, report, advance).write()
    except OSError as error:
        raise CovcoreError(
            f"cannot write {error.filename or folder}: {error.strerror}: -d names another folder"
        ) from None


class _Folder:
    def __init__(self, folder: str, report: Report, advance: Callable[[], None]) -> None:
        self._folder = folder
        self._report = report
        self._advance = advance
        self._known: dict[str, str] = {}
        self._owner = os.getpid()
        self._stamp = _stamp()
        self._made = mmap.mmap(-1, len(report.entries) + 1)  # shared by all processes: a byte for each page
        self._place = {entry.page: at for at, entry in enumerate(report.entries)}
        self._n_told = 0

    def write(self) -> None:
        is_new = not os.path.isdir(self._folder)
        for name in ("files", "data", "static"):
            os.makedirs(os.path.join(self._folder, name), exist_ok=True)
        if is_new:
            self._put(".gitignore", "# Made by covcore html\n*\n")
        for name in sorted(os.listdir(STATIC)):
            self._put(f"static/{name}", static(name))
        self._known = self._read_status()
        made = self._pages()
        self._indexes(made)
        self._remove_old()
        pages = {entry.page: one.key for entry, one in zip(self._report.entries, made, strict=True)}
        self._put(STATUS, json.dumps({"format": 1, "covcore": covcore.__version__, "pages": pages}) + "\n")

    # ---- pages

    def _pages(self) -> list[Made]:
        jobs = self._report.jobs()
        order = sorted(range(len(jobs)), key=lambda at: -jobs[at].entry.figures.statements)
        found: list[Made | None] = [None] * len(jobs)
        for at, encoded in zip(order, spread(self._make, [jobs[at] for at in order]), strict=True):
            found[at] = _decoded(encoded)
        self._tell()
        return [one for one in found if one]

    def _make(self, job: Job) -> bytes:
        """Make a page and write it.  Returns what `_decoded` reads."""
        if os.getpid() != self._owner:
            self._owner = os.getpid()
            self._advance = lambda: None
            self._report.reopen()
        entry, report = job.entry, self._report
        page = report.page(entry)
        result = report.results[entry.path]
        n_tests = [row.n_tests for row in page.rows]
        change = report.changes.get(entry.path)
        known = job, encode(result), page.text_hash, n_tests, change
        key = _hash(self._stamp, *known, report.choice, bool(report.test_names))
        self._put(f"data/{entry.page}.js", as_script(f"file-{entry.page}", page.data))
        path = f"files/{entry.page}.html"
        if self._known.get(entry.page) != key or not os.path.exists(os.path.join(self._folder, path)):
            self._put(path, self._text(job, page))
        self._made[self._place[entry.page]] = 1
        self._tell()
        return _encoded(Made(key, page.record, page.functions, page.classes))

    def _tell(self) -> None:
        """Advance by the pages that were made since the last time."""
        n_made = self._made[:].count(1)
        for _ in range(n_made - self._n_told):
            self._advance()
        self._n_told = n_made

    def _text(self, job: Job, page: Page) -> str:
        entry = job.entry
        return render(
            "file.html",
            root="../",
            index="../index.html",
            href="{}.html".format,
            prefix="",
            scripts=SCRIPTS["file"],
            title=self._report.choice.title,
            page=entry.page,
            name=entry.name,
            figures=entry.figures,
            before=job.before,
            after=job.after,
            rows=page.rows,
            with_tests=bool(self._report.test_names),
            change=self._report.changes.get(entry.path),
        )

    # ---- the index

    def _indexes(self, made: Sequence[Made]) -> None:
        report = self._report
        chunks = self._records([one.record for one in made]) if report.test_names else []
        choice = report.choice
        data = index_data(
            report.entries, choice.title, choice.precision, len(report.test_names), chunks, report.changes
        )
        self._put("data/index.js", as_script("index", data))
        self._put("data/functions.js", as_script("functions", functions_data(one.functions for one in made)))
        self._put("data/classes.js", as_script("classes", functions_data(one.classes for one in made)))
        self._put("data/tests.js", as_script("tests", report.tests_data()))
        n_files = len(report.entries)
        listed = report.entries
        if n_files > LISTED:
            self._put("all.html", self._index(listed, "all.html"))
            listed = sorted(listed, key=lambda it: -(it.figures.missing + it.figures.missing_branches))[:LISTED]
        self._put("index.html", self._index(listed, "index.html"))

    def _index(self, listed: Sequence[Entry], template: str) -> str:
        report = self._report
        return render(
            template,
            root="",
            href="files/{}.html".format,
            scripts=SCRIPTS["index"],
            title=report.choice.title,
            total=report.total,
            precision=report.choice.precision,
            listed=listed,
            n_files=len(report.entries),
            n_more=len(report.entries) - len(listed),
            left_out=report.left_out,
        )

    def _records(self, records: Sequence[bytes]) -> list[int]:
        """Write the chunks of records.  Returns how many files each has."""
        counts: list[int] = []
        chunk: list[bytes] = []
        size = 0
        for record in [*records, None]:
            if chunk and (record is None or size + len(record) > CHUNK):
                key = f"records-{len(counts)}"
                self._put(f"data/{key}.js", as_script(key, packed(joined_records(chunk))))
                counts.append(len(chunk))
                chunk, size = [], 0
            if record is not None:
                chunk.append(record)
                size += len(record)
        return counts

    # ---- files

    def _put(self, name: str, text: str) -> None:
        """Write a file unless it is there already.  Raises OSError."""
        path = os.path.join(self._folder, name)
        with contextlib.suppress(OSError), open(path, "rb") as file:
            if file.read() == text.encode():
                return
        output.replace(path, [text])

    def _read_status(self) -> dict[str, str]:
        """The keys of the pages that are there; nothing of a file that is none of ours."""
        try:
            with open(os.path.join(self._folder, STATUS), encoding="utf-8") as file:
                pages = json.load(file)["pages"]
                return {page: key for page, key in pages.items() if _PAGE.fullmatch(page) and isinstance(key, str)}
        except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
            return {}

    def _remove_old(self) -> None:
        """Remove the pages of files that are no longer in the report."""
        for page in self._known.keys() - {entry.page for entry in self._report.entries}:
            for path in (f"files/{page}.html", f"data/{page}.js"):
                with contextlib.suppress(FileNotFoundError):
                    os.unlink(os.path.join(self._folder, path))


def joined_records(records: Sequence[bytes]) -> bytes:
    """Each after its length, in four bytes."""
    return b"".join(part for it in records for part in (len(it).to_bytes(4, "little"), it))


def _stamp() -> str:
    """A hash of what makes pages."""
    found = []
    for folder, _, names in os.walk(FOLDER):
        for name in sorted(names):
            if name.endswith((".py", ".html")):
                found.append((name, os.stat(os.path.join(folder, name)).st_mtime_ns))
    return _hash(covcore.__version__, sorted(found))


def _hash(*values: object) -> str:
    return hashlib.sha256(repr(values).encode("utf-8", "surrogatepass")).hexdigest()


# ---- what a process that makes pages sends back


def _encoded(made: Made) -> bytes:
    record = base64.b64encode(made.record).decode()
    return json.dumps([made.key, record, made.functions, made.classes]).encode()


def _decoded(encoded: bytes) -> Made:
    key, record, functions, classes = json.loads(encoded)
    return Made(key, base64.b64decode(record), _functions(functions), _functions(classes))


def _functions(rows: Sequence[Any]) -> list[Function]:
    return [Function(name, line, Figures(*figures), *rest) for name, line, figures, *rest in rows]
