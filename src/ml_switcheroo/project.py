"""Converting paths: a file, a notebook, standard input, or a folder whose tree is kept.

A folder is analysed once and its files are converted by worker processes. What goes wrong in one file, our own bugs
included, is reported there and leaves the others converted. Results are collected first and then put in place, each
file in one step.
"""

from __future__ import annotations

import gc
import os
import re
import sys
import threading
from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeVar

from .diagnostics import Diagnostic, diagnose
from .errors import InputError, SwitcherooError
from .source import STDIN, SourceText, decode_source, read_bytes, read_source, walk, write_atomic

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from concurrent.futures import Future

    from .pipeline import Project

T = TypeVar("T")

Status = Literal["converted", "unchanged", "failed"]
COMPAT = "_compat"
# Deeply nested code (a sum of a thousand terms) needs a deep recursion, and the parser a large C stack for it.
RECURSION_LIMIT = 20_000
STACK_BYTES = 512 * 1024 * 1024
RARE_COLLECTIONS = (200_000, 20, 20)
MIN_FILES_FOR_WORKERS = 4


@dataclass
class FileResult:
    """What became of one file. `name` is its place in the tree; `content` is None where nothing is written."""

    path: str
    name: str
    status: Status
    before: str = ""
    after: str = ""
    content: bytes | None = None
    source: str | None = None
    diagnostics: list[Diagnostic] = field(default_factory=list)
    decisions: list[str] = field(default_factory=list)
    helpers: tuple[str, ...] = ()
    compat: str = (
        ""  # the file, in the tree, from which the helpers are imported; "" where they stand in the file itself
    )

    @property
    def ok(self) -> bool:
        """Is everything in this file converted?"""
        return not any(diagnostic.severity == "error" for diagnostic in self.diagnostics)


@dataclass
class Result:
    """What became of everything that was asked for. `generated` holds new files, such as `_compat.py`, by name."""

    files: list[FileResult]
    target: str
    source: str | None = None
    folder: bool = False
    generated: dict[str, str] = field(default_factory=dict)
    copied: list[str] = field(default_factory=list)

    @property
    def diagnostics(self) -> list[Diagnostic]:
        """All findings, in the order of the files and of their lines."""
        return [diagnostic for file in self.files for diagnostic in file.diagnostics]

    @property
    def exit_code(self) -> int:
        """0: all converted; 1: written, with gaps; 2: nothing to write."""
        if self.files and all(file.status == "failed" for file in self.files):
            return 2
        return 0 if all(file.ok for file in self.files) else 1

    def count(self, status: Status) -> int:
        """How many files ended this way."""
        return sum(file.status == status for file in self.files)


@dataclass(frozen=True)
class Job:
    """One file to convert. `compat` is the dotted module of its helpers, None where they are written into the file."""

    path: str
    name: str
    compat: str | None = None
    compat_file: str = ""


@dataclass(frozen=True)
class Settings:
    """What holds for all files of a run."""

    source: str | None
    target: str


def convert_path(
    src: Path | str,
    out: Path | str | None = None,
    *,
    source: str | None = None,
    target: str = "jax",
    jobs: int | None = None,
    on_start: Callable[[int], None] | None = None,
    on_file: Callable[[FileResult], None] | None = None,
) -> Result:
    """Convert a file, a notebook, a folder or standard input (`-`), and write the result to `out` if that is given.

    Raises InputError where there is nothing to convert or `out` cannot be written. `on_start` and `on_file` are told
    how many files there are and what became of each, as it happens.
    """
    _check_frameworks(source, target)
    settings = Settings(source, target)
    src = Path(src)
    if str(src) != STDIN and src.is_dir():
        destination = None if out is None else _checked_destination(src, Path(out))
        result = _convert_folder(src, destination, settings, jobs or os.cpu_count() or 1, on_start, on_file)
        if destination is not None and result.exit_code < 2:
            _write_tree(src, destination, result)
        return result
    if out is not None and (Path(out).is_dir() or str(out).endswith(os.sep)):
        out = Path(out) / (src.name if str(src) != STDIN else "converted.py")
    if on_start:
        on_start(1)
    file = with_deep_stack(lambda: _convert_one(Job(str(src), src.name), settings, None))
    if on_file:
        on_file(file)
    if out is not None and file.content is not None:
        write_atomic(out, file.content)
    return Result([file], target, source or file.source)


