"""Real models from PyPI through the ladder: how far does each one get?

    python benchmarks/corpus.py --setup             install the pinned packages into benchmarks/out/packages
    python benchmarks/corpus.py --jobs 2            run them all; table to stdout, JSON to benchmarks/out/corpus.json
    python benchmarks/corpus.py --only 'vit_*'      some of them, by id
    python benchmarks/corpus.py --sample quarter    the fixed quarter that the test suite runs
    python benchmarks/corpus.py --source-only       only check that the models build and run in their own framework
    python benchmarks/corpus.py --convert-only      only convert, and say what could not be converted
    python benchmarks/corpus.py --save              write benchmarks/results/corpus.json too: what ran replaces its rows
    python benchmarks/corpus.py --resume            go on with a run that was interrupted
    python benchmarks/corpus.py --changed           keep the recorded results of models that convert to the same text
    python benchmarks/corpus.py --minutes 40        begin with no model after so many minutes

The models are listed in corpus.yaml. All files of one package are converted once; each model then runs in processes of
its own. A result names the digest of all that the ladder ran: the source, the converted text, the helpers that it uses,
the script that moves the weights, the calls, and the versions of the frameworks. Reports and sources of each model stay
in the work folder; its arrays do not, since all of them together take some hundred gigabytes.
"""

from __future__ import annotations

import argparse
import ast
import fnmatch
import functools
import hashlib
import importlib.metadata
import json
import os
import platform
import re
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import yaml

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "src"))

from ml_switcheroo.verify import (  # noqa: E402
    RUNGS,
    Converted,
    LadderResult,
    VerifyError,
    add_script,
    closure_of,
    convert_tree,
    merge,
    run_ladder,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from concurrent.futures import Future

OUT = HERE / "out"
RECORD = HERE / "results" / "corpus.json"
PACKAGES = OUT / "packages"
SOURCE, TARGET = "torch", "jax"
ARRAYS = {".pth", ".npz", ".safetensors"}


@dataclass(frozen=True)
class Entry:
    """One model of the corpus."""

    id: str
    kind: str
    package: str
    module: str
    build: str
    inputs: tuple[str, ...]
    train: bool = True
    sample: bool = False

    @property
    def top(self) -> str:
        """The importable package that the model's file lies in."""
        return self.module.partition(".")[0]


@dataclass
class Corpus:
    """The data file: packages with their versions, models, and packages that models merely import."""

    packages: dict[str, str]
    entries: list[Entry]

    @classmethod
    def read(cls, path: Path = HERE / "corpus.yaml") -> Corpus:
        """Read corpus.yaml."""
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
        entries = [
            Entry(**{**row, "inputs": tuple(row["inputs"]), "package": group["package"]})
            for group in data["models"]
            for row in group["entries"]
        ]
        return cls({**data["packages"], **data["needed"]}, entries)


def chosen(corpus: Corpus, only: str | None, sample: str | None) -> list[Entry]:
    """The entries that the options ask for."""
    entries = [e for e in corpus.entries if sample is None or e.sample]
    return [e for e in entries if only is None or any(fnmatch.fnmatch(e.id, p) for p in only.split(","))]


# --- packages -------------------------------------------------------------------------------------------------------


def search_path(extra: Iterable[str]) -> list[Path]:
    """Where packages are looked for: folders given, the benchmark's own, then the current environment."""
    return [p for p in [*map(Path, extra), PACKAGES, *map(Path, sys.path)] if p.is_dir()]


def missing(corpus: Corpus, search: Sequence[Path]) -> list[str]:
    """Pinned packages that are not there in their version."""
    found = {
        (str(d.metadata["Name"]).lower().replace("_", "-"), d.version)
        for d in importlib.metadata.distributions(path=[str(p) for p in search])
    }
    return [f"{n}=={v}" for n, v in corpus.packages.items() if (n.lower().replace("_", "-"), v) not in found]


def setup(corpus: Corpus, search: Sequence[Path]) -> None:
    """Install what is missing. Dependencies are pinned in the data file: torch itself must not be fetched again."""
    wanted = missing(corpus, search)
    if not wanted:
        print("all packages are there")
        return
    PACKAGES.mkdir(parents=True, exist_ok=True)
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(PACKAGES), *wanted], check=True
    )


