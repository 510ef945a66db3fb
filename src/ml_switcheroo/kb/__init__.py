"""The knowledge base: `kb.load("torch", "jax")`. Row formats: docs/knowledge-base.md."""

from .loader import KnowledgeBase, framework_data, framework_names, load, load_from, reload, spoke_name

__all__ = ["KnowledgeBase", "framework_data", "framework_names", "load", "load_from", "reload", "spoke_name"]
