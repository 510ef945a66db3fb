"""Line breaks and comments of the source call."""

from __future__ import annotations

import pytest
from tests.convert.support import FakeKb, convert, hub

KB = (
    FakeKb()
    .target("tgt.conv", "(x, w, strides=1, bias=True)")
    .define("conv", "(x, w, stride=1, bias=True)")
    .define("Conv", "(cin, cout, bias=True, *, rngs)")
    .op(
        hub("conv", "x: tensor, w: tensor, stride: int = 1, bias: any = True"),
        "tgt.conv(x, w, strides=stride, bias=bias)",
    )
    .op(hub("Conv", "cin: int, cout: int, bias: bool = True", "layer"), helper="Conv")
    .op(hub("add", "x: any, y: any"), "x + y")
    .op(hub("reshape", "x: tensor, shape: shape"), "tgt.reshape(x, shape)")
    .spell("conv", "src.conv", "(x, w, stride=1, bias=True, device=None)", extra={"device": "drop"})
    .spell("conv", "src.Tensor.conv", "(w, stride=1, bias=True)")
    .spell("Conv", "src.Conv", "(cin, cout, bias=True, device=None)", extra={"device": "drop"})
    .spell("add", "src.add", "(x, y)")
    .spell("reshape", "src.Tensor.view", "(*shape)")
)

CASES = [
    ("one argument a line", """src.conv(
    x,
    w,
    stride=2,
)""", """tgt.conv(
    x,
    w,
    strides=2,
)"""),
    ("comments stay with their argument", """src.conv(
    x,  # images
    w,
    # half the size
    stride=2,  # in both directions
    bias=False
)""", """tgt.conv(
    x,  # images
    w,
    # half the size
    strides=2,  # in both directions
    bias=False
)"""),
    ("an argument that is left out", """src.conv(
    x,
    w,
    bias=False,
    stride=1,
)""", """tgt.conv(
    x,
    w,
    bias=False,
)"""),
    ("comments of an argument that is left out", """src.conv(
    x,
    w,  # weights
    stride=1,  # the default
    # no bias
    bias=False,
)""", """tgt.conv(
    x,
    w,  # weights
    # the default
    # no bias
    bias=False,
)"""),
    ("an argument is added at the end", """src.Conv(
    3,
    8,
    bias=False,
)""", """Conv(
    3,
    8,
    bias=False,
    rngs=rngs,
)"""),
    ("without a trailing comma", """src.Conv(
    3,
    8
)""", """Conv(
    3,
    8,
    rngs=rngs
)"""),
    ("aligned", """src.Conv(3,
         8)""", """Conv(3,
         8,
         rngs=rngs)"""),
    ("the receiver goes first", """x.conv(
    w,
    stride=2,
)""", """tgt.conv(
    x,
    w,
    strides=2,
)"""),
    ("lines inside an argument", """src.conv(x, f(
    w,  # weights
    1,
), stride=2)""", """tgt.conv(x, f(
    w,  # weights
    1,
), strides=2)"""),
    ("a sum over two lines needs parentheses outside of brackets", """src.add(
    x
    + 1,
    y)""", """(x
    + 1) + y"""),
    ("a shape over lines", """x.view(
    n,  # batch
    -1,
)""", """tgt.reshape(
    x,
    (n,  # batch
    -1),
)"""),
]  # fmt: skip


@pytest.mark.parametrize(("source", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_layout(source: str, expected: str) -> None:
    assert convert(KB, source) == expected