def _check_frameworks(*names: str | None) -> None:
    from .kb import spoke_name

    for name in names:
        if name is not None:
            spoke_name(name)


def _check_has_layers(target: str) -> None:
    from .kb import framework_data, framework_names

    reason = (framework_data(framework_names()[target]).get("lacks") or {}).get("layer")
    if reason is not None:
        what, _, hint = reason.partition(": ")
        raise InputError("SW2003", f"there are no weights to migrate: {what}", hint)


def weight_script(src: Path | str, *, source: str | None = None, target: str = "jax") -> tuple[str, list[Diagnostic]]:
    """The text of the script that migrates the weights of the models in a file or folder, and what there is to know."""
    _check_frameworks(source, target)
    _check_has_layers(target)
    path = Path(src)
    if not path.exists():
        read_bytes(path)  # says why not
    try:
        from .weights import gen_weight_script

        files = [path] if path.is_file() else [file for file in walk(path) if file.suffix == ".py"]
        detected = source or _common_source(files, target)
        if detected is None:
            raise InputError("SW0007", "no framework is imported here", "name it with --source", path=str(src))
        done = with_deep_stack(lambda: gen_weight_script(path, source=detected, target=target))
    except SwitcherooError:
        raise
    except Exception as error:
        finding = _internal(error, str(src))
        raise SwitcherooError(finding.code, finding.message, finding.hint, path=finding.path) from error
    return done.code, list(done.diagnostics)


def _common_source(paths: Iterable[Path], target: str) -> str | None:
    """The framework that most of these files import. What cannot be read is reported elsewhere."""
    from .pipeline import detect_source

    found: Counter[str] = Counter()
    for path in paths:
        try:
            source = detect_source(read_source(path).text, target, path)
        except InputError:
            continue
        if source is not None:
            found[source] += 1
    return found.most_common(1)[0][0] if found else None


def with_deep_stack(function: Callable[[], T]) -> T:
    """Run `function` with room for deep recursion, and with rare collections: syntax trees are large and no garbage."""
    outcome: list[T] = []
    failure: list[BaseException] = []

    def run() -> None:
        try:
            outcome.append(function())
        except BaseException as error:
            failure.append(error)

    limit, size, collections = sys.getrecursionlimit(), threading.stack_size(), gc.get_threshold()
    sys.setrecursionlimit(max(limit, RECURSION_LIMIT))
    gc.set_threshold(*RARE_COLLECTIONS)
    try:
        threading.stack_size(STACK_BYTES)
        thread = threading.Thread(target=run)
        thread.start()
    except (ValueError, RuntimeError):  # the system allows no such stack: do without
        run()
    else:
        thread.join()
    finally:
        threading.stack_size(size)
        sys.setrecursionlimit(limit)
        gc.set_threshold(*collections)
    if failure:
        raise failure[0]
    return outcome[0]


# --- one file -------------------------------------------------------------------------------------------------------


def _convert_one(job: Job, settings: Settings, project: Project | None) -> FileResult:
    """Convert one file. Whatever happens is in the result: this does not raise."""
    label = "<stdin>" if job.path == STDIN else job.path
    try:
        if job.path.endswith(".ipynb"):
            return _convert_notebook(job, settings)
        text = read_source(job.path)
        return _convert_text(text, job, label, settings, project)
    except SwitcherooError as error:
        finding = diagnose(
            error.code,
            error.message,
            hint=error.hint or None,
            path=error.path or label,
            line=error.line,
            col=error.col,
        )
        return FileResult(label, job.name, "failed", diagnostics=[finding])
    except Exception as error:
        finding = _syntax_error(error, label) or _internal(error, label)
        return FileResult(label, job.name, "failed", diagnostics=[finding])


