"""covcore inside coverage.py, as its measurement core: `[run] plugins = covcore_coverage`.

coverage.py loads this module wherever it reads such a setting: in `coverage run`, under pytest-cov, in the processes that these start.
All else, reports, data and settings, stays coverage.py's.  docs/coveragepy.md is the page for users.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from coverage.plugin_support import Plugins
    from coverage.types import TConfigSectionOut


def coverage_init(registry: Plugins, options: TConfigSectionOut) -> None:
    """Make covcore the core, as coverage.py has a plugin do when it is loaded.

    Never raises: where covcore cannot be used, it warns, and coverage.py measures as it would without.
    """
    try:
        from covcore_coverage.core import Teller, install

        if install():
            registry.add_configurer(Teller())
    except Exception as error:  # a coverage.py that has other names, or a Python without our extension
        import warnings

        warnings.warn(f"Can't use covcore as core: {type(error).__name__}: {error} (no-covcore)", stacklevel=2)
