"""What must stay cheap: loading the knowledge base. (Import and start-up: tests/cli/test_package.py.)"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SRC = Path(__file__).parents[2] / "src"

LOAD = """
import sys, time
sys.path.insert(0, sys.argv[1])
from ml_switcheroo import kb
kb.load("torch", "jax")  # a checkout compiles its rows when they have changed: not what is measured
kb.loader.load.cache_clear(); kb.loader._spoke.cache_clear(); kb.loader._frameworks.cache_clear()
times = []
for _ in range(5):
    kb.loader.load.cache_clear(); kb.loader._spoke.cache_clear(); kb.loader._frameworks.cache_clear()
    start = time.perf_counter()
    base = kb.load("torch", "jax")
    base.read("torch.nn.Conv2d"), base.write("Conv2d"), base.hub("Conv2d")
    times.append(time.perf_counter() - start)
print(min(times), [m for m in ("yaml", "torch", "jax", "libcst") if m in sys.modules])
"""


def test_the_knowledge_base_loads_fast_and_without_a_yaml_parser() -> None:
    subprocess.run([sys.executable, "-c", LOAD, str(SRC)], check=True, capture_output=True)  # compiles, if need be
    done = subprocess.run([sys.executable, "-c", LOAD, str(SRC)], check=True, capture_output=True, text=True)
    seconds, _, loaded = done.stdout.strip().partition(" ")
    assert loaded == "[]"
    assert float(seconds) < 0.030