def _convert_text(text: SourceText, job: Job, label: str, settings: Settings, project: Project | None) -> FileResult:
    from .pipeline import convert, detect_source

    path = None if job.path == STDIN else Path(job.path)
    done = convert(
        text.text, source=settings.source, target=settings.target, path=path, project=project, compat=job.compat
    )
    found = list(done.diagnostics)
    if project is not None and settings.source is None and done.code == text.text:
        other = detect_source(text.text, settings.target, path)
        if other not in (None, project.source):
            message = f"this file imports {other}, and the folder is converted from {project.source}: it stays as it is"
            found.append(diagnose("SW0013", message, hint=f"convert it by itself, with --source {other}", line=1))
    return FileResult(
        label,
        job.name,
        "unchanged" if done.code == text.text else "converted",
        before=text.text,
        after=done.code,
        content=text.restored(done.code),
        source=done.source,
        diagnostics=sorted((d.at(label) for d in found), key=lambda d: (d.line, d.col, d.code)),
        decisions=list(done.decisions),
        helpers=tuple(done.helpers),
        compat=job.compat_file if job.compat is not None else "",
    )


def _convert_notebook(job: Job, settings: Settings) -> FileResult:
    from .notebook import read_notebook

    content = read_bytes(Path(job.path))
    notebook = read_notebook(content, job.path)
    # Helpers stand in the notebook itself: it is often moved about alone.
    plain = replace(job, compat=None)
    file = _convert_text(decode_source(notebook.text.encode(), job.path), plain, job.path, settings, None)
    file.diagnostics = [*notebook.diagnostics, *map(notebook.located, file.diagnostics)]
    file.content = content if file.status == "unchanged" else notebook.with_code(file.after).encode()
    return file


def _syntax_error(error: Exception, path: str) -> Diagnostic | None:
    """What the parser says about text that is not Python, as one line."""
    from libcst import ParserSyntaxError

    if not isinstance(error, ParserSyntaxError):
        return None
    what = error.message.partition("\n")[0].strip() or "syntax error"
    return diagnose("SW0004", f"not valid Python 3: {what}", path=path, line=error.editor_line, col=error.editor_column)


def _internal(error: BaseException, path: str) -> Diagnostic:
    """A bug of ours, with the line of ours that failed: enough for a report, without a trace on the user's screen."""
    place = ""
    trace = error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        if "ml_switcheroo" in code.co_filename:
            place = f" at {Path(code.co_filename).name}:{trace.tb_lineno}"
        trace = trace.tb_next
    detail = str(error).splitlines()[0][:200] if str(error) else ""
    what = f"{type(error).__name__}: {detail}" if detail else type(error).__name__
    message = f"internal error: {what}{place}; nothing is written for this file"
    line = getattr(error, "source_line", 0)
    return diagnose("SW9001", message, path=path, line=line if isinstance(line, int) else 0)


# --- folders --------------------------------------------------------------------------------------------------------


def _checked_destination(src: Path, out: Path) -> Path:
    """The destination of a folder: not a file, and not the folder that is read, which would mix sources and results."""
    if out.exists() and not out.is_dir():
        raise InputError("SW0005", "cannot write a folder: a file is in the way", path=str(out))
    if out.resolve() == src.resolve():
        raise InputError("SW0005", "the source folder cannot be its own destination", path=str(out))
    if out.resolve() in src.resolve().parents:
        raise InputError("SW0005", "the destination contains the source folder", path=str(out))
    return out


def plan_jobs(folder: Path, files: Sequence[Path]) -> list[Job]:
    """A job for each Python file and notebook, with the module from which its helpers are imported."""
    texts = {file.relative_to(folder) for file in files}
    jobs = []
    for file in files:
        if file.suffix not in {".py", ".ipynb"}:
            continue
        name = file.relative_to(folder)
        module, compat_file = _compat_module(folder, name, texts) if file.suffix == ".py" else (None, "")
        jobs.append(Job(str(file), name.as_posix(), module, compat_file))
    return jobs


