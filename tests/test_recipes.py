"""docs/recipes: their shell steps do what docs/ci.md says, run one after the other as a build server would run them."""

from __future__ import annotations

import re
import shutil
import sys
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import Outcome, Place

pytestmark = pytest.mark.once

ROOT = Path(__file__).parent.parent
RECIPES = ROOT / "docs" / "recipes"
INSTALL = re.compile(
    r"python -m pip install covcore( pytest)?"
)  # the one step that is not run: the tests' own covcore is there


@pytest.fixture
def checkout(place: Place) -> Place:
    """The example project, as a build server has it, and covcore on PATH."""
    shutil.copytree(
        ROOT / "examples",
        place.folder,
        dirs_exist_ok=True,
        ignore=shutil.ignore_patterns(".*", "htmlcov", "__pycache__"),
    )
    place.environment["PATH"] = f"{Path(sys.executable).parent}:{place.environment['PATH']}"
    del place.environment["COVCORE_DATA"]
    return place


def read(name: str) -> Any:
    text = (RECIPES / name).read_text()
    assert "--source=mypackage" in text
    return yaml.safe_load(text.replace("mypackage", "parcels"))


def shell(place: Place, script: str, **environment: str) -> Outcome:
    return place.run("bash", "-e", "-o", "pipefail", "-c", script, **environment)


class Workflow:
    """GitHub's way of running a recipe: steps of jobs, and artifacts that they hand on.

    summary: the file for the job's summary
    outputs: by name of a step, how it ended
    """

    def __init__(self, place: Place, name: str) -> None:
        self.place = place
        self.jobs = read(name)["jobs"]
        self.summary = place.folder.parent / "summary.md"
        self.artifacts = place.folder.parent / "artifacts"
        self.outputs: dict[str, Outcome] = {}

    def run(self, job: str, *, tests_pass: bool = True, **matrix: str) -> None:
        """Run a job: all of it if the tests pass, or else what is to run all the same."""
        failed = False
        for step in self.jobs[job]["steps"]:
            if failed and "!cancelled()" not in step.get("if", ""):
                continue
            text = re.sub(r"\$\{\{ matrix\.(\w+) \}\}", lambda it: matrix[it[1]], yaml.safe_dump(step))
            step = yaml.safe_load(text)
            if "run" in step:
                failed = not self._step(step["name"], step["run"]) or failed
                assert failed <= (not tests_pass), self.outputs[step["name"]]
            elif step["uses"].startswith("actions/upload-artifact@"):
                self._upload(**step["with"])
            elif step["uses"].startswith("actions/download-artifact@"):
                self._download(**step["with"])

    def _step(self, name: str, script: str) -> bool:
        if name == "Install":
            assert INSTALL.fullmatch(script)
            return True
        self.outputs[name] = shell(self.place, script, GITHUB_STEP_SUMMARY=str(self.summary))
        return self.outputs[name].status == 0

    def _upload(self, name: str, path: str) -> None:
        source, target = self.place.folder / path, self.artifacts / name / path
        assert source.exists()
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(source, target)

    def _download(self, path: str, name: str = "", pattern: str = "", **options: Any) -> None:
        for artifact in self.artifacts.iterdir():
            if artifact.name == name or (pattern and fnmatchcase(artifact.name, pattern)):
                shutil.copytree(artifact, self.place.folder / path, dirs_exist_ok=True)


def test_github(checkout: Place) -> None:
    workflow = Workflow(checkout, "github.yml")
    workflow.run("coverage")

    assert workflow.outputs["Report"].stdout.startswith(
        "::notice title=Coverage::80%25 of statements and branches ran\n::"
    )
    assert workflow.summary.read_text().startswith("### Coverage: 80%\n")
    published = workflow.artifacts / "coverage" / "htmlcov"
    assert (published / "index.html").is_file() and (published / "coverage.svg").read_text().startswith("<svg ")
    assert "TOTAL" in workflow.outputs["Threshold"].stdout


def test_github_where_tests_fail(checkout: Place) -> None:
    """The report is there, and the job has failed."""
    checkout.write("tests/test_bad.py", "def test_bad():\n    assert False\n")
    workflow = Workflow(checkout, "github.yml")
    workflow.run("coverage", tests_pass=False)

    assert workflow.outputs["Test"].status == 1
    assert workflow.outputs["Report"].status == 0 and "Threshold" not in workflow.outputs
    assert (workflow.artifacts / "coverage" / "htmlcov" / "index.html").is_file()


def test_github_in_parts(checkout: Place) -> None:
    workflow = Workflow(checkout, "github-parts.yml")
    checkout.environment["PYTEST_ADDOPTS"] = "tests/test_parcel.py"
    workflow.run("test", python="3.14")
    checkout.environment["PYTEST_ADDOPTS"] = "tests/test_price.py"
    (checkout.folder / ".covcore").unlink()
    workflow.run("test", python="3.15")
    (checkout.folder / ".covcore").unlink()
    workflow.run("coverage")

    assert "::notice title=Coverage::80%25" in workflow.outputs["Report"].stdout
    assert (workflow.artifacts / "coverage" / "htmlcov" / "index.html").is_file()


@pytest.mark.parametrize("tests_pass", [True, False])
def test_gitlab(tests_pass: bool, checkout: Place) -> None:
    recipe = read("gitlab.yml")
    job = recipe["coverage"]
    assert [INSTALL.match(line) is not None for line in job["before_script"]] == [True]
    if not tests_pass:
        checkout.write("tests/test_bad.py", "def test_bad():\n    assert False\n")

    done = shell(checkout, "\n".join(job["script"]), CI_PROJECT_DIR=str(checkout.folder))

    assert done.status == (0 if tests_pass else 1), done.stderr
    found = re.findall(job["coverage"].strip("/"), done.stdout, re.MULTILINE)
    assert found == ["80"]
    [path] = checkout.folder.glob(job["artifacts"]["reports"]["coverage_report"]["path"])
    assert 'filename="parcels/price.py"' in path.read_text()

    done = shell(checkout, "\n".join(recipe["pages"]["script"]))
    assert done.status == 0
    for name in recipe["pages"]["artifacts"]["paths"]:
        assert {"index.html", "coverage.svg"} <= {path.name for path in (checkout.folder / name).iterdir()}


def test_each_recipe_is_told_of() -> None:
    told = re.findall(r"\(recipes/(\S+)\)", (ROOT / "docs" / "ci.md").read_text())
    assert sorted(told) == sorted(path.name for path in RECIPES.iterdir())
