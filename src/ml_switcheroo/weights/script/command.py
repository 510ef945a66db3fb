"""The command line: what goes where is decided and checked completely before anything is written."""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from .checkpoint import Checkpoint
from .match import Grammar, Match, Matcher, Node, share_memory
from .output import Output, planned, write_orbax, write_safetensors
from .tensors import RefusedError, Tensor

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .match import Move


def main(grammar: Grammar, framework: str, arguments: Sequence[str] | None = None) -> int:
    """Runs the command; 0 when the weights are written, 2 when nothing is."""
    options = _parser(framework).parse_args(arguments)
    try:
        _run(grammar, framework, options)
    except RefusedError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except OSError as error:
        print(f"error: {error.filename or options.output}: {error.strerror or error}", file=sys.stderr)
        return 2
    return 0


def _parser(framework: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=f"Moves the weights of a trained model to its {framework} version.")
    parser.add_argument(
        "input", type=Path, help=".pth, .pt, .bin, .safetensors, an index of shards, or a folder with one of these"
    )
    parser.add_argument("output", type=Path, nargs="?", help="a .safetensors file, or a folder for an Orbax checkpoint")
    parser.add_argument(
        "--class", dest="root", metavar="NAME", help="the class of the model, when several fit the checkpoint"
    )
    parser.add_argument("--as", dest="forced", metavar="NAMES=KIND", action="append", default=[],
                        help="what it is, where that is open: 'head.*=Linear' (a class, tensor, drop)")  # fmt: skip
    parser.add_argument("--strip", metavar="PREFIX", help="a prefix to take off every name of the checkpoint")
    parser.add_argument("--entry", metavar="NAME", help="which dictionary of a .pth file holds the weights")
    parser.add_argument(
        "--max-shard-size", metavar="SIZE", type=_size, default="5GB", help="largest output file (default 5GB)"
    )
    parser.add_argument("--dry-run", action="store_true", help="print what would go where and write nothing")
    parser.add_argument("--report", type=Path, metavar="FILE.json", help="write what went where as JSON")
    return parser


def _size(text: str) -> int:
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]?)(i?)B?", text.strip(), re.IGNORECASE)
    if not found or float(found[1]) <= 0:
        raise argparse.ArgumentTypeError(f"{text!r} is not a size such as 500MB or 5GB")
    return int(float(found[1]) * (1024 if found[3] else 1000) ** " KMGT".index(found[2].upper() or " "))


def _run(grammar: Grammar, framework: str, options: argparse.Namespace) -> None:
    if options.output is None and not options.dry_run:
        raise RefusedError("name the output, or use --dry-run")
    if options.output is not None and options.output.suffix not in ("", ".safetensors"):
        raise RefusedError(f"{options.output}: the output is a .safetensors file, or a folder for an Orbax checkpoint")
    checkpoint = Checkpoint(options.input, options.entry)
    match, notes = read_names(grammar, checkpoint, options)
    moves = share_memory(match.moves, checkpoint.tensors, grammar.tied)
    outputs = _outputs(moves, checkpoint.tensors)
    for note in (*checkpoint.notes, *notes):
        print(note)
    if options.dry_run:
        _print_table(moves, checkpoint.tensors)
    else:
        one_file = options.output.suffix == ".safetensors"
        files = (
            write_safetensors(checkpoint, outputs, options.output, options.max_shard_size, framework)
            if one_file
            else write_orbax(checkpoint, outputs, options.output)
        )
        total = sum(output.nbytes for output in outputs) / 1e6
        print(
            f"{len(checkpoint.tensors)} tensors read, {len(outputs)} written to {files[-1]} "
            f"({total:,.1f} MB) and read back"
        )
    reasons: dict[str, list[str]] = {}
    for move in moves:
        if move.dropped:
            reasons.setdefault(move.dropped, []).append(move.name)
    for reason, names in reasons.items():
        print(f"{len(names)} left out, {reason}: {', '.join(names[:3])}{', ...' if len(names) > 3 else ''}")
    if options.report:
        _write_report(options.report, moves, checkpoint, [*checkpoint.notes, *notes])


