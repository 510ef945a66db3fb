"""Which framework a file is converted from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from ml_switcheroo.errors import InputError
from ml_switcheroo.pipeline import convert, detect_source
from ml_switcheroo.project import weight_script

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("target", ["jax", "numpy"])
def test_a_library_that_all_frameworks_use_is_no_source_by_itself(target: str) -> None:
    assert detect_source("import numpy as np\nimport torch\n", target) == "torch"
    assert detect_source("import numpy as np\n", target) is None


def test_it_is_one_where_the_user_says_so() -> None:
    done = convert("import numpy as np\n\n\ndef f(x):\n    return np.exp(x)\n", source="numpy", target="torch")
    assert "return torch.exp(x)" in done.code


def test_no_migration_script_for_a_target_without_layers() -> None:
    with pytest.raises(InputError, match="no layers") as caught:
        weight_script("model.py", target="numpy")
    assert "--target jax" in caught.value.hint


def test_names_taken_over_from_a_file_beside(tmp_path: Path) -> None:
    (tmp_path / "common.py").write_text("from .deeper import *\n")
    (tmp_path / "deeper.py").write_text("import torch\nfrom torch import nn\n")
    (tmp_path / "plain.py").write_text("import os\n")
    net = tmp_path / "net.py"
    assert detect_source("from .common import *\n", path=net) == "torch"
    assert detect_source("from .plain import *\nfrom .gone import *\n", path=net) is None
    assert detect_source("from .common import helper\n", path=net) is None