def file_of(entry: Entry, search: Sequence[Path]) -> Path | None:
    """The model's file."""
    relative = Path(*entry.module.split("."))
    for folder in search:
        for path in (folder / relative.with_suffix(".py"), folder / relative / "__init__.py"):
            if path.is_file():
                return path
    return None


# --- conversion, once a package -------------------------------------------------------------------------------------


def convert_package(top: str, entries: Sequence[Entry], search: Sequence[Path], folder: Path, timeout: float) -> str:
    """Convert all files that a package's models need, in a process of its own. '' or what went wrong."""
    command = [
        sys.executable,
        str(Path(__file__).resolve()),
        "--convert",
        top,
        "--only",
        ",".join(e.id for e in entries),
    ]
    command += ["--work", str(folder), *(a for p in search for a in ("--search", str(p)))]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)
    except subprocess.TimeoutExpired:
        return f"conversion took longer than {timeout:g} s"
    if done.returncode:
        return (done.stderr.strip().splitlines() or [f"conversion ended with code {done.returncode}"])[-1]
    return ""


def convert_here(top: str, entries: Sequence[Entry], search: Sequence[Path], folder: Path) -> None:
    """The body of that process: one tree for all models of the package, one migration script for each."""
    closures = {e: closure_of(path, search=search) for e in entries if (path := file_of(e, search)) is not None}
    plain, out = folder / "packages" / top / "plain", folder / "packages" / top / "converted"
    for old in (plain, out):
        _remove(old)
    merge(list(closures.values())).write(plain)
    converted = convert_tree(plain, out, SOURCE, TARGET, jobs=1)
    scripts: dict[str, dict[str, Any]] = {}
    by_file: dict[Path, dict[str, Any]] = {}
    for entry, closure in closures.items():
        if closure.entry_file not in by_file:
            script = folder / "packages" / top / f"migrate_{entry.module}.py"
            own = Converted(out)
            add_script(own, plain / closure.entry_file, script, SOURCE, TARGET)
            by_file[closure.entry_file] = {"script": str(own.script) if own.script else None, "failure": own.failure}
        scripts[entry.id] = by_file[closure.entry_file]
    summary = {
        "errors": converted.errors,
        "failure": converted.failure,
        "seconds": converted.seconds,
        "scripts": scripts,
    }
    (folder / "packages" / top / "conversion.json").write_text(json.dumps(summary, indent=1), encoding="utf-8")


def converted_of(entry: Entry, folder: Path, problem: str) -> Converted:
    """The conversion that the model's package got."""
    base = folder / "packages" / entry.top
    if problem:
        return Converted(base / "nothing", failure=problem)
    data = json.loads((base / "conversion.json").read_text(encoding="utf-8"))
    own = data["scripts"].get(entry.id, {"script": None, "failure": "not converted"})
    script = Path(own["script"]) if own["script"] else None
    return Converted(
        base / "converted", data["errors"], script, data["failure"] or own["failure"], seconds=data["seconds"]
    )


def digest_of(entry: Entry, search: Sequence[Path], folder: Path) -> str:
    """What the ladder runs for a model, all of it; empty where the conversion wrote nothing."""
    path = file_of(entry, search)
    converted = converted_of(entry, folder, "")
    if path is None or converted.script is None:
        return ""
    parts = [entry.build, *entry.inputs, str(entry.train), json.dumps(versions())]
    for name, text in _files(path, tuple(search)):
        new = converted.tree / name
        written = new.read_text(encoding="utf-8") if new.is_file() else ""
        parts += [str(name), text, written, *_helpers(converted.tree / entry.top / "_compat.py", written)]
    parts.append(_script(converted.script.read_text(encoding="utf-8").replace(str(folder), "")))
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


@functools.cache
def _files(path: Path, search: tuple[Path, ...]) -> list[tuple[Path, str]]:
    """The model's file and those that it imports; several models may share it."""
    return sorted(closure_of(path, search=search).files().items())


