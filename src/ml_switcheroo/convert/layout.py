"""Line breaks and comments of a source call, kept for the call that replaces it.

nn.Conv2d(                          Conv2d(
    3,                                  3,
    dim,  # out channels      ->        dim,  # out channels
    bias=False,                         bias=False,
)                                       rngs=rngs,
                                    )
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import libcst as cst

if TYPE_CHECKING:
    from collections.abc import Sequence


def spread(call: cst.Call) -> bool:
    """Whether the arguments of a call stand on several lines."""
    if _breaks(call.whitespace_before_args):
        return True
    return any(_breaks(arg.whitespace_after_arg) or _breaks_after(arg.comma) for arg in call.args)


def lay_out(built: cst.Call, origins: Sequence[int | None], source: cst.Call | None) -> cst.Call:
    """`built` with the line breaks and comments of `source`; `origins`: the source argument of each argument."""
    if source is None or not source.args or not built.args or not spread(source):
        return built
    last_source = len(source.args) - 1
    trailing = source.args[-1]
    separator = _separator(source)
    used: set[int] = set()
    args: list[cst.Arg] = []
    for place, (arg, origin) in enumerate(zip(built.args, origins, strict=True)):
        old = source.args[origin] if origin is not None and 0 <= origin <= last_source and origin not in used else None
        if old is not None and origin is not None:
            used.add(origin)
        if place == len(built.args) - 1:
            args.append(_last(arg, old, trailing))
        elif (
            old is None
            or not isinstance(old.comma, cst.Comma)
            or (origin == last_source and not _breaks_after(old.comma))
        ):
            first_inline = place == 0 and not _breaks(source.whitespace_before_args)
            comma = cst.Comma(whitespace_after=cst.SimpleWhitespace(" ")) if first_inline else separator.deep_clone()
            args.append(arg.with_changes(comma=comma))
        elif origin == last_source:
            args.append(arg.with_changes(comma=_with_indent(old.comma, separator)))
        else:
            args.append(arg.with_changes(comma=old.comma))
    args = _keep_comments(args, source, used)
    return built.with_changes(args=args, whitespace_before_args=source.whitespace_before_args)


def lost_comments(source: cst.Call, built: cst.BaseExpression) -> tuple[str, ...]:
    """The comments of `source` that are not in `built`."""
    kept = Counter(_comments(built))
    lost = []
    for comment in _comments(source):
        if kept[comment]:
            kept[comment] -= 1
        else:
            lost.append(comment)
    return tuple(lost)


def _comments(node: cst.CSTNode) -> list[str]:
    if isinstance(node, cst.Comment):
        return [node.value]
    return [comment for child in node.children for comment in _comments(child)]


def _keep_comments(args: list[cst.Arg], source: cst.Call, used: set[int]) -> list[cst.Arg]:
    """Comments of arguments that were dropped go on lines of their own behind the argument before."""
    places = {id(source.args[i].comma): i for i in used}
    present = {comment for arg in args for comment in _comments(arg)}
    dropped: dict[int, list[cst.EmptyLine]] = {}
    last = -1
    for index, arg in enumerate(source.args):
        if index in used:
            last = index
        elif isinstance(arg.comma, cst.Comma) and isinstance(arg.comma.whitespace_after, cst.ParenthesizedWhitespace):
            space = arg.comma.whitespace_after
            own = [cst.EmptyLine(comment=space.first_line.comment, indent=True)] if space.first_line.comment else []
            lines = [*own, *(line for line in space.empty_lines if line.comment is not None)]
            lines = [line for line in lines if line.comment is not None and line.comment.value not in present]
            dropped.setdefault(last, []).extend(
                line.with_changes(indent=True, whitespace=space.last_line) for line in lines
            )
    kept = []
    for arg in args:
        lines = dropped.get(places.get(id(arg.comma), -1), [])
        if (
            lines
            and isinstance(arg.comma, cst.Comma)
            and isinstance(arg.comma.whitespace_after, cst.ParenthesizedWhitespace)
        ):
            space = arg.comma.whitespace_after
            space = space.with_changes(empty_lines=[*space.empty_lines, *lines])
            arg = arg.with_changes(comma=arg.comma.with_changes(whitespace_after=space))
        kept.append(arg)
    return kept


def _breaks(space: cst.CSTNode) -> bool:
    return isinstance(space, cst.ParenthesizedWhitespace)


def _breaks_after(comma: cst.Comma | cst.MaybeSentinel) -> bool:
    return isinstance(comma, cst.Comma) and _breaks(comma.whitespace_after)


def _separator(source: cst.Call) -> cst.Comma:
    """The comma between two arguments that the source call uses, without comments."""
    for arg in source.args[:-1]:
        if isinstance(arg.comma, cst.Comma) and isinstance(arg.comma.whitespace_after, cst.ParenthesizedWhitespace):
            return cst.Comma(whitespace_after=_plain(arg.comma.whitespace_after))
    space = source.whitespace_before_args
    if len(source.args) == 1 and isinstance(space, cst.ParenthesizedWhitespace):
        return cst.Comma(whitespace_after=_plain(space))
    return cst.Comma(whitespace_after=cst.SimpleWhitespace(" "))


def _plain(space: cst.ParenthesizedWhitespace) -> cst.ParenthesizedWhitespace:
    return cst.ParenthesizedWhitespace(indent=space.indent, last_line=space.last_line)


def _with_indent(comma: cst.Comma, separator: cst.Comma) -> cst.Comma:
    """The comma of the source's last argument where another one follows now: its comment stays."""
    after, model = comma.whitespace_after, separator.whitespace_after
    if isinstance(after, cst.ParenthesizedWhitespace) and isinstance(model, cst.ParenthesizedWhitespace):
        return comma.with_changes(whitespace_after=after.with_changes(indent=model.indent, last_line=model.last_line))
    return separator.deep_clone()


def _last(arg: cst.Arg, old: cst.Arg | None, trailing: cst.Arg) -> cst.Arg:
    """The last argument: with a comma and a line break behind it only if the source had them."""
    if old is trailing:
        return arg.with_changes(comma=old.comma, whitespace_after_arg=old.whitespace_after_arg)
    if not isinstance(trailing.comma, cst.Comma):
        return arg.with_changes(
            comma=cst.MaybeSentinel.DEFAULT, whitespace_after_arg=quiet(trailing.whitespace_after_arg)
        )
    end = quiet(trailing.comma.whitespace_after)
    if old is not None and isinstance(old.comma, cst.Comma) and isinstance(end, cst.ParenthesizedWhitespace):
        after = old.comma.whitespace_after
        if isinstance(after, cst.ParenthesizedWhitespace):
            end = after.with_changes(indent=end.indent, last_line=end.last_line)
    return arg.with_changes(comma=cst.Comma(whitespace_after=end))


def followed(
    comma: cst.Comma, between: cst.BaseParenthesizableWhitespace
) -> tuple[cst.Comma, cst.BaseParenthesizableWhitespace]:
    """The comma of what was the last, with its comment, where one more comes; and what closes the list behind that."""
    after = comma.whitespace_after
    if not isinstance(after, cst.ParenthesizedWhitespace) or not isinstance(between, cst.ParenthesizedWhitespace):
        return cst.Comma(whitespace_after=between), after
    kept = after.with_changes(indent=between.indent, last_line=between.last_line)
    return cst.Comma(whitespace_after=kept), quiet(after)


def quiet(space: cst.BaseParenthesizableWhitespace) -> cst.BaseParenthesizableWhitespace:
    """The same line break without comments and empty lines."""
    return _plain(space) if isinstance(space, cst.ParenthesizedWhitespace) else space