def _compat_module(folder: Path, name: Path, names: set[Path]) -> tuple[str | None, str]:
    """From where a file imports helpers: `.._compat` in a package, `_compat` beside scripts, else nowhere (None)."""
    top = name.parent
    levels = 0
    inside = (folder / top / "__init__.py").exists()
    while inside and top != Path() and (folder / top.parent / "__init__.py").exists():
        top = top.parent
        levels += 1
    compat = _free_name(top, names)
    if inside:
        return "." * (levels + 1) + compat, (top / f"{compat}.py").as_posix()
    if name.parent == Path():
        return compat, f"{compat}.py"
    return None, ""


def _free_name(folder: Path, names: set[Path]) -> str:
    candidate = COMPAT
    while folder / f"{candidate}.py" in names or folder / candidate / "__init__.py" in names:
        candidate = f"_{candidate}"
    return candidate


def _convert_folder(
    src: Path,
    out: Path | None,
    settings: Settings,
    jobs: int,
    on_start: Callable[[int], None] | None,
    on_file: Callable[[FileResult], None] | None,
) -> Result:
    files = list(walk(src, out))
    planned = plan_jobs(src, files)
    if not planned:
        raise InputError("SW0001", "no Python file or notebook in this folder", path=str(src))
    if on_start:
        on_start(len(planned))
    done: dict[str, FileResult] = {}
    for file in _run_jobs(planned, src, settings, jobs):
        done[file.name] = file
        if on_file:
            on_file(file)
    results = [done[job.name] for job in planned]
    detected = settings.source or next((file.source for file in results if file.source), None)
    taken = {job.path for job in planned}
    copied = [file.relative_to(src).as_posix() for file in files if str(file) not in taken]
    result = Result(results, settings.target, detected, folder=True, copied=copied)
    _add_helpers(result)
    return result


def _add_helpers(result: Result) -> None:
    """Write each helper that files share once, into the `_compat.py` that they import it from."""
    wanted: dict[str, set[str]] = {}
    for file in result.files:
        if file.compat and file.helpers:
            wanted.setdefault(file.compat, set()).update(file.helpers)
    if not wanted:
        return
    from .compat import render_compat

    for name, helpers in sorted(wanted.items()):
        result.generated[name] = render_compat(helpers, source=result.source or "", target=result.target)


def _run_jobs(planned: list[Job], root: Path, settings: Settings, jobs: int) -> Iterator[FileResult]:
    """Convert in this process, or in workers where that pays."""
    workers = min(jobs, len(planned))
    if workers <= 1 or len(planned) < MIN_FILES_FOR_WORKERS:
        project = with_deep_stack(lambda: _load(planned, root, settings))
        for job in planned:
            yield with_deep_stack(lambda job=job: _convert_one(job, settings, project))  # type: ignore[misc]
        return
    yield from _run_in_workers(planned, root, settings, workers)


def _run_in_workers(planned: list[Job], root: Path, settings: Settings, workers: int) -> Iterator[FileResult]:
    # Imported here because a single file, the common case, has no use for them and they cost as much as small files do.
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor, as_completed
    from concurrent.futures.process import BrokenProcessPool

    # A forked worker inherits the analysed project as it stands; elsewhere each worker has to analyse it for itself.
    forks = "fork" in multiprocessing.get_all_start_methods() and sys.platform != "darwin"
    context = multiprocessing.get_context("fork" if forks else "spawn")
    project = with_deep_stack(lambda: _load(planned, root, settings)) if forks else None
    loaded = _Worker(settings, project) if forks else None
    if forks:
        gc.freeze()  # else the workers' first collections would copy the whole project
    try:
        pending = sorted(planned, key=lambda job: -_size(job.path))
        while pending:
            unfinished: list[Job] = []
            with ProcessPoolExecutor(
                workers, mp_context=context, initializer=_start_worker, initargs=(loaded, planned, root, settings)
            ) as pool:
                futures: dict[Future[FileResult], Job] = {}
                for job in pending:
                    try:
                        futures[pool.submit(_work, job)] = job
                    except BrokenProcessPool:
                        unfinished.append(job)
                for future in as_completed(futures):
                    try:
                        yield future.result()
                    except BrokenProcessPool:
                        unfinished.append(futures[future])
            if unfinished and workers == 1:
                # A worker died, and this was the file that it was working on: those behind it are tried again.
                unfinished.sort(key=pending.index)
                broken = unfinished.pop(0)
                finding = diagnose(
                    "SW9001", "internal error: the process died; nothing is written for this file", path=broken.path
                )
                yield FileResult(broken.path, broken.name, "failed", diagnostics=[finding])
            workers = 1
            pending = unfinished
    finally:
        if forks:
            gc.unfreeze()


