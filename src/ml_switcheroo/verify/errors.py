"""What is wrong with a request to verify, in one line."""

from __future__ import annotations


class VerifyError(Exception):
    """The request cannot be run: an unreadable file, a malformed input, a model that fails in its own framework."""
