"""The two C extensions; everything else is in pyproject.toml."""

import os
from glob import glob
from pathlib import Path

from setuptools import Extension, setup

SANITIZERS = "-fsanitize=address,undefined"
SWITCHES = {  # environment variable: flags for the compiler, flags for the linker
    "COVCORE_DEBUG": (["-O0", "-g3", "-UNDEBUG"], []),
    "COVCORE_SANITIZE": (["-O1", "-g3", "-UNDEBUG", SANITIZERS, "-fno-sanitize-recover=all"], [SANITIZERS]),
    "COVCORE_WERROR": (["-Wall", "-Wextra", "-Wconversion", "-Werror"], []),
}
compile_args, link_args = ["-std=c11", "-D_GNU_SOURCE", "-fvisibility=hidden"], []
for name, (compile_flags, link_flags) in SWITCHES.items():
    if os.environ.get(name, "0") != "0":
        compile_args += compile_flags
        link_args += link_flags


def extension(name: str, sources: list[str]) -> Extension:
    return Extension(
        name, sorted(sources), depends=glob("src/*.h"), extra_compile_args=compile_args, extra_link_args=link_args
    )


setup(
    ext_modules=[
        extension("covcore._tracer", list(set(glob("src/*.c")) - {"src/reader.c"})),
        extension("covcore._reader", ["src/reader.c", "src/sites.c", "src/recording.c"]),
    ],
    py_modules=sorted(path.stem for path in Path("plugin").glob("*.py")),
)