def _load(planned: list[Job], root: Path, settings: Settings) -> Project | None:
    """Analyse all files of the folder together. If that fails, each file is still converted on its own."""
    from .pipeline import load_project

    paths = [Path(job.path) for job in planned if job.path.endswith(".py")]
    try:
        source = settings.source or _common_source(paths, settings.target)
        return load_project(paths, root=root, source=source, target=settings.target) if source else None
    except InputError:
        raise
    except Exception:
        return None


@dataclass
class _Worker:
    """What a worker process keeps between files."""

    settings: Settings
    project: Project | None


_worker: list[_Worker] = []  # filled in worker processes only


def _start_worker(loaded: _Worker | None, planned: list[Job], root: Path, settings: Settings) -> None:
    if loaded is None:
        loaded = _Worker(settings, with_deep_stack(lambda: _load(planned, root, settings)))
    _worker[:] = [loaded]


def _work(job: Job) -> FileResult:
    worker = _worker[0]
    return with_deep_stack(lambda: _convert_one(job, worker.settings, worker.project))


def _size(path: str) -> int:
    try:
        return os.path.getsize(path)
    except OSError:
        return 0


def _write_tree(src: Path, out: Path, result: Result) -> None:
    """Put the results in place. A new destination appears complete in one step; in an existing one, file by file."""
    import shutil

    if not out.exists():
        staging = out.parent / f".{out.name}.{os.getpid()}.tmp"
        try:
            out.parent.mkdir(parents=True, exist_ok=True)
            staging.mkdir()
            _fill(src, staging, result)
            os.replace(staging, out)
        except OSError as error:
            raise InputError("SW0005", f"cannot write: {error.strerror or error}", path=str(out)) from None
        finally:
            shutil.rmtree(staging, ignore_errors=True)
        return
    _fill(src, out, result)


def _fill(src: Path, out: Path, result: Result) -> None:
    import shutil

    for file in result.files:
        if file.content is not None:
            write_atomic(out / file.name, file.content)
            shutil.copymode(src / file.name, out / file.name)
    for name, text in result.generated.items():
        write_atomic(out / name, text)
    for name in result.copied:
        origin = src / name
        if not origin.is_file():  # a socket, a dangling link
            continue
        try:
            (out / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(origin, out / name)
        except OSError as error:
            raise InputError("SW0005", f"cannot copy: {error.strerror or error}", path=str(out / name)) from None


def summary(result: Result) -> str:
    """One line about a folder."""
    errors = sum(diagnostic.severity == "error" for diagnostic in result.diagnostics)
    warnings = sum(diagnostic.severity == "warning" for diagnostic in result.diagnostics)
    parts = [f"{result.count('converted')} converted", f"{result.count('unchanged')} without framework code"]
    if result.copied:
        parts.append(f"{len(result.copied)} other files")
    if result.count("failed"):
        parts.append(f"{result.count('failed')} failed")
    text = f"{', '.join(parts)}; {errors} errors, {warnings} warnings"
    return re.sub(r"\b1 (error|warning|other file)s\b", r"1 \1", text)
