"""What each tensor of the checkpoint belongs to: the tree of its names, read with the grammar of the classes."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import cache
from typing import TYPE_CHECKING, Any

from .tensors import RefusedError, Tensor

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable


@dataclass(frozen=True)
class Grammar:
    """The facts at the top of this file."""

    classes: dict[str, dict[str, list[Any]]]
    containers: dict[str, dict[str, Any]]
    layers: dict[str, dict[str, Any]]
    ties: dict[str, list[tuple[str, str]]]
    places: dict[str, str]


class Node:
    """A name of the checkpoint up to one of its dots: what lies below it, or the tensor that it names."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.tensor: Tensor | None = None
        self.children: dict[str, Node] = {}

    def add(self, name: str, tensor: Tensor) -> None:
        """Puts a tensor under a dotted name."""
        node = self
        for part in name.split("."):
            node = node.children.setdefault(part, Node(_join(node.path, part)))
        node.tensor = tensor

    def with_tensor(self, name: str, tensor: Tensor) -> Node:
        """A copy of this node in which one more name stands for a tensor."""
        first, _, rest = name.partition(".")
        copy = Node(self.path)
        copy.tensor, copy.children = self.tensor, dict(self.children)
        child = copy.children.get(first, Node(_join(self.path, first)))
        if rest:
            copy.children[first] = child.with_tensor(rest, tensor)
        else:
            copy.children[first] = leaf = Node(child.path)
            leaf.tensor = tensor
        return copy

    def tensors(self) -> list[tuple[str, Tensor]]:
        """Every tensor at or below this node with its full name."""
        below = [item for child in self.children.values() for item in child.tensors()]
        return [*([(self.path, self.tensor)] if self.tensor else []), *below]


@dataclass(frozen=True)
class Move:
    """Where a tensor goes: its path in the target, or why it is left out, and how its axes change."""

    name: str  # where the model has it; differs from `key` for a shared tensor that the checkpoint holds once
    key: str
    target: tuple[str, ...]
    axes: tuple[int, ...] | None = None  # the axes of the source in the order of the target
    part: tuple[int, int, int] | None = None  # (axis, number, count): one of `count` equal parts along an axis
    dropped: str = ""

    @property
    def path(self) -> str:
        """The dotted path in the target."""
        return ".".join(self.target)


@dataclass(frozen=True)
class Match:
    """One reading of a node: where its tensors go, which of them do not fit, and what is not certain."""

    moves: tuple[Move, ...] = ()
    problems: tuple[tuple[str, str], ...] = ()  # (name, why it does not fit)
    doubts: tuple[tuple[str, tuple[str, ...]], ...] = ()  # (name, the readings between which the facts do not decide)
    guesses: tuple[tuple[str, str], ...] = ()  # (name, the only reading that fits where the facts know nothing)

    def __add__(self, other: Match) -> Match:
        return Match(
            self.moves + other.moves,
            self.problems + other.problems,
            self.doubts + other.doubts,
            self.guesses + other.guesses,
        )

    def outcome(self) -> tuple[object, ...]:
        """Equal for two readings between which nobody has to choose."""
        return (tuple(sorted(self.moves, key=lambda move: (move.name, move.path))), self.doubts)


