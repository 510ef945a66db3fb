"""The command line. Each command is thin and imports what it needs when it runs, so that the others start fast."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from . import __version__

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from .diagnostics import Diagnostic
    from .project import FileResult, Result

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    help="Convert model source code from one machine-learning framework to another.",
)


def main() -> None:
    """The console script: every failure is one clear line and an exit code, never a trace."""
    try:
        app(prog_name="ml_switcheroo")
    except KeyboardInterrupt:
        _say("interrupted; nothing half-written is left behind")
        sys.exit(130)
    except BrokenPipeError:  # the reader of our output has gone (`| head`)
        sys.stderr.close()
        sys.exit(1)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"ml_switcheroo {__version__}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and exit.")
    ] = False,
) -> None:
    """What stands before the command."""


Src = Annotated[str, typer.Argument(metavar="SRC", help="A .py file, a folder, an .ipynb notebook, or - for stdin.")]
Source = Annotated[
    str | None, typer.Option(help="The framework that SRC uses; detected from its imports when left out.")
]
Target = Annotated[str, typer.Option(help="The framework to convert to.")]


@app.command()
def convert(
    src: Src,
    target: Target = "jax",
    source: Source = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Where the result goes: a file or folder. A single file goes to stdout without it."),
    ] = None,
    diff: Annotated[bool, typer.Option("--diff", help="Print a diff instead of the result.")] = False,
    check: Annotated[bool, typer.Option("--check", help="Only say what could not be converted.")] = False,
    report: Annotated[Path | None, typer.Option(help="Write a report: a .json or an .html file.")] = None,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Explain each decision.")] = False,
    jobs: Annotated[int | None, typer.Option("--jobs", "-j", min=1, help="Worker processes for a folder.")] = None,
) -> None:
    """Convert source code. Exit code 0: converted; 1: written, but parts could not be converted; 2: nothing written."""
    from .project import convert_path, summary
    from .report import SUFFIXES, write_report
    from .source import STDIN

    folder = src != STDIN and Path(src).is_dir()
    if check and (out is not None or diff):
        raise typer.BadParameter("--check writes nothing: leave --out and --diff out")
    if folder and out is None and not (check or diff):
        raise typer.BadParameter("a folder needs a destination: add --out, or look first with --check or --diff")
    if report is not None and report.suffix not in SUFFIXES:
        raise typer.BadParameter("--report takes a .json or an .html file")
    with _one_line_errors(), _progress(folder) as (on_start, on_file):
        result = convert_path(src, out, source=source, target=target, jobs=jobs, on_start=on_start, on_file=on_file)
    with _one_line_errors():
        if report is not None:
            write_report(result, report)
    _show(result, verbose=verbose)
    if diff:
        _print_diff(result)
    elif out is None and not check and result.files[0].content is not None:
        _to_stdout(result.files[0].content)
    if folder:
        _say(summary(result))
    raise typer.Exit(result.exit_code)


@app.command("gen-weight-script")
def gen_weight_script(
    src: Annotated[str, typer.Argument(metavar="SRC", help="The .py file or folder that defines the model.")],
    target: Target = "jax",
    source: Source = None,
    out: Annotated[Path | None, typer.Option(help="Where the script goes; stdout without it.")] = None,
) -> None:
    """Write a standalone script that turns the model's trained weights into the target's."""
    from .project import weight_script
    from .source import write_atomic

    with _one_line_errors():
        script, diagnostics = weight_script(src, source=source, target=target)
        _print_diagnostics(diagnostics)
        if out is None:
            _to_stdout(script.encode())
        else:
            write_atomic(out, script)
    raise typer.Exit(int(any(diagnostic.severity == "error" for diagnostic in diagnostics)))


@app.command()
def verify(
    src: Annotated[str, typer.Argument(metavar="SRC", help="The .py file that defines the model.")],
    build: Annotated[str, typer.Option(help='How to make the model, for example "Net(num_classes=10)".')],
    inputs: Annotated[
        list[str], typer.Option("--input", help="An input: 2x3x32x32, 2x16:int<100, mask=2x16:bool, ...")
    ],
    target: Target = "jax",
    source: Source = None,
    train: Annotated[bool, typer.Option(help="Take the training steps in training mode.")] = True,
    seed: Annotated[int, typer.Option(help="Seed of the weights and inputs.")] = 0,
    timeout: Annotated[float, typer.Option(help="Seconds that each side may take.")] = 300.0,
    search: Annotated[list[str] | None, typer.Option(help="A folder with packages that SRC imports.")] = None,
    keep: Annotated[str | None, typer.Option(help="Leave everything that was made in this folder.")] = None,
    report: Annotated[str | None, typer.Option(help="Write the result to a .json file.")] = None,
) -> None:
    """Run both sides of a conversion and compare outputs, gradients and training steps. Executes SRC."""
    from .verify import cli_verify

    with _one_line_errors():
        code = cli_verify(
            src,
            build,
            inputs,
            target=target,
            source=source,
            train=train,
            seed=seed,
            timeout=timeout,
            search=search or (),
            keep=keep,
            json_report=report,
        )
    raise typer.Exit(code)


@app.command()
def ci(
    op: Annotated[
        list[str] | None, typer.Option(help="Only this operation of the knowledge base (may be repeated).")
    ] = None,
    framework: Annotated[str, typer.Option(help="The targets, with commas between them.")] = "jax",
    source: Annotated[str, typer.Option(help="The framework whose spellings are drawn.")] = "torch",
    examples: Annotated[int, typer.Option(min=1, help="Calls that are compared, an operation and direction.")] = 20,
    seed: Annotated[int, typer.Option(help="Two runs with one seed draw the same.")] = 0,
    jobs: Annotated[int | None, typer.Option("--jobs", "-j", min=1, help="Worker processes.")] = None,
    json_report: Annotated[
        Path | None, typer.Option("--json-report", help="Write all results to a .json file.")
    ] = None,
    cache: Annotated[bool, typer.Option(help="Leave out what has not changed since an earlier run.")] = True,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="A line for each operation.")] = False,
) -> None:
    """Prove the mappings: draw calls, convert them, run both sides, compare. Exit code 1: something is not as known."""
    with _one_line_errors():
        _need_frameworks(source, *framework.split(","))
        from .fuzz.cli_view import cli_ci

        code = cli_ci(
            op or [],
            source=source,
            targets=framework.split(","),
            examples=examples,
            seed=seed,
            jobs=jobs,
            cached=cache,
            json_report=json_report,
            verbose=verbose,
        )
    raise typer.Exit(code)


def _need_frameworks(*frameworks: str) -> None:
    from .errors import InputError
    from .fuzz import missing

    if absent := missing(*frameworks):
        hint = f"pip install {' '.join(absent)}"
        raise InputError("SW0012", f"the fuzzer needs {', '.join(absent)}, which is not installed", hint=hint)


Json = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


@app.command()
def define(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A definition file: EXTENDING_WITH_DSL.md.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check the file and install nothing.")] = False,
    user: Annotated[
        bool, typer.Option("--user/--project", help="For all your projects, or (default) for the one you are in.")
    ] = False,
    json: Json = False,
) -> None:
    """Add an operation or change one, in rows of your own. Exit code 2: the file is bad, nothing changed."""
    from .authoring.define import define, unreadable
    from .errors import SwitcherooError

    with _one_line_errors():
        try:
            done = define(file, user=user, dry_run=dry_run)
        except SwitcherooError as error:
            if not json:
                raise
            _print_json(unreadable(str(file), error))
            raise typer.Exit(2) from None
    if json:
        _print_json(done.as_json())
    else:
        for line in done.lines():
            print(line, file=sys.stdout if done.ok else sys.stderr)
    raise typer.Exit(0 if done.ok else 2)


@app.command()
def suggest(
    api: Annotated[str, typer.Argument(metavar="API", help="A public name, such as torch.nn.functional.softshrink.")],
    target: Annotated[str | None, typer.Option(help="The framework to convert to; all others when left out.")] = None,
) -> None:
    """Print a prompt with which a language model can write the definition of an operation. Imports the frameworks."""
    from .authoring.suggest import suggest

    with _one_line_errors():
        prompt = suggest(api, target=target)
    _to_stdout(prompt.encode())


class MatrixFormat(str, Enum):
    """How the matrix is written."""

    TERMINAL = "terminal"
    MARKDOWN = "markdown"
    JSON = "json"
    HTML = "html"


@app.command()
def matrix(
    source: Annotated[str, typer.Option(help="The framework whose public names are looked up.")] = "torch",
    framework: Annotated[str, typer.Option(help="The targets, with commas between them.")] = "jax",
    area: Annotated[list[str] | None, typer.Option(help="Only this area, such as torch.nn (may be repeated).")] = None,
    status: Annotated[str | None, typer.Option(help="Only names that are mapped, refused or unknown.")] = None,
    containing: Annotated[str, typer.Option(help="Only names with this text in them.")] = "",
    names: Annotated[bool, typer.Option("--names", help="A line for each name instead of each area.")] = False,
    form: Annotated[MatrixFormat, typer.Option("--format", help="How to write it.")] = MatrixFormat.TERMINAL,
    report: Annotated[
        Path | None, typer.Option(help="The report of ci with the proofs (default: the last run over everything).")
    ] = None,
) -> None:
    """Show which public names of a framework are mapped, refused or not known, and which mappings are proved."""
    from .report import matrix as view

    with _one_line_errors():
        targets = framework.split(",")
        found = view.matrix(source, targets, view.reports_for(source, targets, report))
        found = view.only(found, areas=area or [], status=status, containing=containing)
    if form is MatrixFormat.TERMINAL:
        view.show(found, names=names)
    else:
        _to_stdout(view.FORMATS[form.value](found, names=names).encode())


@app.command()
def sync(
    framework: Annotated[str, typer.Argument(metavar="FRAMEWORK", help="A framework that is installed.")],
    write: Annotated[bool, typer.Option("--write", help="Record the installed version in the checkout.")] = False,
    json: Json = False,
) -> None:
    """Compare an installed framework with the version that the rows were written for. Exit code 1: rows are touched."""
    from .authoring.sync import sync

    with _one_line_errors():
        changes = sync(framework, write=write)
    if json:
        _print_json(changes.as_json())
    else:
        for line in changes.lines():
            print(line)
    raise typer.Exit(int(bool(changes.rows)))


def _print_json(data: object) -> None:
    import json

    print(json.dumps(data, indent=2))


def _show(result: Result, *, verbose: bool) -> None:
    for file in result.files:
        _print_diagnostics(file.diagnostics)
        if verbose:
            for decision in file.decisions:
                _say(f"{file.path}: {decision}")


def _print_diagnostics(diagnostics: list[Diagnostic]) -> None:
    for diagnostic in diagnostics:
        _say(diagnostic.format())


def _print_diff(result: Result) -> None:
    import difflib

    for file in result.files:
        lines = difflib.unified_diff(
            file.before.splitlines(keepends=True),
            file.after.splitlines(keepends=True),
            f"a/{file.name}",
            f"b/{file.name}",
        )
        _to_stdout(
            "".join(
                line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines
            ).encode()
        )


def _to_stdout(data: bytes) -> None:
    # Bytes, because the text keeps its own encoding and line endings.
    sys.stdout.flush()
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def _say(line: str) -> None:
    print(line, file=sys.stderr)


@contextmanager
def _one_line_errors() -> Iterator[None]:
    """Bad input ends the command with one line and exit code 2."""
    from .diagnostics import diagnose
    from .errors import SwitcherooError

    try:
        yield
    except SwitcherooError as error:
        finding = diagnose(
            error.code, error.message, hint=error.hint or None, path=error.path, line=error.line, col=error.col
        )
        _say(finding.format())
        raise typer.Exit(2) from None


@contextmanager
def _progress(folder: bool) -> Iterator[tuple[Callable[[int], None] | None, Callable[[FileResult], None] | None]]:
    """A progress bar on a terminal; nothing in a pipe, where it would only fill the log."""
    if not (folder and sys.stderr.isatty()):
        yield None, None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    # No refreshing thread: workers are forked, and forking beside threads is not safe.
    columns = (BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("{task.description}"))
    with Progress(*columns, console=Console(stderr=True), auto_refresh=False, transient=True) as bar:
        task = bar.add_task("reading", total=None)

        def on_start(total: int) -> None:
            bar.update(task, total=total, description="analysing", refresh=True)

        def on_file(file: FileResult) -> None:
            bar.update(task, advance=1, description=file.name, refresh=True)

        yield on_start, on_file
