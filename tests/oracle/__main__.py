"""`python -m oracle N`, in tests/: hold covcore against CPython on N generated programs; see docs/oracles.md."""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

SHARD = 250  # programs of one seed
HAS_JIT = hasattr(sys, "_jit") and sys._jit.is_available()


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m oracle", description=__doc__)
    parser.add_argument("number", nargs="?", type=int, default=10_000, help="how many programs (default %(default)s)")
    parser.add_argument("--seed", type=int, default=random.randrange(10**9), help="of the first shard")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="shards at a time (default %(default)s)")
    parser.add_argument("--jit", type=int, default=10, metavar="N", help="every Nth shard runs under the JIT; 0: none")
    parser.add_argument("--eager", action="store_true", help="the JIT begins at once (3.15)")
    parser.add_argument("--peers", action="store_true", help="count what coverage.py's two cores say of the programs")
    parser.add_argument("--shard", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


def one_shard(options: argparse.Namespace) -> int:
    """In a process of its own.  Prints what differs; 1 if anything does."""
    from oracle.check import EAGER_JIT, JIT, NO_JIT
    from oracle.search import search

    environment = NO_JIT if not options.jit else EAGER_JIT if options.eager else JIT
    failure = search(options.number, options.seed, environment)
    if failure:
        print(f"{options.number} programs of seed {options.seed}, environment {environment}: {failure}")
    return int(failure is not None)


def all_shards(options: argparse.Namespace) -> int:
    """Run shards side by side, telling how far they are.  1 if any found a difference."""
    version = ".".join(map(str, sys.version_info[:3]))
    print(f"Python {version}: {options.number} programs, seeds from {options.seed}", flush=True)
    begin = time.monotonic()
    done = failed = 0
    with ThreadPoolExecutor(options.jobs) as pool:
        shards = {}
        for index, first in enumerate(range(0, options.number, SHARD)):
            number = min(SHARD, options.number - first)
            jit = HAS_JIT and options.jit > 0 and index % options.jit == options.jit - 1
            command = [sys.executable, "-m", "oracle", str(number), f"--seed={options.seed + index}", "--shard"]
            command += [f"--jit={int(jit)}", *["--eager"] * options.eager]
            shards[pool.submit(subprocess.run, command, capture_output=True, text=True)] = number
        for shard in as_completed(shards):
            result = shard.result()
            done += shards[shard]
            if result.returncode:
                failed += 1
                print(result.stdout or result.stderr, flush=True)
            pace = done / (time.monotonic() - begin)
            print(
                f"{done} of {options.number} programs, {pace:.0f} a second, {failed} shards with differences",
                flush=True,
            )
    return int(failed > 0)


def main() -> int:
    options = arguments()
    sys.path.insert(0, str(Path(__file__).parent.parent.parent))  # this tree's covcore
    if options.peers:
        from oracle.peers import compare

        return compare(options.number, options.seed)
    if options.shard:
        return one_shard(options)
    return all_shards(options)


if __name__ == "__main__":
    sys.exit(main())
