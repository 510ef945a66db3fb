"""What a model file needs, and no more."""

from __future__ import annotations

from pathlib import Path

from ml_switcheroo.analysis.project import module_name
from ml_switcheroo.verify.closure import Closure, import_closure, merge


def tree(folder: Path, **files: str) -> Path:
    """Write files: `pkg__net="..."` is pkg/net.py, `pkg__` is pkg/__init__.py."""
    for name, text in files.items():
        parts = name.split("__")
        path = folder.joinpath(*parts[:-1], f"{parts[-1] or '__init__'}.py")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return folder


def closure(folder: Path, path: str, **more: object) -> Closure:
    return import_closure(folder / path, frameworks=["torch"], search=[folder], **more)  # type: ignore[arg-type]


def texts(found: Closure) -> dict[str, str]:
    return {path.as_posix(): text for path, text in found.files().items()}


def test_only_what_is_imported(tmp_path: Path) -> None:
    tree(tmp_path, pkg__="from .net import *\nfrom .other import *\n", pkg__net="from .parts import conv\n",
         pkg__parts="import torch\ndef conv(): ...\n", pkg__other="boom\n")  # fmt: skip
    found = closure(tmp_path, "pkg/net.py")
    assert found.entry == "pkg.net"
    assert found.entry_file == Path("pkg/net.py")
    assert texts(found) == {
        "pkg/__init__.py": "",
        "pkg/net.py": "from .parts import conv\n",
        "pkg/parts.py": "import torch\ndef conv(): ...\n",
    }


def test_a_package_keeps_the_statements_that_supply_wanted_names(tmp_path: Path) -> None:
    tree(
        tmp_path,
        pkg__="",
        pkg__net="from .layers import act, Norm, SIZE\n",
        pkg__layers__='"""Doc."""\nfrom .a import act, unused\nfrom .b import *\nBASE = 2\nSIZE = BASE * 2\n'
        "from .c import d\n",
        pkg__layers__a="act = unused = 1\n",
        pkg__layers__b="class Norm: ...\nclass Other: ...\n",
        pkg__layers__c="d = 1\n",
    )
    found = texts(closure(tmp_path, "pkg/net.py"))
    assert found["pkg/layers/__init__.py"] == "from .a import act\nfrom .b import Norm\nBASE = 2\nSIZE = BASE * 2\n"
    assert set(found) == {
        "pkg/__init__.py",
        "pkg/net.py",
        "pkg/layers/__init__.py",
        "pkg/layers/a.py",
        "pkg/layers/b.py",
    }


def test_statements_that_fill_a_wanted_value_are_kept(tmp_path: Path) -> None:
    text = "from .a import more, other\nREGISTRY = {}\nREGISTRY.update(more)\nOTHER = {}\nOTHER.update(other)\n"
    tree(tmp_path, pkg__="", pkg__net="from .r import REGISTRY\n", pkg__r__=text, pkg__r__a="more = other = {}\n")
    found = texts(closure(tmp_path, "pkg/net.py"))
    assert found["pkg/r/__init__.py"] == "from .a import more\nREGISTRY = {}\nREGISTRY.update(more)\n"


def test_submodules_named_as_members_and_absolute_imports(tmp_path: Path) -> None:
    tree(tmp_path, pkg__="", pkg__net="from . import ops\nfrom pkg import util as u\nimport pkg.deep.leaf\n",
         pkg__ops="x = 1\n", pkg__util="y = 1\n", pkg__deep__="", pkg__deep__leaf="z = 1\n")  # fmt: skip
    assert {"pkg/ops.py", "pkg/util.py", "pkg/deep/leaf.py"} <= set(texts(closure(tmp_path, "pkg/net.py")))


def test_a_package_used_as_an_object_gives_its_used_attributes(tmp_path: Path) -> None:
    tree(
        tmp_path,
        net="import torch\nimport lib\nimport lib.deep as d\nlib.models.Net(d.x)\n",
        lib__="import torch\nfrom lib import models, other\nfrom .c import boom\n",
        lib__models__="from .net import Net\nfrom .big import Big\n",
        lib__models__net="import torch\nclass Net: ...\n",
        lib__models__big="boom\n",
        lib__other="boom\n",
        lib__c="boom\n",
        lib__deep__="import torch\nfrom .y import x, z\n",
        lib__deep__y="import torch\nx = z = 1\n",
    )
    found = texts(closure(tmp_path, "net.py"))
    assert found["lib/__init__.py"] == "from lib import models\n"
    assert found["lib/models/__init__.py"] == "from .net import Net\n"
    assert found["lib/deep/__init__.py"] == "from .y import x\n"
    assert not {"lib/other.py", "lib/c.py", "lib/models/big.py"} & set(found)