class Matcher:
    """Reads nodes with the grammar. `same` compares the numbers of two tensors; `forced` are --as options."""

    def __init__(
        self,
        grammar: Grammar,
        same: Callable[[str, str], bool],
        keeps_aliases: bool,
        forced: Iterable[tuple[str, str]] = (),
    ) -> None:
        self.grammar = grammar
        self.same = same
        self.keeps_aliases = keeps_aliases
        self.forced = [(_glob(pattern), self._named(name)) for pattern, name in forced]
        self.known: dict[tuple[Node, str, tuple[str, ...]], Match] = {}

    def _named(self, name: str) -> Any:
        if name in self.grammar.classes:
            return f"class {name}"
        if name in self.grammar.layers:
            return f"layer {name}"
        if name in ("Sequential", "ModuleList", "ModuleDict"):
            return {name: {"*": ["anything"]}}
        if name in ("tensor", "drop"):
            return name
        raise RefusedError(
            f"--as: {name} is neither a class nor a layer of this script, nor Sequential, ModuleList, tensor or drop"
        )

    def root(self, node: Node, names: Iterable[str]) -> Match:
        """The reading of the whole checkpoint as one of the classes."""
        return self.choose(node, [f"class {name}" for name in names], ())

    def choose(self, node: Node, candidates: list[Any], target: tuple[str, ...]) -> Match:
        """The reading of a node that fits. Readings with the same outcome count as one; more than one is a doubt."""
        for pattern, candidate in self.forced:
            if pattern.fullmatch(node.path):
                candidates = [candidate]
        known = [candidate for candidate in candidates if candidate != "anything"]
        best = self._best(node, known, target)
        if len(known) == len(candidates) or (known and not best.problems):
            return best
        # The class comes from outside: every class and layer is possible, and the tensors decide.
        anything: list[Any] = ["tensor", *(f"layer {name}" for name in self.grammar.layers)]
        anything += [f"class {name}" for name in self.grammar.classes]
        if all(name.isdigit() and child.tensor is None for name, child in node.children.items()):
            anything += [{kind: {"*": ["anything"]}} for kind in ("Sequential", "ModuleList")]
        found = self._best(node, anything, target, guess=True)
        return best if known and len(best.problems) < len(found.problems) else found

    def _best(self, node: Node, candidates: list[Any], target: tuple[str, ...], guess: bool = False) -> Match:
        matches = [(_label(candidate), self.match(node, candidate, target)) for candidate in candidates]
        fits = [(label, match) for label, match in matches if not match.problems]
        if not fits:
            nothing = Match(
                problems=tuple((name, "the facts know nothing with tensors here") for name, _ in node.tensors())
            )
            return min((match for _, match in matches), key=lambda match: len(match.problems), default=nothing)
        # A reading on evidence all the way down wins over one in which a class from outside could be anything.
        fits = [(label, match) for label, match in fits if not match.guesses] or fits
        outcomes: dict[tuple[object, ...], list[str]] = {}
        for label, match in fits:
            outcomes.setdefault(match.outcome(), []).append(label)
        best = fits[0][1]
        if guess:
            best = replace(best, guesses=((node.path, fits[0][0]), *best.guesses))
        if len(outcomes) > 1:
            return replace(best, doubts=((node.path, tuple(labels[0] for labels in outcomes.values())),))
        return best

    def match(self, node: Node, candidate: Any, target: tuple[str, ...]) -> Match:
        """One reading of a node."""
        label = _label(candidate)
        if not isinstance(candidate, str):
            ((kind, children),) = candidate.items()
            return self._container(node, kind, children, target)
        if (node, label, target) not in self.known:
            kind, _, name = label.partition(" ")
            self.known[node, label, target] = self._match(node, kind, name, target)
        return self.known[node, label, target]

    def _match(self, node: Node, kind: str, name: str, target: tuple[str, ...]) -> Match:
        if kind == "drop":
            return Match(
                tuple(Move(path, tensor.key, (), dropped="left out with --as") for path, tensor in node.tensors())
            )
        if kind == "container":
            return self.match(node, self.grammar.containers[name], target)
        if kind == "anything":
            return self.choose(node, ["anything"], target)
        if kind == "tensor":
            below = Match(
                problems=tuple(
                    (path, f"{node.path} is a tensor")
                    for child in node.children.values()
                    for path, _ in child.tensors()
                )
            )
            return below + Match((Move(node.path, node.tensor.key, target),) if node.tensor else ())
        if node.tensor is not None:
            return Match(problems=((node.path, f"a tensor cannot be a {kind}"),))
        return self._layer(node, name, target) if kind == "layer" else self._class(node, name, target)

    def _container(self, node: Node, kind: str, children: dict[str, list[Any]], target: tuple[str, ...]) -> Match:
        found = Match(problems=((node.path, f"a tensor cannot be a {kind}"),)) if node.tensor else Match()
        for name, child in node.children.items():
            candidates = _look_up(children, name)
            place = tuple(self.grammar.places.get(kind, "{}").format(name).split(".")) if name.isdigit() else (name,)
            if candidates:
                found += self.choose(child, candidates, target + place)
            else:
                found += Match(
                    problems=tuple((path, f"this {kind} has no child {name}") for path, _ in child.tensors())
                )
        return found

    def _class(self, node: Node, name: str, target: tuple[str, ...]) -> Match:
        attributes, ties = self.grammar.classes[name], self.grammar.ties.get(name, [])
        if not self.keeps_aliases:
            for pair in ties:
                node = _complete(node, pair)
        found, own = Match(), Node(node.path)
        for part, child in node.children.items():
            candidates = _look_up(attributes, part)
            if "" in attributes and candidates is attributes.get("*"):
                own.children[part] = child
            elif candidates:
                found += self.choose(child, candidates, (*target, part))
            elif "" in attributes:
                own.children[part] = child
            else:
                reason = f"class {name} has nothing with tensors named {part}"
                found += Match(problems=tuple((path, reason) for path, _ in child.tensors()))
        if own.children:  # the class is itself a container or a layer
            found += self.choose(own, attributes[""], target)
        return self._share(node, found, ties) if ties else found

    def _share(self, node: Node, found: Match, ties: list[tuple[str, str]]) -> Match:
        """Writes a tensor once that the model has under several names: the target keeps the path that comes first."""
        moves: dict[str, list[Move]] = {}
        for move in found.moves:
            moves.setdefault(move.name, []).append(move)
        groups = {name: [name] for name in moves}
        for first, second in ((_join(node.path, a), _join(node.path, b)) for a, b in ties):
            for name in moves:
                other = second + name[len(first) :]
                if (
                    (name == first or name.startswith(first + "."))
                    and other in moves
                    and groups[name] is not groups[other]
                ):
                    groups[name] += groups[other]
                    for member in groups[other]:
                        groups[member] = groups[name]
        for group in {id(group): group for group in groups.values() if len(group) > 1}.values():
            live = sorted(
                (name for name in group if moves[name][0].target), key=lambda name: path_order(moves[name][0].target)
            )
            for name in live[1:]:
                key, kept = moves[name][0].key, moves[live[0]]
                # A tie may depend on the configuration: tensors with other numbers were not tied in this model.
                if key == kept[0].key or self.same(key, kept[0].key):
                    moves[name] = [
                        replace(move, target=(), dropped=f"shared with {kept[0].path}") for move in moves[name][:1]
                    ]
        return replace(found, moves=tuple(move for own in moves.values() for move in own))

    def _layer(self, node: Node, name: str, target: tuple[str, ...]) -> Match:
        rules = self.grammar.layers.get(name)
        if rules is None:
            return Match(
                problems=tuple(
                    (path, f"there is no rule for the tensors of a layer {name}") for path, _ in node.tensors()
                )
            )
        moves, problems, shapes = [], [], set()
        skip = len(node.path) + 1 if node.path else 0
        own = [(path[skip:], tensor) for path, tensor in node.tensors()]
        for short, tensor in own:
            path = _join(node.path, short)
            rule = next((read_rule(rules[rule], rule, short) for rule in rules if rule == short), None)
            rule = rule or next(
                (read_rule(rules[rule], rule, short) for rule in rules if re.fullmatch(rule, short)), None
            )
            if rule is None:
                problems.append((path, f"layer {name} has no tensor {short}"))
                continue
            rank = len(tensor.shape)
            if rule.rank is not None and rank != rule.rank:
                problems.append((path, f"layer {name} stores {short} with {rule.rank} axes, here it has {rank}"))
            elif rule.count > 1 and tensor.shape[rule.axis] % rule.count:
                problems.append(
                    (path, f"layer {name} splits {short} in {rule.count}, but its shape is {list(tensor.shape)}")
                )
            elif rule.dropped:
                moves.append(Move(path, tensor.key, (), dropped=rule.dropped))
            for number, to in enumerate(rule.targets):
                part = (rule.axis, number, rule.count) if rule.count > 1 else None
                moves.append(Move(path, tensor.key, target + tuple(to.split(".")), rule.axes, part))
            if short in ("weight", "bias") and rule.any_rank:
                shapes.add(tensor.shape)
        names = {short for short, _ in own}
        if "bias" in names and "weight" in rules and "weight" not in names:
            problems.append(
                (_join(node.path, "bias"), f"layer {name} has a weight where it has a bias, and here is none")
            )
        if len(shapes) > 1:
            problems.append((node.path, f"weight and bias of a layer {name} have one shape, here they differ"))
        return Match(tuple(moves), tuple(problems))


