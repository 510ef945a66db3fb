"""For all tests: the knowledge base is that of this checkout, whatever the user has laid over it."""

import os

os.environ["ML_SWITCHEROO_KB"] = ""
