"""The fuzzer: every mapping of the knowledge base is executed in the source and in the target framework, and compared.

`domain` draws arguments from the types of a hub row, `spelling` writes the source text, `prove` converts it with the
real pipeline and has both sides run in `worker` processes, `report` keeps what came of it.
"""

from __future__ import annotations


def spokes(framework: str) -> list[str]:
    """A framework and those that it stands on, by the names of their spokes."""
    from ..kb import framework_data, framework_names

    found: list[str] = []
    spoke: str | None = framework_names().get(framework, framework)
    while spoke is not None and spoke not in found and spoke in framework_names():
        found.append(spoke)
        spoke = framework_data(spoke).get("extends")
    return found


def needed(framework: str) -> list[str]:
    """The packages of a framework and of those that it stands on."""
    from ..kb import framework_data

    data = [framework_data(spoke) for spoke in reversed(spokes(framework))]
    return [str(package) for one in data for package in (one.get("distribution"), *(one.get("also") or ())) if package]


def missing(*frameworks: str) -> list[str]:
    """What the fuzzer needs and is not installed."""
    from importlib.util import find_spec

    wanted = ["hypothesis", *(package for name in frameworks for package in needed(name))]
    return [package for package in wanted if find_spec(package) is None]
