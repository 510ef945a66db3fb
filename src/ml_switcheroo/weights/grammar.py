"""What may sit where in the modules of a project, free of the analysis that found it out.

A *child* is a word: `layer Conv2d` (a layer of the framework, by hub name), `class Block` (a class of the project),
`container 3` (a Sequential, ModuleList, ...), `tensor` (a parameter or buffer; `tensor 2` usually has two axes),
`anything` (a module from outside) and `anything callable` (one that is called, so no list).
"""

from __future__ import annotations

from dataclasses import dataclass, field

TENSOR = "tensor"
ANYTHING = "anything"
CALLABLE = "anything callable"


def tensor(rank: int | None = None) -> str:
    """The child that is a parameter or buffer, with its number of axes where that is known."""
    return TENSOR if rank is None else f"{TENSOR} {rank}"


def is_tensor(child: object) -> bool:
    """Is this child a parameter or buffer?"""
    return isinstance(child, str) and child.partition(" ")[0] == TENSOR


def layer(op: str) -> str:
    """The child that is a layer of the framework."""
    return f"layer {op}"


def instance(name: str) -> str:
    """The child that is an instance of a class of the project."""
    return f"class {name}"


def container(name: str) -> str:
    """The child that is a container of modules."""
    return f"container {name}"


@dataclass
class ContainerRule:
    """A module container: its possible children by name or position, by glob pattern, and '*' for all others."""

    kind: str  # Sequential, ModuleList, ModuleDict, ParameterList, ParameterDict
    children: dict[str, list[str]] = field(default_factory=dict)


@dataclass
class ClassRule:
    """A class: its possible children by attribute; `itself` is what it inherits from (a layer or a container)."""

    children: dict[str, list[str]] = field(default_factory=dict)
    itself: list[str] = field(default_factory=list)
    ties: list[tuple[str, str]] = field(default_factory=list)
    needed: list[str] = field(default_factory=list)  # tensors that every instance has
    comment: str = ""


@dataclass
class Grammar:
    """All classes, and the containers that they mention."""

    classes: dict[str, ClassRule] = field(default_factory=dict)
    containers: dict[str, ContainerRule] = field(default_factory=dict)

    def children(self) -> list[list[str]]:
        """Every list of children, to be looked at or changed in place."""
        rules: list[ClassRule | ContainerRule] = [*self.classes.values(), *self.containers.values()]
        own = [rule.itself for rule in self.classes.values()]
        return [*(children for rule in rules for children in rule.children.values()), *own]

    def layers(self) -> set[str]:
        """The hub names of all layers that are mentioned."""
        return {
            child.partition(" ")[2] for children in self.children() for child in children if child.startswith("layer ")
        }

    def open(self) -> bool:
        """Is there a place of which nothing is known?"""
        return any(ANYTHING in children or CALLABLE in children for children in self.children())

    def prune(self, with_tensors: set[str]) -> None:
        """Removes what never holds tensors: layers outside `with_tensors`, classes and containers of nothing else."""
        full = {layer(op) for op in with_tensors} | {ANYTHING, CALLABLE}
        size = -1
        while len(full) != size:  # grows until nothing new turns out to hold tensors
            size = len(full)
            for name, rule in self.classes.items():
                groups = (*rule.children.values(), rule.itself)
                if any(child in full or is_tensor(child) for children in groups for child in children):
                    full.add(instance(name))
            for name, box in self.containers.items():
                if any(child in full or is_tensor(child) for group in box.children.values() for child in group):
                    full.add(container(name))
        for children in self.children():
            children[:] = [child for child in children if child in full or is_tensor(child)]
        holders: list[ClassRule | ContainerRule] = [*self.classes.values(), *self.containers.values()]
        for holder in holders:
            holder.children = {name: children for name, children in holder.children.items() if children}
        self.classes = {name: rule for name, rule in self.classes.items() if instance(name) in full}
        self.containers = {name: box for name, box in self.containers.items() if container(name) in full}
