"""From one source call to one target expression: bind to a hub op, then emit in the target's words."""
