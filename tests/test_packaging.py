"""The archives that are handed out: an sdist that a compiler is enough for, wheels with nothing but what runs."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
import zipfile
from pathlib import Path

import pytest
from conftest import TIMEOUT

ROOT = Path(__file__).parent.parent
TOOLS = ["as", "ld", "collect2", "ld.bfd", "cc", "gcc", "sh"]
MOMENT = "1800000000"
QUICK = "-g0 -O0"  # for the compiler: what it makes of the code is not looked at here
LONG = 10 * TIMEOUT  # seconds: for what compiles

pytestmark = [
    pytest.mark.once,  # that it compiles and installs on the others, `make build` shows
    pytest.mark.skipif(bool(os.environ.get("COVCORE_SANITIZE")), reason="what is handed out has no sanitizers"),
]


def call(*command: str | Path, **options: object) -> str:
    """What a command says on standard output, which has to succeed."""
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, timeout=LONG, **options)  # type: ignore[call-overload]
    return str(done.stdout)


def build(kind: str, tree: Path, output: Path) -> Path:
    """An archive of a tree, made as PEP 517 has it, with the setuptools of the tests."""
    code = f"import sys; from setuptools.build_meta import build_{kind} as build; print(build(sys.argv[1]), file=sys.stderr)"
    environment = os.environ | {"SOURCE_DATE_EPOCH": MOMENT, "CFLAGS": QUICK}
    output.mkdir(exist_ok=True)
    done = subprocess.run(
        [sys.executable, "-c", code, output], cwd=tree, env=environment, capture_output=True, text=True, timeout=LONG
    )
    assert done.returncode == 0, done.stderr
    return output / done.stderr.split()[-1]


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what belongs to the project, without what was built."""
    tree = tmp_path_factory.mktemp("published") / "tree"
    shutil.copytree(
        ROOT,
        tree,
        ignore=lambda folder, names: [
            name
            for name in names
            if (Path(folder) == ROOT and name in ("build", "dist"))
            or (name.startswith(".") and name != ".clang-format")
            or name in ("__pycache__", "htmlcov")
            or name.endswith((".so", ".egg-info"))
        ],
    )
    return tree