def _script(text: str) -> str:
    """A script that moves weights, without the kinds of layers that none of its classes names.

    Where a class may hold any module, a script lists the kinds that there are: a new one changes no model's numbers.
    """
    for node in ast.parse(text).body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.target.id == "LAYERS":
            assert node.value is not None
            table = ast.get_source_segment(text, node.value) or ""
            rest = text.replace(table, "")
            named = set(re.findall(r'"layer (\w+)"', rest))
            rules = {kind: rule for kinds, rule in ast.literal_eval(table).items() for kind in kinds.split()}
            return rest + json.dumps({kind: rules[kind] for kind in sorted(named & rules.keys())})
    return text


def _helpers(compat: Path, text: str) -> list[str]:
    """The shared helpers that a converted file uses, and those that they use."""
    definitions = _definitions(compat)
    found: set[str] = set()
    waiting = [
        alias.name
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.ImportFrom) and (node.module or "").endswith("_compat")
        for alias in node.names
    ]
    while waiting:
        name = waiting.pop()
        if name in definitions and name not in found:
            found.add(name)
            waiting += definitions[name][1]
    return [definitions[name][0] for name in sorted(found)]


@functools.cache
def _definitions(compat: Path) -> dict[str, tuple[str, list[str]]]:
    """Name -> its text, and the names that stand in it."""
    if not compat.is_file():
        return {}
    text = compat.read_text(encoding="utf-8")
    found: dict[str, tuple[str, list[str]]] = {}
    for node in ast.parse(text).body:
        names = [node.name] if isinstance(node, (ast.ClassDef, ast.FunctionDef)) else []
        if isinstance(node, ast.Assign):
            names = [target.id for target in node.targets if isinstance(target, ast.Name)]
        used = [part.id for part in ast.walk(node) if isinstance(part, ast.Name)]
        found |= dict.fromkeys(names, (ast.get_source_segment(text, node) or "", used))
    return found


def _remove(folder: Path) -> None:
    import shutil

    shutil.rmtree(folder, ignore_errors=True)


# --- running --------------------------------------------------------------------------------------------------------


def climb(entry: Entry, search: Sequence[Path], folder: Path, problem: str, timeout: float) -> dict[str, Any]:
    """One model through the ladder, as a row of the result."""
    row: dict[str, Any] = {"id": entry.id, "kind": entry.kind, "package": entry.package, "module": entry.module}
    path = file_of(entry, search)
    if path is None:
        return row | {"ok": False, "missed": "source", "reason": f"{entry.module} is not installed: run --setup"}
    start = time.perf_counter()
    kept = folder / "models" / entry.id
    try:
        result: LadderResult = run_ladder(
            path,
            entry.build,
            entry.inputs,
            train=entry.train,
            timeout=timeout,
            search=search,
            converted=converted_of(entry, folder, problem),
            keep=kept,
        )
    except VerifyError as error:
        return row | {"ok": False, "missed": "source", "reason": str(error), "silently_wrong": False}
    finally:
        for array in (p for p in kept.rglob("*") if p.suffix in ARRAYS or p.name == "source.key"):
            array.unlink()
    facts = {"seconds": round(time.perf_counter() - start, 1), "digest": digest_of(entry, search, folder)}
    return row | result.to_json() | facts | {"commit": _commit()}


def run_source(entry: Entry, search: Sequence[Path], folder: Path, timeout: float) -> dict[str, Any]:
    """Only the source side: is the entry itself sound?"""
    row = climb(entry, search, folder, "not asked for", timeout)
    sound = row["missed"] != "source"
    reason = "" if sound else row["reason"]
    return row | {"ok": sound, "missed": "" if sound else "source", "reason": reason, "silently_wrong": False}


def run_convert(entry: Entry, search: Sequence[Path], folder: Path, problem: str) -> dict[str, Any]:
    """Only the first rung."""
    path = file_of(entry, search)
    converted = converted_of(entry, folder, problem)
    closure = closure_of(path, search=search) if path is not None else None
    own = converted.errors.get(closure.entry_file.as_posix(), []) if closure is not None else ["not installed"]
    reason = own[0] if own else converted.failure
    row = {"id": entry.id, "kind": entry.kind, "ok": not reason, "missed": "converts", "reason": reason, "all": own}
    return row if own or not reason else row | {"missed": "weights"}


