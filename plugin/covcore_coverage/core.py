"""The core: what coverage.py's Collector asks for before it makes a tracer, and how it comes to be covcore's."""

from __future__ import annotations

import inspect
import sys
import warnings
from typing import TYPE_CHECKING, Any

from coverage import collector, control
from coverage.collector import Collector
from coverage.core import Core
from coverage.disposition import FileDisposition
from coverage.exceptions import CoverageWarning
from coverage.plugin import CoveragePlugin
from coverage.sqldata import CoverageData
from coverage.version import __version__ as coverage_version

import covcore
from covcore_coverage.adopting import AdoptingData
from covcore_coverage.collector import collector_for, stack_of_caller
from covcore_coverage.tracer import CovcoreTracer

if TYPE_CHECKING:
    from coverage.config import CoverageConfig
    from coverage.types import TConfigurable, TDebugCtl, TWarnFn

SLUG = "no-covcore"  # for [run] disable_warnings
ARGUMENTS = {"self", "warn", "debug", "config", "dynamic_contexts"}  # of Core()

_said: set[str] = set()


class CovcoreCore(Core):
    """covcore as core, or coverage.py's own choice where that cannot be.

    respects_choice: whether a core named in coverage.py's settings is used rather than ours
    """

    respects_choice = True

    def __init__(
        self, *, warn: TWarnFn, debug: TDebugCtl | None, config: CoverageConfig, dynamic_contexts: bool
    ) -> None:
        reason = _reason_against(config.timid, config.core)
        if reason:
            warn(f"Can't use covcore as core: {reason}, using coverage.py's own", slug=SLUG)
            if config.core == "covcore":
                config.core = None
            super().__init__(warn=warn, debug=debug, config=config, dynamic_contexts=dynamic_contexts)
            return
        if debug:
            debug.write("core.py: Using core=covcore")
        self.tracer_class: Any = CovcoreTracer
        self.tracer_kwargs: dict[str, Any] = {}
        self.file_disposition_class: Any = FileDisposition
        self.supports_plugins = True
        self.supports_dynamic_contexts = True
        self.packed_arcs = False
        self.systrace = False


class Teller(CoveragePlugin):
    """Has `coverage debug sys` say which core is used: that command measures nothing, so coverage.py knows of none."""

    def configure(self, config: TConfigurable) -> None:
        """Name the core, as one of the plugins that are listed."""
        reason = _reason_against(config.get_option("run:timid"), config.get_option("run:core"))
        self._coverage_plugin_name = (
            f"covcore is not the core: {reason}" if reason else f"core is covcore {covcore.__version__}"
        )


def install(*, respects_choice: bool = True) -> bool:
    """Make covcore the core of all Coverage objects that are made from now on in this process.

    respects_choice: whether a core named in coverage.py's settings is used rather than ours

    Returns whether it is; if not, a warning was given.  Never raises.
    """
    reason = _reason_against_all()
    if reason:
        if reason not in _said:
            _said.add(reason)
            warnings.warn(f"Can't use covcore as core: {reason} ({SLUG})", CoverageWarning, stacklevel=3)
        return False
    CovcoreCore.respects_choice = respects_choice
    control.Core = CovcoreCore  # type: ignore[attr-defined]
    control.Collector = collector_for  # type: ignore[assignment,attr-defined]
    collector.short_stack = stack_of_caller  # type: ignore[assignment,attr-defined]
    control.CoverageData = AdoptingData  # type: ignore[attr-defined]
    return True


def _reason_against(timid: object, core: object) -> str:
    """Say why covcore cannot be the core; "": it can."""
    if timid:
        return "timid asks for a trace function"
    if CovcoreCore.respects_choice and core not in (None, "covcore"):
        return f"core={core} is set"
    session = sys.modules.get("covcore.measure.session")
    if session is not None and session.current() is not None:
        return "covcore itself is measuring this process"
    holders = {sys.monitoring.get_tool(tool) for tool in range(6)}
    if not holders & {None, "covcore"}:  # ours are free again when a Coverage object inside of another begins
        return f"all tool ids of sys.monitoring are taken, by {', '.join(sorted(map(str, holders)))}"
    return ""


def _reason_against_all() -> str:
    """Say why no Coverage object of this process can have covcore as core; "": they can."""
    if sys.implementation.name != "cpython":
        return f"{sys.implementation.name} has no sys.monitoring for it"
    names = tuple(getattr(control, name, None) for name in ("Core", "Collector", "CoverageData"))
    if names != (CovcoreCore, collector_for, AdoptingData) and (
        names != (Core, Collector, CoverageData) or set(inspect.signature(Core.__init__).parameters) != ARGUMENTS
    ):
        return f"coverage.py {coverage_version} has another way to choose its core, covcore knows that of 7.16 and 7.17"
    return ""
