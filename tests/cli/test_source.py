"""Reading and writing files: nothing is guessed, nothing is half-written."""

from __future__ import annotations

import os
import pickle
import stat
from typing import TYPE_CHECKING

import pytest

from ml_switcheroo.errors import InputError
from ml_switcheroo.project import with_deep_stack
from ml_switcheroo.source import SourceText, decode_source, read_source, write_atomic

if TYPE_CHECKING:
    from pathlib import Path


def test_position_of_a_wrong_byte() -> None:
    with pytest.raises(InputError) as caught:
        decode_source(b"x = 1\ny = '\xff'\n", "a.py")
    assert (caught.value.code, caught.value.line, caught.value.col) == ("SW0002", 2, 6)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n",
        b"x = 1",
        b"\xef\xbb\xbfx = 1\r\n",
        "# coding: cp1251\nx = 'ж'\n".encode("cp1251"),
        b"x\r\ny\rz\n",
        b"\x0c\nx\n",
    ],
)
def test_unchanged_text_is_written_back_as_the_same_bytes(data: bytes) -> None:
    text = decode_source(data)
    assert text.restored(text.text) == data


def test_a_result_that_the_encoding_cannot_express_is_refused() -> None:
    with pytest.raises(InputError, match="cannot express"):
        SourceText("x", encoding="latin-1").restored("'ж'")


def test_line_ends_of_the_file_win_over_those_of_added_text() -> None:
    assert decode_source(b"a\r\nb\r\n").restored("new\na\r\nb\r\n") == b"new\r\na\r\nb\r\n"
    assert decode_source(b"a\r\nb\n").restored("new\na\r\nb\n") == b"new\na\r\nb\n"  # mixed: left alone


def test_mode_and_links_survive(tmp_path: Path) -> None:
    real, link = tmp_path / "real.py", tmp_path / "link.py"
    real.write_text("old")
    real.chmod(0o750)
    link.symlink_to(real)
    write_atomic(link, "new")
    assert link.is_symlink()
    assert real.read_text() == "new"
    assert stat.S_IMODE(real.stat().st_mode) == 0o750
    assert sorted(os.listdir(tmp_path)) == ["link.py", "real.py"]


def test_devices_are_written_not_replaced() -> None:
    write_atomic(os.devnull, "x")
    assert stat.S_ISCHR(os.stat(os.devnull).st_mode)


def test_the_old_content_stays_when_writing_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.py"
    path.write_text("old")

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(InputError, match="No space left"):
        write_atomic(path, "new")
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.py"]


def test_a_folder_is_not_read(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        read_source(tmp_path)
    assert caught.value.code == "SW0001"


def test_errors_travel_between_processes() -> None:
    error = pickle.loads(pickle.dumps(InputError("SW0004", "m", "h", path="p", line=3, col=4)))
    assert (type(error), error.code, error.message, error.hint) == (InputError, "SW0004", "m", "h")
    assert (error.path, error.line, error.col) == ("p", 3, 4)


def test_deep_stack_returns_and_raises() -> None:
    def depth(n: int) -> int:
        return 0 if n == 0 else 1 + depth(n - 1)

    assert with_deep_stack(lambda: depth(10_000)) == 10_000
    with pytest.raises(ZeroDivisionError):
        with_deep_stack(lambda: 1 // 0)