@dataclass(frozen=True)
class Rule:
    """What happens to one tensor of a layer."""

    targets: tuple[str, ...] = ()
    axes: tuple[int, ...] | None = None
    axis: int = 0
    rank: int | None = None
    any_rank: bool = False
    dropped: str = ""

    @property
    def count(self) -> int:
        """Into how many parts the tensor is split."""
        return len(self.targets)


def read_rule(row: Any, pattern: str, name: str) -> Rule:
    """A rule of LAYERS for one tensor: 'kernel OIHW->HWIO', 'bias O', {'drop': why} or {'split': paths, ...}."""
    if isinstance(row, str):
        row = {"split": [row.partition(" ")[0]], "layout": row.partition(" ")[2]}
    if "drop" in row:
        return Rule(dropped=row["drop"], rank=_rank(row.get("layout", "")))
    before, _, after = row.get("layout", "").replace(" ", "").partition("->")
    axes = tuple(before.index(axis) for axis in after) if after and after != before else None
    found = re.fullmatch(pattern, name) if pattern != name else None
    targets = tuple(found.expand(to) if found else to for to in row["split"])
    return Rule(targets, axes, row.get("axis", 0), _rank(before), before == "*")


def _rank(layout: str) -> int | None:
    layout = layout.partition("->")[0]
    return len(layout) if layout and layout != "*" else None


