"""A study's own component files: found below its folder, loaded by their SHA-256.

    driver    `of_study` loads the files that `components:` lists; `run` copies them into the
              results folder (harness.store.component_files), where tasks find them
    task      `load_copies` loads the copies whose SHA-256 stands in the task, else it refuses

A file may import installed packages and the files listed before it, by their names, and nothing
else that lies beside it (harness.components.beside). Code is run from here only because a study of
the user's names the file; a copy is loaded only by a task of that study, never because it lies in a
results folder.

A file that imports torch at its top is read for planning with a stand-in in torch's place
(harness.components.standin), so that planning starts as fast as ever. Stages load it with torch.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import importlib.util
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from harness.components import beside, registry, standin
from harness.errors import BadInput, on_one_line

FOLDER = "components"  # below a results folder
MOST_BYTES = 1 << 20


@dataclass(frozen=True)
class File:
    """One component file of a study."""

    name: str  # as the study lists it
    path: Path
    sha256: str
    uses: tuple[File, ...] = ()  # those of the study's files that it imports, and what these import

    @property
    def module(self) -> str:
        """What the files listed after it import it as."""
        return Path(self.name).stem

    def described(self) -> dict[str, str]:
        """For a task: what to load, wherever the study lies."""
        return {"name": self.name, "sha256": self.sha256}


def of_study(listed: Sequence[str], folder: Path) -> tuple[File, ...]:
    """Load the files that a study lists; their components are known in this process afterwards.

    folder: the study's. Raises BadInput, one line a problem: a file that is not there, lies
    elsewhere, cannot be imported (with its line), or a component of a name that is taken.
    """
    registry.forget_files()
    files: list[File] = []
    problems: list[str] = []
    for name in listed:
        try:
            file, content = _found(name, folder)
        except BadInput as error:
            problems.append(str(error))
        else:
            problems += _imports_unlisted(file, content, listed, folder)
            files.append(_with_what_it_uses(file, content, files))
    if problems:
        raise BadInput("\n".join(problems))
    for file in files:
        registry.add_file_entries(_entries(file, file.path))
    return tuple(files)


def _found(name: str, folder: Path) -> tuple[File, bytes]:
    path = folder / name
    base = folder.resolve()
    if not path.resolve().is_relative_to(base):
        raise BadInput(f"components: {name} does not lie below the study's folder {folder}")
    if path.suffix != ".py" or not path.stem.isidentifier():
        raise BadInput(f"components: {name} is not a Python file with a name that can be imported")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise BadInput(f"components: {path}: {error.strerror}") from None
    if len(content) > MOST_BYTES:
        raise BadInput(f"components: {path}: {len(content):,} bytes; at most {MOST_BYTES:,}")
    return File(name, path, hashlib.sha256(content).hexdigest()), content


def _imports_unlisted(file: File, content: bytes, listed: Sequence[str], folder: Path) -> list[str]:
    """Sentences on the files that it imports and the study does not list, or lists after it."""
    modules = {Path(name).stem: name for name in listed}
    places = list(dict.fromkeys((file.path.parent, folder)))
    found = [
        f"components: {file.name}:{line} imports {name}, which lies beside it and is not listed: "
        f"list it before {file.name}, so that tasks find it"
        for line, name in beside.not_listed(content, set(modules), places)
    ]
    after = {Path(name).stem for name in listed[listed.index(file.name) + 1 :]}
    for name, line in beside.imports(content, at_once=True).items():
        if name in after and name != file.module:
            found.append(
                f"components: {file.name}:{line} imports {name}, which is listed after it: list "
                f"{modules[name]} before {file.name}"
            )
    return found


def _with_what_it_uses(file: File, content: bytes, before: Sequence[File]) -> File:
    modules = beside.imports(content)
    used = {each: None for f in before if f.module in modules for each in (*f.uses, f)}
    return dataclasses.replace(file, uses=tuple(used))


def _entries(file: File, path: Path) -> list[registry.Entry]:
    """The components of a file, whose module is loaded from `path` (it, or its copy)."""
    module = _load(file, path)
    where = f"file {file.name}"
    found = [registry.entry_of(c, where, sha256=file.sha256) for c in registry.classes_of(module)]
    registry.check_no_name_twice(found)
    return found


_loaded: dict[str, tuple[str, ModuleType]] = {}  # module name -> SHA-256 of its file, module


def _load(file: File, path: Path) -> ModuleType:
    name = file.module
    known = _loaded.get(name)
    if known is not None and known[0] == file.sha256 and not _only_stood_in(known[1]):
        sys.modules[name] = known[1]
        return known[1]
    if known is None and (name in sys.modules or _installed(name, file.sha256)):
        raise BadInput(
            f"components: {file.name} would hide the installed module {name!r}: call it otherwise"
        )

    def read() -> ModuleType:
        spec = importlib.util.spec_from_file_location(name, path)
        assert spec is not None and spec.origin is not None
        # What runs is what was hashed: Python's own loader would take the bytecode of a file that
        # had the same size in the same second.
        content = path.read_bytes()
        if hashlib.sha256(content).hexdigest() != file.sha256:
            raise BadInput("it has changed while it was read; try again")
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        exec(compile(content, spec.origin, "exec", dont_inherit=True), module.__dict__)
        return module

    try:
        module, stood_in = standin.read(read)
    except BaseException as error:
        sys.modules.pop(name, None)
        if isinstance(error, (KeyboardInterrupt, GeneratorExit)):
            raise
        raise BadInput(_why(file, path, error)) from None
    sys.modules[name] = module  # for the files listed after it
    module.__dict__["_stood_in"] = stood_in
    module.__dict__["_listed_as"] = file.name  # a task's copy is called by its SHA-256
    _loaded[name] = (file.sha256, module)
    return module


def _only_stood_in(module: ModuleType) -> bool:
    """Was it loaded without torch, which is here by now?"""
    return bool(module.__dict__.get("_stood_in")) and "torch" in sys.modules


def _installed(name: str, sha256: str) -> bool:
    """Is there another module of that name? In the study's own folder Python finds the file itself,
    since `python -m harness` looks in the current folder first."""
    with contextlib.suppress(ImportError, ValueError, OSError):
        found = importlib.util.find_spec(name)
        if found is None:
            return False
        if found.origin is None or not found.origin.endswith(".py"):
            return True
        return hashlib.sha256(Path(found.origin).read_bytes()).hexdigest() != sha256
    return False


def _why(file: File, path: Path, error: BaseException) -> str:
    """File, line and exception of an import that failed."""
    line = getattr(error, "lineno", None) if isinstance(error, SyntaxError) else None
    if line is None:
        import traceback

        frames = traceback.extract_tb(error.__traceback__)
        ours = path.resolve()
        own = [frame.lineno for frame in frames if Path(frame.filename).resolve() == ours]
        line = own[-1] if own else None
    at = f"{file.name}:{line}" if line else file.name
    return f"components: {at}: cannot be imported: {on_one_line(error)}"


def copy_of(root: Path, sha256: str) -> Path:
    """Where a results folder keeps the component file of this checksum."""
    return root / FOLDER / f"{sha256}.py"


def load_copies(described: Iterable[dict[str, str]], root: Path) -> None:
    """Load the copies that a task names. Raises BadInput where one is not what it must be."""
    registry.forget_files()
    for each in described:
        file = File(each["name"], copy_of(root, each["sha256"]), each["sha256"])
        try:
            content = file.path.read_bytes()
        except OSError as error:
            raise BadInput(
                f"the component file {file.name} ({file.sha256[:12]}) is not in "
                f"{file.path.parent}: {error.strerror}; the study's `run` copies it there"
            ) from None
        if hashlib.sha256(content).hexdigest() != file.sha256:
            raise BadInput(
                f"{file.path} is not the component file {file.name} that the study was started "
                f"with ({file.sha256[:12]}): remove it and start the study's `run` again"
            )
        registry.add_file_entries(_entries(file, file.path))
