"""Count what ThreadSanitizer has reported: `reports.py FOLDER`.  Prints what names covcore, and then ends with status 1."""

from __future__ import annotations

import re
import sys
from pathlib import Path

OURS = re.compile(r"/covcore/_\w+\.[^ ]*\.so|(^|[ /])src/\w+\.c:\d+", re.MULTILINE)


def main(folder: Path) -> int:
    text = "".join(path.read_text(errors="replace") for path in sorted(folder.iterdir()))
    reports = [part for part in text.split("==================\n") if "WARNING: ThreadSanitizer" in part]
    ours = [report for report in reports if OURS.search(report)]
    print(*ours, sep="\n")
    print(f"ThreadSanitizer: {len(ours)} reports name covcore, {len(reports) - len(ours)} others")
    return int(bool(ours))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