@pytest.fixture(scope="module")
def sdist(published: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("sdist", published, tmp_path_factory.mktemp("sdist"))


@pytest.fixture(scope="module")
def unpacked(sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tree that is in the sdist."""
    folder = tmp_path_factory.mktemp("unpacked")
    with tarfile.open(sdist) as archive:
        archive.extractall(folder, filter="data")
    (tree,) = folder.iterdir()
    return tree


@pytest.fixture(scope="module")
def wheel(unpacked: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("wheel", unpacked, tmp_path_factory.mktemp("wheel"))


def files_of(tree: Path) -> set[str]:
    names = {str(path.relative_to(tree)) for path in tree.rglob("*") if path.is_file()}
    return {name for name in names if ".egg-info/" not in name}  # setuptools leaves it wherever it builds


def test_the_sdist_is_the_project(published: Path, unpacked: Path) -> None:
    """Whoever has it can build, test and change covcore."""
    assert files_of(unpacked) == files_of(published) | {"PKG-INFO", "setup.cfg"}


def test_the_sdist_is_the_same_wherever_it_is_made(sdist: Path, unpacked: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(unpacked, elsewhere)
    for made in [elsewhere / "setup.cfg", elsewhere / "PKG-INFO"]:
        made.unlink()
    shutil.rmtree(elsewhere / "plugin" / "covcore.egg-info", ignore_errors=True)
    for path in elsewhere.rglob("*.py"):
        os.utime(path, (1, 1))
    again = build("sdist", elsewhere, tmp_path / "again")
    assert again.name == sdist.name
    assert again.read_bytes() == sdist.read_bytes()


def test_a_wheel_holds_what_runs(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        information = next(name.partition("/")[0] for name in names if ".dist-info/" in name)
        entries = archive.read(f"{information}/entry_points.txt").decode()
    assert information == wheel.name.split("-cp")[0] + ".dist-info"
    assert "[console_scripts]\ncovcore = covcore.cli:main" in entries
    assert "[pytest11]\ncovcore = covcore_pytest" in entries
    suffix = sysconfig.get_config_var("EXT_SUFFIX")
    assert {name for name in names if name.endswith(".so")} == {
        f"covcore/_{name}{suffix}" for name in ("launch", "reader", "tracer")
    }
    assert any(name.endswith("platlib/covcore_start.pth") for name in names)
    expected = {
        str(path.relative_to(ROOT)) for path in (ROOT / "covcore").rglob("*.py*") if "__pycache__" not in path.parts
    }
    expected |= {
        str(path.relative_to(ROOT))
        for path in (ROOT / "covcore" / "html").rglob("*/*.*")
        if path.suffix in (".css", ".js")
    }
    expected |= {
        str(path.relative_to(ROOT / "plugin"))
        for path in (ROOT / "plugin").rglob("*.py")
        if "__pycache__" not in path.parts
    }
    rest = {name for name in names if not name.endswith((".so", ".pth")) and ".dist-info/" not in name}
    assert expected <= rest
    assert {name for name in rest - expected if not name.startswith("covcore/html/")} == {"covcore/py.typed"}
    assert not [
        name for name in names if name.endswith((".c", ".h")) or name.startswith(("tests", "bench", "examples", "docs"))
    ]


def test_a_wheel_is_the_same_wherever_it_is_made(wheel: Path, unpacked: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    shutil.copytree(unpacked, elsewhere, ignore=shutil.ignore_patterns("build", "*.so"))
    again = build("wheel", elsewhere, tmp_path / "again")
    assert again.name == wheel.name
    assert again.read_bytes() == wheel.read_bytes()


def test_the_sdist_installs_where_there_is_a_compiler_and_nothing_else(
    sdist: Path, unpacked: Path, tmp_path: Path
) -> None:
    """By a plain `pip install`, which fetches the build system that pyproject.toml names; no git, no make, no uv."""
    commands = tmp_path / "bin"
    commands.mkdir()
    for name in {*TOOLS, *(sysconfig.get_config_var("CC") or "cc").split()[:1]}:
        if found := shutil.which(name):
            (commands / Path(name).name).symlink_to(found)
    fresh = tmp_path / "fresh"
    call(sys.executable, "-m", "venv", "--without-pip", fresh)
    python = fresh / "bin" / "python"
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "COVCORE"))}
    kept |= {"PATH": str(commands), "CFLAGS": QUICK}
    call(sys.executable, "-m", "pip", "--python", python, "install", "--quiet", sdist, env=kept)
    assert "setuptools" not in call(sys.executable, "-m", "pip", "--python", python, "list")
    said = call(python, unpacked / "tests" / "installed.py", cwd=tmp_path, env=kept)
    assert said.startswith("covcore measures on ")


IDENTIFIERS = {
    "linux": ("x86_64,aarch64", ["manylinux_x86_64", "manylinux_aarch64", "musllinux_x86_64", "musllinux_aarch64"]),
    "macos": ("x86_64,arm64", ["macosx_x86_64", "macosx_arm64"]),
    "windows": ("AMD64,ARM64", ["win_amd64", "win_arm64"]),
}


@pytest.mark.parametrize("platform", IDENTIFIERS)
def test_wheels_are_built_for(platform: str) -> None:
    """Each Python that the metadata names, on each platform."""
    names = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["classifiers"]
    versions = [name.rpartition("3.")[2] for name in names if "Python :: 3." in name]
    architectures, kinds = IDENTIFIERS[platform]
    command = [
        sys.executable,
        "-m",
        "cibuildwheel",
        "--platform",
        platform,
        "--archs",
        architectures,
        "--print-build-identifiers",
    ]
    assert set(call(*command, cwd=ROOT).split()) == {f"cp3{version}-{kind}" for version in versions for kind in kinds}
