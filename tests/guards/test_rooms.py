"""The classes that share the walk (and the analysis) among them: a name belongs to one of them."""

import inspect

import pytest

from ml_switcheroo.analysis.base import EngineBase
from ml_switcheroo.analysis.engine import Engine
from ml_switcheroo.rewrite.base import Walk
from ml_switcheroo.rewrite.translate import Translator


@pytest.mark.parametrize(("whole", "base"), [(Translator, Walk), (Engine, EngineBase)])
def test_no_room_takes_the_method_of_another(whole: type, base: type) -> None:
    """What two rooms define would be the first one's for both, without a word; visits call their super."""
    owners: dict[str, list[str]] = {}
    for room in whole.__mro__:
        for name, member in vars(room).items():
            declared = (
                room is base and inspect.isfunction(member) and "NotImplementedError" in inspect.getsource(member)
            )
            visit = name.startswith(("visit_", "leave_"))
            if inspect.isfunction(member) and not name.startswith("__") and not declared and not visit:
                if room.__module__.startswith("ml_switcheroo."):
                    owners.setdefault(name, []).append(room.__name__)
    assert len(owners) > 100
    assert not {name: rooms for name, rooms in owners.items() if len(rooms) > 1}