def path_order(target: tuple[str, ...]) -> tuple[tuple[int, int, str], ...]:
    """Sorts paths as the target walks its modules: names alphabetically, positions as numbers."""
    return tuple((0, int(part), "") if part.isdigit() else (1, 0, part) for part in target)


def share_memory(moves: Iterable[Move], tensors: dict[str, Tensor]) -> list[Move]:
    """Writes tensors once that lie in the same memory: there the model had one parameter under several names."""
    first: dict[object, Move] = {}
    moves = list(moves)
    for move in sorted((move for move in moves if not move.dropped), key=lambda move: path_order(move.target)):
        alias = tensors[move.key].alias
        if alias is None:
            continue
        kept = first.setdefault((alias, move.axes, move.part), move)
        if kept is not move and kept.key != move.key:
            moves[moves.index(move)] = replace(move, target=(), dropped=f"shared with {kept.path}")
    return moves


def _complete(node: Node, pair: tuple[str, str]) -> Node:
    """A safetensors file keeps a shared tensor under one of its names; this adds the other one."""
    skip = len(node.path) + 1 if node.path else 0
    have = {path[skip:]: tensor for path, tensor in node.tensors()}
    for present, absent in (pair, pair[::-1]):
        for name, tensor in have.items():
            other = absent + name[len(present) :]
            if (name == present or name.startswith(present + ".")) and other not in have:
                node = node.with_tensor(other, tensor)
    return node


def _look_up(children: dict[str, list[Any]], name: str) -> list[Any]:
    """What may stand under a name: what is known for it and for patterns that it fits, else what '*' has."""
    found = list(children.get(name, ()))
    for pattern, candidates in children.items():
        if pattern != "*" and "*" in pattern and _glob(pattern).fullmatch(name):
            found += [candidate for candidate in candidates if candidate not in found]
    return found or children.get("*", [])


@cache
def _glob(pattern: str) -> re.Pattern[str]:
    return re.compile(".*".join(map(re.escape, pattern.split("*"))), re.DOTALL)


def _label(candidate: Any) -> str:
    return candidate if isinstance(candidate, str) else str(next(iter(candidate)))


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