def read_names(grammar: Grammar, checkpoint: Checkpoint, options: argparse.Namespace) -> tuple[Match, list[str]]:
    """What every tensor is, or a refusal that says which tensor cannot be told and why."""
    notes = []
    names = {key: key for key in checkpoint.tensors}
    if options.strip:
        prefix = options.strip.rstrip(".") + "."
        strange = [key for key in names if not key.startswith(prefix)]
        if strange:
            raise RefusedError(f"--strip {options.strip}: {strange[0]} does not begin with it")
        names = {key: key.removeprefix(prefix) for key in names}
    if any("_orig_mod" in name.split(".") for name in names.values()):
        names = {key: ".".join(part for part in name.split(".") if part != "_orig_mod") for key, name in names.items()}
        notes.append("the prefix _orig_mod (torch.compile) is taken off")
    if options.root and options.root not in grammar.classes:
        raise RefusedError(f"--class {options.root}: there is no such class; there are: {', '.join(grammar.classes)}")
    roots = [options.root] if options.root else list(grammar.classes)
    forced = []
    for text in options.forced:
        pattern, equals, kind = text.rpartition("=")
        if not equals:
            raise RefusedError(f"--as {text}: write it as NAMES=KIND, for example 'head.*=Linear'")
        forced.append((pattern, kind))
    matcher = Matcher(grammar, checkpoint.same, checkpoint.keeps_aliases, forced)
    # Wrappers put one prefix before all names: when the names do not fit as they are, try without it. `module` is
    # that of DataParallel, and more likely than a class that could hold anything.
    readings: list[tuple[Match, str]] = []
    stripped = ""
    while True:
        tree = Node("")
        for key, name in names.items():
            tree.add(name, replace(checkpoint.tensors[key], key=key))
        match = matcher.root(tree, roots)
        readings.append((match, stripped))
        first = next(iter(names.values())).partition(".")[0]
        wrapped = match.problems or (match.guesses and first == "module")
        if not wrapped or not all(name.startswith(first + ".") for name in names.values()):
            break
        names = {key: name.removeprefix(first + ".") for key, name in names.items()}
        stripped += first + "."
    match, stripped = min(readings, key=lambda reading: (bool(reading[0].problems), bool(reading[0].guesses)))
    if match.problems:
        match, stripped = min(readings, key=lambda reading: len(reading[0].problems))
    _refuse_what_is_open(match, checkpoint, roots, options)
    if stripped:
        notes.append(f"the prefix {stripped} of all names is taken off")
    notes += [
        f"{path}: its class comes from outside; of all that is known, {label} fits" for path, label in match.guesses
    ]
    return match, notes


def _refuse_what_is_open(match: Match, checkpoint: Checkpoint, roots: list[str], options: argparse.Namespace) -> None:
    if match.problems:
        lines = [f"{name}: {reason}" for name, reason in match.problems]
        more = [f"... and {len(lines) - 8} more"] if len(lines) > 8 else []
        which = (
            f"class {roots[0]}"
            if len(roots) == 1
            else f"any of the classes {', '.join(roots[:12])}{', ...' if len(roots) > 12 else ''}"
        )
        known = len(checkpoint.tensors) - len(match.problems)
        told = f" (the closest explains {known} of {len(checkpoint.tensors)} tensors)" if known > 0 else ""
        raise RefusedError("\n  ".join([f"{options.input}: is no checkpoint of {which}{told}:", *lines[:8], *more]))
    lines = [f"{name or 'the model'} may be: {', '.join(labels)}" for name, labels in match.doubts]
    if lines:
        name, labels = match.doubts[0]
        choice = labels[0].split()[-1]
        hint = f"--as '{name}={choice}'" if name else f"--class {choice}"
        raise RefusedError(
            "\n  ".join(
                [
                    f"{options.input}: what some tensors belong to cannot be told; say it, for example with {hint}",
                    *lines[:12],
                ]
            )
        )


def _outputs(moves: Sequence[Move], tensors: dict[str, Tensor]) -> list[Output]:
    order = {key: number for number, key in enumerate(tensors)}
    outputs = [planned(move, tensors[move.key]) for move in moves if not move.dropped]
    taken: dict[str, Output] = {}
    for output in outputs:
        other = taken.setdefault(output.path, output)
        if other is not output:
            raise RefusedError(f"{other.move.name} and {output.move.name} would both become {output.path}")
    read = {move.key for move in moves}
    lost = [key for key in tensors if key not in read]
    if lost:
        raise AssertionError(
            f"nothing is known of {lost[0]}"
        )  # a mistake of this script: better no output than a partial one
    return sorted(outputs, key=lambda output: order[output.move.key])


def describe(move: Move) -> str:
    """What happens to the numbers, in words."""
    words = []
    if move.part:
        words.append(f"part {move.part[1] + 1} of {move.part[2]} along axis {move.part[0]}")
    if move.axes:
        words.append(f"axes {', '.join(map(str, move.axes))}")
    return "; ".join(words) or "as it is"


def _print_table(moves: Sequence[Move], tensors: dict[str, Tensor]) -> None:
    for move in moves:
        shape = list(tensors[move.key].shape)
        if move.dropped:
            print(f"{move.name} {shape} -> (left out, {move.dropped})")
        else:
            print(
                f"{move.name} {shape} -> {move.path} {list(planned(move, tensors[move.key]).shape)} ({describe(move)})"
            )


def _write_report(path: Path, moves: Sequence[Move], checkpoint: Checkpoint, notes: list[str]) -> None:
    rows = []
    for move in moves:
        tensor = checkpoint.tensors[move.key]
        row: dict[str, object] = {"key": move.name, "dtype": tensor.dtype, "shape": list(tensor.shape)}
        if move.dropped:
            row["dropped"] = move.dropped
        else:
            row |= {"path": move.path, "new_shape": list(planned(move, tensor).shape), "transform": describe(move)}
        rows.append(row)
    scratch = path.with_name(f".{path.name}.{os.getpid()}")
    scratch.write_text(
        json.dumps({"input": str(checkpoint.path), "tensors": rows, "notes": notes}, indent=2) + "\n", "utf-8"
    )
    os.replace(scratch, path)