def show(rows: Iterable[dict[str, Any]], versions: dict[str, str]) -> None:
    """The table and its totals."""
    rows = list(rows)
    width = max((len(r["id"]) for r in rows), default=2)
    print(f"{'id':<{width}}  {'kind':<16}  {'first rung missed':<17}  why")
    for row in rows:
        missed = "-" if row["ok"] else row["missed"] + (" (silent)" if row.get("silently_wrong") else "")
        print(f"{row['id']:<{width}}  {row['kind']:<16}  {missed:<17}  {row.get('reason', '')[:160]}")
    totals = Counter("ok" if r["ok"] else r["missed"] for r in rows)
    silent = sum(bool(r.get("silently_wrong")) for r in rows)
    print(f"\n{totals['ok']} of {len(rows)} models reach the last rung; {silent} silently wrong")
    print("missed: " + ", ".join(f"{name} {totals[name]}" for name in ("source", *RUNGS) if totals[name]))
    print(", ".join(f"{name} {version}" for name, version in versions.items()))


def summary(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """What is quoted elsewhere."""
    commits = Counter(row.get("commit", "") for row in rows)
    return {
        "models": len(rows),
        "ok": sum(r["ok"] for r in rows),
        "silently_wrong": sum(bool(r.get("silently_wrong")) for r in rows),
        "missed": dict(Counter(r["missed"] for r in rows if not r["ok"])),
        "by_kind": {
            kind: [sum(r["ok"] for r in rows if r["kind"] == kind), sum(r["kind"] == kind for r in rows)]
            for kind in sorted({r["kind"] for r in rows})
        },
        "versions": versions(),
        "commit": ", ".join(f"{name} ({count} models)" for name, count in commits.most_common()),
    }


def versions() -> dict[str, str]:
    """Of what the results depend on besides."""
    names = ("torch", "jax", "flax", "numpy")
    return {"python": platform.python_version(), **{n: importlib.metadata.version(n) for n in names}}


def _commit() -> str:
    """What was measured, `+` where files were changed since; empty outside a checkout."""
    name, changed = (
        _git("rev-parse", "--short", "HEAD"),
        _git("status", "--porcelain", "--untracked-files=no", "../src"),
    )
    return name + ("+" if name and changed else "")


def _git(*args: str) -> str:
    try:
        done = subprocess.run(["git", *args], cwd=HERE, capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return done.stdout.strip()


def _lock(folder: Path) -> IO[str] | None:
    """Two runs in one folder would overwrite each other's conversions."""
    import fcntl

    folder.mkdir(parents=True, exist_ok=True)
    file = (folder / "lock").open("w", encoding="utf-8")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        return None
    return file


def _record() -> dict[str, dict[str, Any]]:
    """The rows of the record by their ids."""
    if not RECORD.is_file():
        return {}
    return {row["id"]: row for row in json.loads(RECORD.read_text(encoding="utf-8"))["models"]}


def _recorded(
    entries: Iterable[Entry], search: Sequence[Path], folder: Path, problems: dict[str, str]
) -> dict[str, dict[str, Any]]:
    """The results in the record that would be found again, since everything that was run is the same."""
    known = _record()
    return {
        e.id: known[e.id]
        for e in entries
        if not problems[e.top]
        and known.get(e.id, {}).get("digest")
        and known[e.id]["digest"] == digest_of(e, search, folder)
    }


def _write(path: Path, rows: Sequence[dict[str, Any]], sample: str) -> None:
    facts = summary(rows) | {"date": time.strftime("%Y-%m-%d", time.gmtime()), "sample": sample}
    path.write_text(json.dumps({"summary": facts, "models": rows}, indent=1) + "\n", encoding="utf-8")


def run(entries: Sequence[Entry], search: Sequence[Path], args: argparse.Namespace) -> list[dict[str, Any]]:
    """All models, several at a time."""
    folder = Path(args.work).resolve()
    lock = _lock(folder)
    if lock is None:
        print(f"another run uses {folder}: name another folder with --work", file=sys.stderr)
        raise SystemExit(2)
    os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(folder / "compiled"))  # models share many functions
    tops = sorted({e.top for e in entries})
    groups = {top: [e for e in entries if e.top == top] for top in tops}
    finished = folder / "rows.jsonl"
    rows: dict[str, dict[str, Any]] = {}
    if args.resume and finished.is_file():
        done = [json.loads(line) for line in finished.read_text(encoding="utf-8").splitlines()]
        rows = {row["id"]: row for row in done if row["id"] in {e.id for e in entries}}
    else:
        finished.write_text("", encoding="utf-8")
    with ThreadPoolExecutor(args.jobs) as pool:
        problems = dict.fromkeys(tops, "")
        left = [e for e in entries if e.id not in rows]
        if not args.source_only:
            wanted = sorted({e.top for e in left})
            converting = {t: pool.submit(convert_package, t, groups[t], search, folder, args.timeout) for t in wanted}
            problems |= {top: future.result() for top, future in converting.items()}
        if args.changed:
            rows |= _recorded(left, search, folder, problems)
            left = [e for e in left if e.id not in rows]
        futures: dict[Future[dict[str, Any]], Entry] = {}
        end = time.monotonic() + args.minutes * 60
        for e in left:
            if args.convert_only:
                futures[pool.submit(run_convert, e, search, folder, problems[e.top])] = e
            elif args.source_only:
                futures[pool.submit(run_source, e, search, folder, args.timeout)] = e
            else:
                futures[pool.submit(_until, end, climb, e, search, folder, problems[e.top], args.timeout)] = e
        for future in as_completed(futures):
            entry, row = futures[future], future.result()
            if not row:
                continue
            rows[entry.id] = row
            with finished.open("a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")
            state = "ok" if row["ok"] else f"{row['missed']}: {row['reason'][:140]}"
            print(f"[{len(rows)}/{len(entries)}] {entry.id}: {state}", file=sys.stderr, flush=True)
    return [rows[e.id] for e in entries if e.id in rows]


def _until(end: float, work: Callable[..., dict[str, Any]], *args: Any) -> dict[str, Any]:
    """What the work gives; nothing where it would begin too late."""
    return work(*args) if time.monotonic() < end else {}


def main(argv: Sequence[str] | None = None) -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--setup", action="store_true")
    parser.add_argument("--only", metavar="PATTERN", help="ids, with * and ?; several separated by commas")
    parser.add_argument("--sample", choices=["quarter"])
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--timeout", type=float, default=300.0, help="seconds for one process of one model")
    parser.add_argument("--search", action="append", default=[], help="a folder with packages; may be repeated")
    parser.add_argument(
        "--work", default=str(OUT / "work"), help="where conversions and results of each model are kept"
    )
    parser.add_argument("--source-only", action="store_true")
    parser.add_argument("--convert-only", action="store_true")
    parser.add_argument("--save", action="store_true")
    parser.add_argument("--resume", action="store_true", help="keep the rows that the work folder has already")
    parser.add_argument("--changed", action="store_true", help="run only what has another digest than in the record")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="begin with no model after these")
    parser.add_argument("--convert", help=argparse.SUPPRESS)
    args = parser.parse_args(argv)
    corpus, search = Corpus.read(), search_path(args.search)
    if args.setup:
        setup(corpus, search)
        return 0
    entries = chosen(corpus, args.only, args.sample)
    if args.convert:
        convert_here(args.convert, [e for e in entries if e.top == args.convert], search, Path(args.work))
        return 0
    if not entries:
        print("no model has such an id", file=sys.stderr)
        return 2
    rows = run(entries, search, args)
    show(rows, versions())
    if args.convert_only:
        messages = Counter(re.sub(r"^\S+: |[`'].*?[`']|\d+", "", line) for row in rows for line in row["all"])
        print("\n" + "\n".join(f"{count:>5}  {message[:200]}" for message, count in messages.most_common(60)))
    if args.source_only or args.convert_only:
        return 0 if all(r["ok"] for r in rows) else 1
    OUT.mkdir(exist_ok=True)
    _write(OUT / "corpus.json", rows, args.sample or args.only or "all")
    if args.save:
        RECORD.parent.mkdir(exist_ok=True)
        found = _record() | {row["id"]: row for row in rows}
        _write(RECORD, [found[e.id] for e in corpus.entries if e.id in found], "all")
    return 0 if all(r["ok"] for r in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
