"""Nested tuples, lists and dicts, with what torch takes for a leaf: None, modules, and containers of other classes."""


def tree_map(func, tree, *rests, is_leaf=None):
    """The tree with func(leaf, and those at its place in the other trees) in the place of each leaf."""
    if is_leaf is not None and is_leaf(tree):
        return func(tree, *rests)
    kind = type(tree)
    if kind in (dict, OrderedDict):
        return kind((key, tree_map(func, tree[key], *(r[key] for r in rests), is_leaf=is_leaf)) for key in tree)
    named = isinstance(tree, tuple) and hasattr(tree, "_fields")
    if not named and kind not in (tuple, list):
        return func(tree, *rests)
    values = [tree_map(func, *parts, is_leaf=is_leaf) for parts in zip(tree, *rests, strict=True)]
    return kind(*values) if named else kind(values)


def tree_map_only(kind, func, tree, is_leaf=None):
    """The tree with func(leaf) in the place of each leaf that is of a kind, or that a function chooses."""
    chosen = kind if callable(kind) and not isinstance(kind, type) else lambda leaf: isinstance(leaf, kind)
    return tree_map(lambda leaf: func(leaf) if chosen(leaf) else leaf, tree, is_leaf=is_leaf)


def tree_flatten(tree, is_leaf=None):
    """The leaves in order, and the tree with `...` in their places."""
    leaves = []
    treespec = tree_map(lambda leaf: leaves.append(leaf) or ..., tree, is_leaf=is_leaf)
    return leaves, treespec


def tree_unflatten(leaves, treespec):
    """The tree with these leaves."""
    left = iter(leaves)
    return tree_map(lambda _: next(left), treespec)
