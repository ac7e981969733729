"""The C extensions; everything else is in pyproject.toml."""

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

# Which sources speak to Python, by extension. The others are plain C, for both of the first two.
FACES = {
    "_tracer": ["keeping", "module", "monitoring", "registry", "running", "tracer"],
    "_reader": ["reader"],
    "_launch": ["launch"],
}
plain = {Path(path).stem for path in glob("src/*.c")} - {stem for stems in FACES.values() for stem in stems}

setup(
    ext_modules=[
        Extension(
            f"covcore.{name}",
            [f"src/{stem}.c" for stem in stems + sorted(plain if name != "_launch" else [])],
            depends=glob("src/*.h"),
            extra_compile_args=compile_args,
            extra_link_args=link_args,
        )
        for name, stems in FACES.items()
    ],
    py_modules=sorted(path.stem for path in Path("plugin").glob("*.py")),
)
