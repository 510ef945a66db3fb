"""Reading source text from files as they are found in the world, and writing results so that nothing is half-written.

Kept exactly: encoding (PEP 263), byte order mark, line endings. Refused with one clear line: binary files, text in
another encoding than declared, destinations that cannot be written.
"""

from __future__ import annotations

import codecs
import contextlib
import io
import os
import stat
import sys
import tokenize
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from .errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

STDIN = "-"
SKIPPED_FOLDERS = frozenset(
    {"__pycache__", ".git", ".hg", ".svn", ".mypy_cache", ".pytest_cache", ".ruff_cache", ".ipynb_checkpoints"}
)


@dataclass(frozen=True)
class SourceText:
    """A file's text and what is needed to write a changed text back in the same form. `text` keeps its line endings."""

    text: str
    path: str = ""
    encoding: str = "utf-8"
    bom: bool = False

    def restored(self, code: str) -> bytes:
        """`code` as bytes in the form of this file: same encoding, same byte order mark, same line endings."""
        if code != self.text and uses_crlf(self.text):
            code = code.replace("\r\n", "\n").replace("\n", "\r\n")
        try:
            data = code.encode(self.encoding)
        except UnicodeEncodeError as error:
            raise InputError(
                "SW0002",
                f"the result has a character that {self.encoding} cannot express: {code[error.start]!r}",
                "declare the file as UTF-8 and convert again",
                path=self.path,
            ) from None
        return codecs.BOM_UTF8 + data if self.bom else data


def uses_crlf(text: str) -> bool:
    """Do all lines end in CRLF, as editors on Windows write them?"""
    return "\r\n" in text and text.count("\n") == text.count("\r\n")


def decode_source(data: bytes, path: str = "") -> SourceText:
    """Python source from bytes: the encoding comes from the byte order mark or the coding line, else it is UTF-8."""
    bom = data.startswith(codecs.BOM_UTF8)
    if bom:
        data = data[len(codecs.BOM_UTF8) :]
    elif data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise InputError("SW0002", "the file is UTF-16, which Python does not read", "save it as UTF-8", path=path)
    if b"\0" in data:
        raise InputError(
            "SW0003",
            "the file holds NUL bytes: it is not source text",
            "give the source code of the model; weights are moved with gen-weight-script",
            path=path,
        )
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
    except SyntaxError as error:
        raise InputError("SW0002", _first_line(error.msg), path=path, line=1) from None
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        col = error.start - (data.rfind(b"\n", 0, error.start) + 1) + 1
        raise InputError(
            "SW0002",
            f"byte 0x{data[error.start]:02x} is not {encoding}",
            "save the file as UTF-8, or declare its encoding in the first line",
            path=path,
            line=line,
            col=col,
        ) from None
    return SourceText(text, path, encoding, bom)


def read_bytes(path: Path) -> bytes:
    """The bytes of a file, or one clear line why not."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError("SW0001", _reason(error), path=str(path)) from None


def read_source(path: Path | str) -> SourceText:
    """The text of a Python file, or of standard input for `-`."""
    if str(path) == STDIN:
        return decode_source(sys.stdin.buffer.read(), "<stdin>")
    return decode_source(read_bytes(Path(path)), str(path))


def walk(folder: Path, leave_out: Path | None = None) -> Iterator[Path]:
    """All files of a tree, in a fixed order, without caches, version control and the destination."""
    excluded = leave_out.resolve() if leave_out is not None else None
    for where, folders, files in os.walk(folder):
        folders[:] = sorted(
            name
            for name in folders
            if name not in SKIPPED_FOLDERS and (excluded is None or (Path(where) / name).resolve() != excluded)
        )
        for name in sorted(files):
            if not name.endswith((".pyc", ".pyo")):
                yield Path(where) / name


def write_atomic(path: Path | str, content: str | bytes) -> None:
    """Replace a file in one step. Whatever goes wrong, the old content stays; missing parent folders are made."""
    import tempfile  # not needed where results go to standard output

    data = content.encode("utf-8") if isinstance(content, str) else content
    target = Path(os.path.realpath(path))  # a link stays a link: what it points to is replaced
    temporary: str | None = None
    try:
        mode = _mode_of(target)
        if mode is not None and stat.S_ISDIR(mode):
            raise IsADirectoryError(21, "it is a folder", str(path))
        if mode is not None and not stat.S_ISREG(mode):  # /dev/stdout, a pipe: nothing to replace
            target.write_bytes(data)
            return
        if mode is not None and not os.access(target, os.W_OK):
            raise PermissionError(13, "Permission denied", str(path))  # replacing would get around the owner's wish
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(prefix=f".{target.name[:80]}.", suffix=".tmp", dir=target.parent)
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        os.chmod(temporary, stat.S_IMODE(mode) if mode is not None else 0o666 & ~_umask())
        os.replace(temporary, target)
        temporary = None
    except OSError as error:
        raise InputError("SW0005", f"cannot write: {_reason(error)}", path=str(path)) from None
    finally:
        if temporary is not None:
            with contextlib.suppress(OSError):
                os.unlink(temporary)


def _mode_of(path: Path) -> int | None:
    try:
        return path.stat().st_mode
    except FileNotFoundError:
        return None


def _umask() -> int:
    current = os.umask(0)
    os.umask(current)
    return current


def _reason(error: OSError) -> str:
    return error.strerror or type(error).__name__


def _first_line(text: str | None) -> str:
    return (text or "unreadable").splitlines()[0]
