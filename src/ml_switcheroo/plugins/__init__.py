"""Odd cases, one file each, named in the rows that use them."""

from __future__ import annotations

from typing import Any

PLUGINS: dict[str, Any] = {}
