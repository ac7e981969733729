"""The C extensions and the start-up hook; everything else is in pyproject.toml."""

import os
import sys
from glob import glob
from pathlib import Path

from setuptools import Distribution, Extension, setup

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
    "_tracer": [
        "children",
        "discovery",
        "ids",
        "keeping",
        "module",
        "monitoring",
        "registry",
        "running",
        "tallying",
        "tracer",
    ],
    "_reader": ["reader", "reader_shapes"],
    "_launch": ["launch"],
}
# What every interpreter runs at its start. From 3.18 on `import` lines in .pth files are ignored, and .start files (PEP 829)
# take their place; where both work the .pth file is inert by itself, while for a .start file site imports pkgutil and re.
START = "plugin/covcore.start" if sys.version_info >= (3, 18) else "plugin/covcore_start.pth"
plain = {Path(path).stem for path in glob("src/*.c")} - {stem for stems in FACES.values() for stem in stems}


class WithStart(Distribution):
    """Has an editable install take data_files too: setuptools asks for a method of this name."""

    has_data = Distribution.has_data_files


setup(
    distclass=WithStart,
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
    data_files=[("../platlib", [START])],  # from where a wheel keeps its data to what goes into site-packages
    py_modules=sorted(path.stem for path in Path("plugin").glob("*.py")),
)
