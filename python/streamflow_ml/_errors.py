"""What this module raises. Every message names the value, what was expected, and the remedy."""


class Error(Exception):
    """Base of all exceptions of this module.

    ``column`` is the column that it is about, or ``None``.
    """

    def __init__(self, message: str, column: str | None = None) -> None:
        super().__init__(message)
        self.column = column

    def __reduce__(self) -> tuple[type, tuple[str, str | None]]:
        return type(self), (str(self), self.column)


class TableError(Error, ValueError):
    """A table that cannot be read or compared."""


class SettingsError(Error, ValueError):
    """An argument that says what cannot be."""


class StatisticsError(Error, ValueError):
    """Numbers of which a statistic does not exist."""


class InternalError(Error, RuntimeError):
    """A bug in this module."""
