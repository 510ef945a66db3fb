"""Rows for ml_switcheroo: how tinynum spells the operations of the hub."""
