"""`covcore report --format=gitlab`: Cobertura's XML in parts, none of them larger than GitLab reads.

GitLab shows beside a merge request's lines what of them ran, and nothing else of a report: so conditions are left out. It
finds a file by its path below the project's folder.
"""

import os
from collections.abc import Iterator, Sequence
from itertools import chain

from covcore.config import current_folder
from covcore.errors import say
from covcore.platform import is_below, slashed
from covcore.report import output
from covcore.report.cobertura import HEAD, document
from covcore.report.names import plain_name
from covcore.report.results import Reported

USUAL = "coverage-gitlab.xml"  # without the numbers of the parts
PART_BYTES = 10 << 20
PROJECT_VARIABLE = "CI_PROJECT_DIR"
MARK = "<!-- a part of a report of covcore's -->\n"


def write_parts(files: Sequence[Reported], path: str) -> None:
    """Write the parts, numbered from 1: `coverage-1.xml`, `coverage-2.xml` and so on for the path `coverage.xml`.

    Parts of an earlier report that had more of them are removed, for GitLab would take them in.

    Raises:
        CovcoreError: one cannot be written.
    """
    stem, suffix = os.path.splitext(path)
    folder = _project_folder()
    parts = list(_parts(files, folder))
    for number, part in enumerate(parts, 1):
        text = document(part, [folder], with_conditions=False)
        output.write(f"{stem}-{number}{suffix}", chain([next(text), MARK], text))
    number = len(parts) + 1
    while _is_part(old := f"{stem}-{number}{suffix}"):
        os.unlink(old)
        number += 1


def _is_part(path: str) -> bool:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read(len(HEAD + MARK)) == HEAD + MARK
    except OSError:
        return False


def _parts(files: Sequence[Reported], folder: str) -> Iterator[list[Reported]]:
    """Share files out to parts, as many to each as there is room for."""
    part: list[Reported] = []
    room = 0
    for file in files:
        size = sum(map(len, document([file], [folder], with_conditions=False)))  # with a head that is needed once
        if size > PART_BYTES:
            say("warning", f"{plain_name(file.path)} alone takes more than the 10 MiB that GitLab reads")
        if part and size > room:
            yield part
            part, room = [], 0
        room = (room or PART_BYTES) - size
        part.append(file)
    yield part


def _project_folder() -> str:
    """The folder of the project, or the current one outside of GitLab's jobs."""
    here = current_folder()
    project = slashed(os.environ.get(PROJECT_VARIABLE, "")).rstrip("/")
    return project if project and is_below(here, project) else here