def test_other_packages_only_if_they_use_the_framework(tmp_path: Path) -> None:
    tree(tmp_path, net="import torch\nfrom helper import f\nfrom plain import g\nfrom known.torch import h\n",
         helper__="from .inner import f\n", helper__inner="from torch import nn\ndef f(): ...\n",
         plain__="def g(): ...\n", known__torch="import torch\n", known__="")  # fmt: skip
    found = texts(closure(tmp_path, "net.py", known=["known"]))
    assert set(found) == {"net.py", "helper/__init__.py", "helper/inner.py"}


def test_type_checking_imports_do_not_run(tmp_path: Path) -> None:
    tree(tmp_path, net="import torch\nfrom typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import other\n",
         other="import torch\n")  # fmt: skip
    assert set(texts(closure(tmp_path, "net.py"))) == {"net.py"}


def test_optional_packages_are_not_followed(tmp_path: Path) -> None:
    tree(tmp_path, pkg__="", pkg__net="try:\n    from extra import f\nexcept ImportError:\n    f = None\n"
         "try:\n    from .b import g\nexcept ImportError:\n    g = None\n", pkg__b="import torch\n",
         extra="import torch\nf = 1\n")  # fmt: skip
    found = closure(tmp_path, "pkg/net.py")
    assert set(texts(found)) == {"pkg/__init__.py", "pkg/net.py", "pkg/b.py"}
    assert found.optional == {"extra"}


def test_cycles_end(tmp_path: Path) -> None:
    tree(tmp_path, pkg__="", pkg__a="from .b import y\nx = 1\n", pkg__b="from .a import x\ny = 1\n")
    assert set(texts(closure(tmp_path, "pkg/a.py"))) == {"pkg/__init__.py", "pkg/a.py", "pkg/b.py"}


def test_merged_closures_serve_each_model(tmp_path: Path) -> None:
    tree(tmp_path, pkg__="", pkg__a="from .l import x\n", pkg__b="from .l import y\n",
         pkg__l__="from .m import x, y, z\n", pkg__l__m="x = y = z = 1\n")  # fmt: skip
    a, b = closure(tmp_path, "pkg/a.py"), closure(tmp_path, "pkg/b.py")
    found = texts(merge([a, b]))
    assert found["pkg/l/__init__.py"] == "from .m import x, y\n"
    assert {"pkg/a.py", "pkg/b.py"} <= set(found)
    assert texts(a)["pkg/l/__init__.py"] == "from .m import x\n"


def test_a_written_tree_can_fall_back_to_the_original(tmp_path: Path) -> None:
    tree(tmp_path / "src", pkg__="", pkg__a="x = 1\n", pkg__lazy="y = 1\n")
    closure(tmp_path / "src", "pkg/a.py").write(tmp_path / "out", fall_back=True)
    text = (tmp_path / "out" / "pkg" / "__init__.py").read_text()
    assert text == f"__path__.append({str(tmp_path / 'src' / 'pkg')!r})\n"


def test_names_of_files(tmp_path: Path) -> None:
    tree(tmp_path, a__="", a__b__="", a__b__c="")
    assert module_name(tmp_path / "a/b/c.py") == ("a.b.c", tmp_path)
    assert module_name(tmp_path / "a/b/__init__.py") == ("a.b", tmp_path)


def test_a_folder_without_init_is_part_of_the_package_if_relative_imports_say_so(tmp_path: Path) -> None:
    tree(tmp_path, a__="", a__b__c="from ..d import x\n", a__b__e="import d\n", f__g="from .h import x\n")
    assert module_name(tmp_path / "a/b/c.py") == ("a.b.c", tmp_path)
    assert module_name(tmp_path / "a/b/e.py") == ("e", tmp_path / "a/b")
    assert module_name(tmp_path / "f/g.py") == ("f.g", tmp_path)


def test_all_files_that_are_used_of_a_package_that_the_tree_replaces(tmp_path: Path) -> None:
    """Files of another package that do not use the framework would not be found behind those that do."""
    net = "import lib.data\nfrom lib.model import Model\nimport other.data\nlib.data.NAMES\n"
    model = "import torch\nfrom .names import NAMES\nclass Model: ...\n"
    tree(tmp_path, pkg__="", pkg__net=net, lib__="", lib__model=model, lib__names="NAMES = []\n",
         lib__data="NAMES = []\n", other__="", other__data="")  # fmt: skip
    found = texts(closure(tmp_path, "pkg/net.py"))
    assert set(found) == {
        "pkg/__init__.py",
        "pkg/net.py",
        "lib/__init__.py",
        "lib/model.py",
        "lib/names.py",
        "lib/data.py",
    }
