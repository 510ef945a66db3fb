"""What each tensor of the checkpoint belongs to: the tree of its names, read with the grammar of the classes."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from functools import cache
from typing import TYPE_CHECKING, Any

from .tensors import RefusedError, Tensor

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable


@dataclass(frozen=True)
class Grammar:
    """The facts at the top of this file."""

    classes: dict[str, dict[str, list[Any]]]
    containers: dict[str, dict[str, Any]]
    layers: dict[str, dict[str, Any]]
    ties: dict[str, list[tuple[str, str]]]
    places: dict[str, str]
    tied: Collection[str] = ()
    needed: dict[str, list[str]] = field(default_factory=dict)
    named: Collection[str] = ()


def spread(table: dict[str, Any]) -> dict[str, Any]:
    """A table in which names that share an entry have one of their own each: {'a b': x} becomes {'a': x, 'b': x}."""
    return {name: entry for names, entry in table.items() for name in names.split() or [""]}


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
    reason: str = ""  # why it is left out
    shared: bool = False  # left out because `target` holds the same parameter already
    layer: str = field(default="", compare=False)  # the layer whose rule this is

    @property
    def path(self) -> str:
        """The dotted path in the target."""
        return ".".join(self.target)

    @property
    def dropped(self) -> str:
        """Why it is left out, '' when it is written."""
        return f"shared with {self.path}" if self.shared else self.reason


@dataclass(frozen=True)
class Match:
    """One reading of a node: where its tensors go, which of them do not fit, and what is not certain."""

    moves: tuple[Move, ...] = ()
    problems: tuple[tuple[str, str], ...] = ()  # (name, why it does not fit)
    doubts: tuple[tuple[str, tuple[str, ...]], ...] = ()  # (name, the readings between which the facts do not decide)
    guesses: tuple[tuple[str, str], ...] = ()  # (name, the only reading that fits where the facts know nothing)
    unusual: tuple[str, ...] = ()  # names that one would expect and that are not there, shapes that are rare

    def under(self, *place: str) -> Match:
        """The same as part of something larger, where it lies at this place of the target."""
        return replace(self, moves=tuple(replace(move, target=place + move.target) for move in self.moves))

    def surer_than(self, other: Match) -> bool:
        """Is what is guessed here only a part of what is guessed there?"""
        return other.guesses_all_of(self) and not self.guesses_all_of(other)

    def guesses_all_of(self, other: Match) -> bool:
        """Does every guess of the other reading lie at or below one of this reading?"""
        above = {path for path, _ in self.guesses}
        return all(
            path in above or any(path[:end] in above for end, sign in enumerate(path) if sign == ".")
            for path, _ in other.guesses
        )

    def outcome(self) -> tuple[object, ...]:
        """Equal for two readings between which nobody has to choose."""
        return (frozenset(self.moves), self.doubts)


def joined(matches: Iterable[Match]) -> Match:
    """The reading of a whole from those of its parts."""
    matches = list(matches)
    return Match(
        tuple(move for match in matches for move in match.moves),
        tuple(problem for match in matches for problem in match.problems),
        tuple(doubt for match in matches for doubt in match.doubts),
        tuple(guess for match in matches for guess in match.guesses),
        tuple(name for match in matches for name in match.unusual),
    )


def open_container(kind: str) -> dict[str, Any]:
    """A container of which nothing but the kind is known; what is in a Sequential is called."""
    return {kind: {"*": ["anything callable" if kind == "Sequential" else "anything"]}}


def unfit(node: Node, reason: str) -> Match:
    """The reading of a node that makes no sense."""
    return Match(problems=tuple((path, reason) for path, _ in node.tensors()))


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
        self.known: dict[tuple[Node, str], Match] = {}
        self.rules: dict[tuple[str, str, int | None], Rule | None] = {}

    def _named(self, name: str) -> Any:
        if name in self.grammar.classes:
            return f"class {name}"
        if name in self.grammar.layers:
            return f"layer {name}"
        if name in ("Sequential", "ModuleList", "ModuleDict"):
            return open_container(name)
        if name in ("tensor", "drop"):
            return name
        raise RefusedError(
            f"--as: {name} is neither a class nor a layer of this script, nor Sequential, ModuleList, tensor or drop"
        )

    def root(self, node: Node, names: Iterable[str]) -> Match:
        """The reading of the whole checkpoint as one of the classes."""
        return self.choose(node, [f"class {name}" for name in names])

    def choose(self, node: Node, candidates: list[Any]) -> Match:
        """The reading of a node that fits. Readings with the same outcome count as one; more than one is a doubt."""
        for pattern, candidate in self.forced:
            if pattern.fullmatch(node.path):
                candidates = [candidate]
        known = [candidate for candidate in candidates if not str(candidate).startswith("anything")]
        found = self._best(node, known)
        if len(known) == len(candidates) or (known and not found.problems):
            return found
        guessed = self.match(node, "anything callable" if "anything callable" in candidates else "anything")
        return found if known and len(found.problems) < len(guessed.problems) else guessed

    def _best(self, node: Node, candidates: list[Any]) -> Match:
        matches = [(_label(candidate), self.match(node, candidate)) for candidate in candidates]
        fits = [(label, match) for label, match in matches if not match.problems]
        if not fits:
            nothing = unfit(node, "nothing that is known fits")
            return min((match for _, match in matches), key=lambda match: len(match.problems), default=nothing)
        # Evidence wins over a guess, and a guess about a part over one about the whole.
        fits = [(label, match) for label, match in fits if not any(other.surer_than(match) for _, other in fits)]
        # A reading under which nothing is missing or rare explains the names better than another.
        fits = [(label, match) for label, match in fits if not match.unusual] or fits
        outcomes: dict[tuple[object, ...], str] = {}
        for label, match in fits:
            outcomes.setdefault(match.outcome(), label)
        if len(outcomes) > 1:
            return replace(fits[0][1], doubts=((node.path, tuple(outcomes.values())),))
        return fits[0][1]

    def _guess(self, node: Node, called: bool) -> Match:
        """The class comes from outside: every layer and class is possible, and the tensors decide."""
        kinds: list[Any] = ["tensor"] if node.tensor else []
        names = [path[len(node.path) + 1 if node.path else 0 :] for path, _ in node.tensors()]
        for layer in self.grammar.layers:
            if all(self._rule(layer, name) for name in names):
                kinds.append(f"layer {layer}")
        for name, attributes in self.grammar.classes.items():
            if "" in attributes or all(_look_up(attributes, part) for part in node.children):
                kinds.append(f"class {name}")
        found = self._best(node, kinds)
        if any(path == node.path for path, _ in found.doubts):
            found = self._named_best(node, kinds) or found
        if found.problems and not node.tensor and not any(child.tensor for child in node.children.values()):
            # A module of an unknown class keeps its children under their names, unless it is a list of them.
            numbers = any(part.isdigit() for part in node.children)
            kinds = [open_container("Sequential")]
            kinds += [open_container("ModuleList")] if numbers and not called else []
            found = self._best(node, kinds)
        if found.problems:
            return unfit(node, "it comes from outside, and no layer or class that is known fits it")
        fit = next(_label(kind) for kind in kinds if not self.match(node, kind).problems)
        return replace(found, guesses=((node.path, fit), *found.guesses))

    def _named_best(self, node: Node, kinds: list[Any]) -> Match | None:
        """The reading with the layers that the model's files name, where a model of another one would not load it."""
        named = [kind for kind in kinds if not kind.startswith("layer ") or kind[6:] in self.grammar.named]
        found = self._best(node, named)
        if not named or found.problems or found.doubts:
            return None
        places = {move.target for move in found.moves}
        others = [match for kind in kinds if kind not in named and not (match := self.match(node, kind)).problems]
        return found if all({move.target for move in other.moves} != places for other in others) else None

    def match(self, node: Node, candidate: Any) -> Match:
        """One reading of a node."""
        if not isinstance(candidate, str):
            ((kind, children),) = candidate.items()
            return self._container(node, kind, children)
        if (node, candidate) not in self.known:
            kind, _, name = candidate.partition(" ")
            self.known[node, candidate] = self._match(node, kind, name)
        return self.known[node, candidate]

    def _match(self, node: Node, kind: str, name: str) -> Match:
        if kind == "drop":
            return Match(tuple(Move(path, tensor.key, (), reason="as asked") for path, tensor in node.tensors()))
        if kind == "anything":
            return self._guess(node, called=name == "callable")
        if kind == "tensor":
            below = [unfit(child, f"{node.path} is a tensor") for child in node.children.values()]
            moves = (Move(node.path, node.tensor.key, ()),) if node.tensor else ()
            rare = (node.path,) if node.tensor and name and len(node.tensor.shape) != int(name) else ()
            return joined([Match(moves, unusual=rare), *below])
        if kind == "container":
            return self.match(node, self.grammar.containers[name])
        if node.tensor is not None:
            return unfit(node, f"a tensor cannot be a {kind}")
        return self._layer(node, name) if kind == "layer" else self._class(node, name)

    def _container(self, node: Node, kind: str, children: dict[str, list[Any]]) -> Match:
        if node.tensor:
            return unfit(node, f"a tensor cannot be a {kind}")
        found = []
        for name, child in node.children.items():
            numbered = name.isdigit() or kind not in ("ModuleList", "ParameterList")
            candidates = _look_up(children, name) if numbered else []
            place = self.grammar.places.get(kind, "{}").format(name).split(".") if name.isdigit() else [name]
            if candidates and (child.tensor is None or kind.startswith("Parameter")):
                found.append(self.choose(child, candidates).under(*place))
                if kind == "Sequential" and not name.isdigit() and candidates is children.get("*"):
                    found.append(Match(unusual=(child.path,)))  # a container that is known to have this name says more
            else:
                found.append(unfit(child, f"this {kind} has no child {name}"))
        return joined(found)

    def _class(self, node: Node, name: str) -> Match:
        attributes, ties = self.grammar.classes[name], self.grammar.ties.get(name, [])
        if not self.keeps_aliases:
            for pair in ties:
                node = _complete(node, pair)
        found, own = [], Node(node.path)
        for part, child in node.children.items():
            candidates = _look_up(attributes, part)
            computed = part not in attributes and child.tensor is not None and not any(map(_is_tensor, candidates))
            if "" in attributes and (not candidates or candidates is attributes.get("*") or computed):
                own.children[part] = child
            elif candidates is attributes.get("*") and part.isdigit():
                # Some base of the class is not known; a number means that it is a container, and not which one.
                found.append(unfit(child, f"class {name} inherits from a container that is not known"))
            elif candidates:
                found.append(self.choose(child, candidates).under(part))
            else:
                found.append(unfit(child, f"class {name} has nothing with tensors named {part}"))
        if own.children:  # the class is itself a container or a layer
            found.append(self.choose(own, attributes[""]))
        elif attributes.get("") and str(attributes[""][0]).startswith("layer "):
            found.append(Match(unusual=self._absent(node, attributes[""][0])))
        found.append(Match(unusual=self._absent(node, f"class {name}")))
        return self._share(node, joined(found), ties) if ties else joined(found)

    def _share(self, node: Node, found: Match, ties: list[tuple[str, str]]) -> Match:
        """Writes a tensor once that the model has under several names: the target keeps the path that comes first."""
        moves: dict[str, list[Move]] = {}
        for move in found.moves:
            moves.setdefault(move.name, []).append(move)
        groups = {name: [name] for name in moves}
        for first, second in ((_join(node.path, a), _join(node.path, b)) for a, b in ties):
            for name in moves:
                other = second + name[len(first) :]
                inside = name == first or name.startswith(first + ".")
                if inside and other in moves and groups[name] is not groups[other]:
                    groups[name] += groups[other]
                    for member in groups[other]:
                        groups[member] = groups[name]
        for group in {id(group): group for group in groups.values() if len(group) > 1}.values():
            live = [moves[name] for name in group if not moves[name][0].dropped]
            live.sort(key=lambda own: path_order(own[0].target))
            if len({(move.axes, move.part) for own in live for move in own}) > 1:
                live = self._retied(live)
            for own in live[1:]:
                kept, move = live[0][0], own[0]
                # A tie may depend on the configuration: tensors with other numbers were not tied in this model.
                if move.key == kept.key or self.same(move.key, kept.key):
                    moves[kept.name] = live[0]
                    moves[move.name] = [replace(move, target=kept.target, shared=True)]
        return replace(found, moves=tuple(move for own in moves.values() for move in own))

    def _retied(self, live: list[list[Move]]) -> list[list[Move]]:
        """A weight that layers store differently: it can be shared where one of them is able to borrow it."""
        moves = [own[0] for own in live]
        lent = borrowed(moves, self.grammar.tied, own=True)
        changed = [[new] if new is not old else own for own, old, new in zip(live, moves, lent, strict=True)]
        same = len({(move.axes, move.part) for move in lent}) == 1
        return sorted(changed, key=lambda own: path_order(own[0].target)) if same else []

    def _rule(self, layer: str, name: str, rank: int | None = None) -> Rule | None:
        """The rule of a layer for one of its tensors; its number of axes decides where there are several."""
        if (layer, name, rank) not in self.rules:
            rows = self.grammar.layers[layer]
            fitting = [name] if name in rows else [pattern for pattern in rows if re.fullmatch(pattern, name)]
            found = rows[fitting[0]] if fitting else []
            rules = [read_rule(row, fitting[0], name) for row in (found if isinstance(found, list) else [found])]
            best = [rule for rule in rules if rule.rank in (rank, None)] or rules
            self.rules[layer, name, rank] = best[0] if best else None
        return self.rules[layer, name, rank]

    def _layer(self, node: Node, name: str) -> Match:
        if name not in self.grammar.layers:
            return unfit(node, f"there is no rule for the tensors of a layer {name}")
        moves, problems = [], []
        shapes: dict[str, tuple[int, ...]] = {}
        for path, tensor in node.tensors():
            short = path[len(node.path) + 1 :] if node.path else path
            rule, shape = self._rule(name, short, len(tensor.shape)), tensor.shape
            if rule is None:
                problems.append((path, f"layer {name} has no tensor {short}"))
                continue
            if rule.rank is not None and len(shape) != rule.rank:
                says = f"layer {name} stores {short} with {rule.rank} axes, here it has {len(shape)}"
                problems.append((path, says))
            elif rule.count > 1 and (rule.axis >= len(shape) or shape[rule.axis] % rule.count):
                problems.append((path, f"layer {name} splits {short} in {rule.count}, but its shape is {list(shape)}"))
            if rule.dropped:
                moves.append(Move(path, tensor.key, (), reason=rule.dropped, layer=name))
            for number, to in enumerate(rule.targets):
                part = (rule.axis, number, rule.count) if rule.count > 1 else None
                moves.append(Move(path, tensor.key, tuple(to.split(".")), rule.axes, part, layer=name))
            shapes[short] = shape
        weight, bias = self._rule(name, "weight"), self._rule(name, "bias")
        if "bias" in shapes and weight and not any("weight" in short for short in shapes):
            problems.append((_join(node.path, "bias"), f"layer {name} has a weight beside its bias, and here is none"))
        if weight and bias and weight.any_rank and bias.any_rank and len(shapes) == 2 and len({*shapes.values()}) > 1:
            problems.append((node.path, f"weight and bias of a layer {name} have one shape, here they differ"))
        rare = [_join(node.path, short) for short, shape in shapes.items() if self._is_rare(name, short, len(shape))]
        return Match(tuple(moves), tuple(problems), unusual=(*self._absent(node, f"layer {name}"), *rare))

    def _is_rare(self, layer: str, name: str, rank: int) -> bool:
        """Norms over more than two axes exist, but a tensor with so many axes is rather a convolution's."""
        rule = self._rule(layer, name)
        return rule is not None and rule.any_rank and rank > 2

    def _absent(self, node: Node, kind: str) -> tuple[str, ...]:
        """The tensors that every instance of a class or layer has, and that are not there."""
        present = {path[len(node.path) + 1 if node.path else 0 :] for path, _ in node.tensors()}
        return tuple(_join(node.path, name) for name in self.grammar.needed.get(kind, ()) if name not in present)


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


