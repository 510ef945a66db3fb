"""Exceptions that end the work on a file with one clear line instead of a trace."""

from __future__ import annotations


class SwitcherooError(Exception):
    """Something that stops a file or a command, said in the words of the user's problem.

    `code` is a key of `diagnostics.CODES`; `line` and `col` count from 1, 0 means "no position".
    """

    def __init__(self, code: str, message: str, hint: str = "", *, path: str = "", line: int = 0, col: int = 0) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint
        self.path = path
        self.line = line
        self.col = col

    def __reduce__(self) -> tuple[object, ...]:
        # Worker processes send errors home by pickle, which by default would call __init__ with the message alone.
        return (_rebuild, (type(self), self.code, self.message, self.hint, self.path, self.line, self.col))


class InputError(SwitcherooError):
    """The user's input or destination is at fault: nothing is written and the command ends with exit code 2."""


def _rebuild(
    kind: type[SwitcherooError], code: str, message: str, hint: str, path: str, line: int, col: int
) -> SwitcherooError:
    return kind(code, message, hint, path=path, line=line, col=col)
