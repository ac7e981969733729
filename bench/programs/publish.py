"""Publishes a recording and says what that took.

publish.py FOLDER DATABASE OUT
"""

import json
import os
import resource
import sys
import time

from covcore.store.publish import publish_run

folder, database, out = sys.argv[1:]
started = time.perf_counter()
publish_run(database, [folder], "0")
seconds = time.perf_counter() - started
figures = {
    "seconds": seconds,
    "megabytes": os.path.getsize(database) / 1e6,
    "resident": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6,
}
with open(out, "w") as file:
    json.dump(figures, file)
