"""The C extensions and the start-up hook; everything else is in pyproject.toml."""

import gzip
import io
import os
import sys
import tarfile
from glob import glob
from pathlib import Path

from setuptools import Distribution, Extension, setup
from setuptools.command.build_ext import build_ext
from setuptools.command.sdist import sdist

SANITIZERS = "-fsanitize=address,undefined"
SWITCHES = {  # environment variable: flags for the compiler, flags for the linker
    "COVCORE_DEBUG": (["-O0", "-g3", "-UNDEBUG"], []),
    "COVCORE_SANITIZE": (["-O1", "-g3", "-UNDEBUG", SANITIZERS, "-fno-sanitize-recover=all"], [SANITIZERS]),
    "COVCORE_WERROR": (["-Wall", "-Wextra", "-Wconversion", "-Werror"], []),
}
COMPILE = ["-std=c11", "-D_GNU_SOURCE", "-fvisibility=hidden"]
COMPILE_MSVC = ["/std:c11", "/experimental:c11atomics", "/utf-8"]
compile_args: list[str] = []
link_args: list[str] = []
for name, (compile_flags, link_flags) in SWITCHES.items():
    if os.environ.get(name, "0") != "0":
        compile_args += compile_flags
        link_args += link_flags

PLATFORM = "platform_windows" if sys.platform == "win32" else "platform_posix"
PLATFORMS = {"platform_posix", "platform_windows"}
# Which sources speak to Python, by extension. The others are plain C, for both of the first two.
FACES = {
    "_tracer": [
        "arming",
        "children",
        "discovery",
        "ids",
        "keeping",
        "lock",
        "long_code",
        "module",
        "monitoring",
        "quiet",
        "registry",
        "running",
        "standing",
        "tallying",
        "tasks",
        "tracer",
    ],
    "_reader": ["reader", "reader_arcs", "reader_hits", "reader_shapes"],
    "_launch": ["launch", PLATFORM],
}
# What every interpreter runs at its start. From 3.18 on `import` lines in .pth files are ignored, and .start files (PEP 829)
# take their place; where both work the .pth file is inert by itself, while for a .start file site imports pkgutil and re.
START = "plugin/covcore.start" if sys.version_info >= (3, 18) else "plugin/covcore_start.pth"
plain = {Path(path).stem for path in glob("src/*.c")} - {stem for stems in FACES.values() for stem in stems}
plain = plain - PLATFORMS | {PLATFORM}


class WithStart(Distribution):
    """Has an editable install take data_files too: setuptools asks for a method of this name."""

    has_data = Distribution.has_data_files


class Build(build_ext):
    """Gives each compiler the flags that it knows."""

    def build_extensions(self) -> None:
        flags = COMPILE_MSVC if self.compiler.compiler_type == "msvc" else COMPILE
        for extension in self.extensions:
            extension.extra_compile_args = flags + extension.extra_compile_args
        super().build_extensions()


class Source(sdist):
    """Makes the same archive of the same files, wherever and by whomever, where SOURCE_DATE_EPOCH says of which moment."""

    def make_archive(self, *args: object, **kwargs: object) -> str:
        name: str = super().make_archive(*args, **kwargs)
        if moment := os.environ.get("SOURCE_DATE_EPOCH"):
            self._rewrite(Path(name), int(moment))
        return name

    def _rewrite(self, archive: Path, moment: int) -> None:
        packed = io.BytesIO()
        with tarfile.open(archive) as old, tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as new:
            for member in sorted(old.getmembers(), key=lambda each: each.name):
                member.mtime, member.pax_headers = moment, {}
                member.uid = member.gid = 0
                member.uname = member.gname = ""
                member.mode = 0o755 if member.isdir() or member.mode & 0o100 else 0o644
                new.addfile(member, old.extractfile(member) if member.isfile() else None)
        archive.write_bytes(gzip.compress(packed.getvalue(), mtime=moment))


setup(
    cmdclass={"build_ext": Build, "sdist": Source},
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