def borrowed(moves: list[Move], tied: Collection[str], own: bool = False) -> list[Move]:
    """Moves of one weight in several places: one that may borrow it has it below its own, stored as the owner does.

    The layers in `tied` may borrow; `own` says that tensors of a class itself do so, too, from any layer.
    """
    layers = [move for move in moves if move.layer or not own]
    owners = [move for move in layers if move.layer not in tied] or (layers if own else [])
    if len({move.axes for move in owners}) != 1:
        return moves

    def lent(move: Move) -> Move:
        if move.axes == owners[0].axes or not (move.layer in tied or (own and not move.layer)):
            return move
        name = move.name.rpartition(".")[2] if move.layer else "weight"
        return replace(move, target=(*move.target, name), axes=owners[0].axes, part=owners[0].part)

    return [lent(move) for move in moves]


def share_memory(moves: Iterable[Move], tensors: dict[str, Tensor], tied: Collection[str]) -> list[Move]:
    """Writes tensors once that lie in the same memory: there the model had one parameter under several names."""
    result = list(moves)
    groups: dict[object, list[Move]] = {}
    for move in result:
        if not move.dropped and tensors[move.key].alias is not None:
            groups.setdefault((tensors[move.key].alias, move.part), []).append(move)
    for group in groups.values():
        first: dict[object, Move] = {}
        for old, new in sorted(
            zip(group, borrowed(group, tied), strict=True), key=lambda pair: path_order(pair[1].target)
        ):
            kept = first.setdefault(new.axes, new)
            # Two buffers of one class may have been made from one tensor, and are two variables in the target.
            siblings = not new.layer and kept.name.rpartition(".")[0] == new.name.rpartition(".")[0]
            shared = kept is not new and kept.key != new.key and not siblings
            result[result.index(old)] = replace(new, target=kept.target, shared=True) if shared else new
    return result


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


def _is_tensor(candidate: Any) -> bool:
    return isinstance(candidate, str) and candidate.partition(" ")[0] == "tensor"


@cache
def _glob(pattern: str) -> re.Pattern[str]:
    return re.compile(".*".join(map(re.escape, pattern.split("*"))), re.DOTALL)


def _label(candidate: Any) -> str:
    return candidate if isinstance(candidate, str) else str(next(iter(candidate)))


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
