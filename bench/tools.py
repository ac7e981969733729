"""The tools that are compared, each in a virtual environment of its own as its users would have it."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.measure import say

ROOT = Path(__file__).resolve().parent.parent
CACHE = Path(
    os.environ.get("COVCORE_CACHE") or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "covcore"
)

BARE = "Python"
COVCORE = "covcore"
COVCORE_CONTEXTS = "covcore, contexts"
PYTEST_COV = "pytest-cov, contexts"  # on coverage.py's C tracer: its sysmon core has no contexts
ON_COVCORE = "pytest-cov on covcore, contexts"  # coverage.py with covcore as its core
SYSMON = "coverage.py sysmon"
CTRACE = "coverage.py ctrace"
SLIPCOVER = "SlipCover"
PACKAGES = {  # what goes into whose environment, beside the suites' own needs
    "bare": [],
    "covcore": [],
    "covcore-coverage": ["coverage==7.17.3", "pytest-cov==7.1.0"],
    "coverage": ["coverage==7.17.3"],
    "pytest-cov": ["coverage==7.17.3", "pytest-cov==7.1.0"],
    "slipcover": ["slipcover==1.1.0", "tabulate==0.10.0"],
}
KINDS = {
    BARE: "bare",
    COVCORE: "covcore",
    COVCORE_CONTEXTS: "covcore",
    PYTEST_COV: "pytest-cov",
    ON_COVCORE: "covcore-coverage",
    SLIPCOVER: "slipcover",
}  # whose environment a tool runs in
BUILT_FROM = ["covcore", "plugin", "src", "setup.py", "pyproject.toml", "MANIFEST.in", "README.md", "LICENSE"]


used: set[Path] = set()  # the virtual environments that this process asked for


@dataclass(frozen=True)
class Tool:
    """A way to run a program."""

    name: str
    python: str  # its version

    @property
    def folder(self) -> Path:
        return venv(self.python, KINDS.get(self.name, "coverage"))

    @property
    def interpreter(self) -> Path:
        return self.folder / "bin/python"

    def command(self, program: list[str], source: str, data: Path, folders: str = "") -> list[str | Path]:
        """The command that runs a program (`-m module`, or a script, with its arguments) and measures its branches.

        source: what to measure; folders: the same as folders, which is all that SlipCover takes.
        """
        match self.name:
            case "Python":
                return [self.interpreter, *program]
            case "covcore" | "covcore, contexts":
                contexts = "none" if self.name == COVCORE else "test"
                options = [f"--source={source}", f"--data={data}/covcore", f"--dynamic-contexts={contexts}"]
                return [self.folder / "bin/covcore", "run", *options, *program]
            case "pytest-cov, contexts" | "pytest-cov on covcore, contexts":
                settings = data / "settings.coveragerc"
                settings.write_text("[run]\nplugins = covcore_coverage\n" if self.name == ON_COVCORE else "")
                sources = [f"--cov={name}" for name in source.split(",")]
                options = [
                    *sources,
                    "--cov-branch",
                    "--cov-context=test",
                    "--cov-report=",
                    f"--cov-config={settings}",
                ]
                return [self.interpreter, *program, *options]
            case "SlipCover":
                options = ["--branch", "--source", folders or source, "--json", "--out", f"{data}/slipcover.json"]
                return [self.interpreter, "-m", "slipcover", *options, *program]
            case _:
                no_settings = data / "empty.coveragerc"  # the measured project may have some
                no_settings.touch()
                options = ["--branch", f"--source={source}", f"--rcfile={no_settings}"]
                return [self.folder / "bin/coverage", "run", *options, *program]

    def environment(self, data: Path) -> dict[str, str]:
        if self.name == ON_COVCORE:
            return {"COVERAGE_FILE": f"{data}/coverage"}
        if self.name in (SYSMON, CTRACE, PYTEST_COV):
            core = "ctrace" if self.name == PYTEST_COV else self.name.removeprefix("coverage.py ")
            return {"COVERAGE_CORE": core, "COVERAGE_FILE": f"{data}/coverage"}
        return {}


def rivals(python: str) -> list[str]:
    """SlipCover does not install on 3.15."""
    return [SYSMON, CTRACE] + [SLIPCOVER] * (python < "3.15")


def output_of(command: list[str | Path]) -> str:
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, cwd=ROOT).stdout.strip()


def compiled(source: Path, folder: Path) -> Path:
    """A C program of bench/c, made with the files of src/ that its first line names."""
    program = folder / source.stem
    needed = source.read_text().partition("\n")[0].removeprefix("// needs:").split()
    flags = ["-std=c11", "-O2", "-DNDEBUG", "-D_GNU_SOURCE", f"-I{ROOT}/src"]
    output_of([os.environ.get("CC", "cc"), *flags, "-o", program, source, *(ROOT / "src" / name for name in needed)])
    return program


@cache
def base_python(version: str) -> str:
    return output_of([ROOT / "tools/python.sh", version])


@cache
def uv(version: str) -> str:
    return output_of([ROOT / "tools/uv.sh", base_python(version)])


def install(python: str, folder: Path, *what: str | Path) -> None:
    command = [uv(python), "pip", "install", "--quiet", "--compile-bytecode", "--python", folder / "bin/python", *what]
    subprocess.run(command, check=True, cwd=ROOT)


@cache
def venv(python: str, kind: str) -> Path:
    """The folder of a virtual environment, made when it is not there; covcore in it is always that of this checkout."""
    folder = CACHE / "bench" / f"{python}-{kind}"
    used.add(folder)
    requirements = Path(__file__).with_name("requirements.txt")
    wanted = requirements.read_text() + "\n".join(PACKAGES[kind])
    if not stamped(folder / ".requirements", wanted):
        say(f"making {folder}")
        shutil.rmtree(folder, ignore_errors=True)
        folder.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run([base_python(python), "-m", "venv", "--without-pip", folder], check=True)
        install(python, folder, "-r", requirements, *PACKAGES[kind])
        (folder / ".requirements").write_text(wanted)
    if kind.startswith("covcore"):
        install_covcore(python, folder)
    return folder


def stamped(stamp: Path, text: str) -> bool:
    return stamp.exists() and stamp.read_text() == text


def install_covcore(python: str, folder: Path) -> None:
    """Install covcore as its users would, from a copy of the checkout that holds nothing built before."""
    checksum = hashlib.sha256()
    files = sorted(path for name in BUILT_FROM for path in files_under(ROOT / name))
    for path in files:
        checksum.update(f"{path} ".encode() + path.read_bytes())
    if stamped(folder / ".covcore", checksum.hexdigest()):
        return
    say(f"building covcore for {python}")
    with TemporaryDirectory() as temp:
        for path in files:
            copy = Path(temp) / path.relative_to(ROOT)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, copy)
        install(python, folder, "--reinstall-package", "covcore", temp)
    (folder / ".covcore").write_text(checksum.hexdigest())


def files_under(path: Path) -> list[Path]:
    """A file, or the sources in a folder."""
    if not path.is_dir():
        return [path] * path.exists()
    return [file for file in path.rglob("*.*") if file.is_file() and file.suffix not in (".so", ".pyc")]


def versions() -> dict[str, str]:
    """What was compared; of Python, the versions whose environments were used."""
    pythons = sorted({folder.name.partition("-")[0] for folder in used})
    numbers = [output_of([base_python(python), "--version"]).removeprefix("Python ") for python in pythons]
    commit = output_of(["git", "rev-parse", "--short", "HEAD"])
    found = {"covcore": commit, "Python": " and ".join(numbers)}
    return found | {"coverage.py": "7.17.3", "SlipCover": "1.1.0", "pytest": "9.2.0"}
