"""What goes wrong in the user's reach."""


class CovcoreError(Exception):
    """Says in one line what is wrong and what to do; the command prints it as `covcore: error: ...` and ends with status 1."""
