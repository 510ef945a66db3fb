"""Commands for those who extend the knowledge base: `define`, `suggest` and `sync`."""
