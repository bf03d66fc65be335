"""Relatome reads the biomedical literature: entities, typed relations and adverse effects, each with its evidence.

Nothing is loaded until a name is used. Modules are named by strings here, because this file is the package that every
module may ask for its ``__version__``: an import statement would make each of them depend on all that is above it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, overload

if TYPE_CHECKING:
    from relatome.documents import Document as Document
    from relatome.documents import Label as Label
    from relatome.documents import Mention as Mention
    from relatome.documents import Passage as Passage
    from relatome.documents import Relation as Relation
    from relatome.documents import Span as Span
    from relatome.errors import RelatomeError as RelatomeError
    from relatome.evaluate import evaluate as evaluate
    from relatome.formats import read as read
    from relatome.formats import write as write
    from relatome.predictors import Predictor
    from relatome.predictors import load as load

    __version__: str

__all__ = [
    "Document",
    "Label",
    "Mention",
    "Passage",
    "Relation",
    "RelatomeError",
    "Span",
    "__version__",
    "evaluate",
    "extract",
    "load",
    "read",
    "write",
]


@overload
def extract(source: str, *, model: str | Path | Predictor = ..., backend: str = ...) -> Document: ...
@overload
def extract(
    source: Path | Iterable[Document], *, model: str | Path | Predictor = ..., backend: str = ...
) -> Iterator[Document]: ...
def extract(
    source: str | Path | Iterable[Document], *, model: str | Path | Predictor = "default", backend: str = "auto"
) -> Document | Iterator[Document]:
    """What a model finds in a text, a file or documents: mentions, relations, labels of sentences.

    Parameters
    ----------
    source
        A ``str`` is a text, never a path. A ``Path`` is a file or folder in any format; documents may come from
        anywhere, ``relatome.read`` among others, and are read as they are asked for.
    model
        ``"default"``, a folder, or what ``load`` gave.
    backend
        As for ``load``.

    Returns
    -------
    Document or Iterator[Document]
        One document for a text, else one for each document, in their order.

    Examples
    --------
    >>> document = relatome.extract("Lamotrigine caused a rash.")  # doctest: +SKIP
    >>> [(mention.type, mention.text) for mention in document.mentions]  # doctest: +SKIP
    [('Chemical', 'Lamotrigine'), ('Disease', 'rash')]
    """
    documents: Any = source
    if isinstance(source, Path):
        documents = import_module("relatome.formats").read(source)
    elif isinstance(source, str):
        if not source.strip():
            error = import_module("relatome.errors").InputError
            raise error("the text is empty", advice="for a file give pathlib.Path(...)")
        documents = [import_module("relatome.documents").Document("text", source)]
    predictor = _opened(str(model), backend) if isinstance(model, (str, Path)) else model
    found: Iterator[Document] = import_module("relatome.extract").extract(documents, predictor)
    return next(found) if isinstance(source, str) else found


@lru_cache(maxsize=2)
def _opened(model: str, backend: str) -> Predictor:
    """A model opened once: a loop over texts must not open it for each."""
    predictor: Predictor = import_module("relatome.predictors").load(model, backend=backend)
    return predictor


def __getattr__(name: str) -> Any:
    if name == "__version__":
        from importlib.metadata import PackageNotFoundError, version

        try:
            value: Any = version("relatome")
        except PackageNotFoundError:  # run from a checkout that is not installed
            value = "0+unknown"
    elif name in _HOMES:
        value = getattr(import_module(_HOMES[name]), name)
    else:
        raise AttributeError(f"module 'relatome' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


class _Package(ModuleType):
    """``relatome.extract`` is the verb, even after the file of that name was imported.

    The import system sets a submodule as attribute of its package, which would put the module ``extract`` in the
    place of the function. ``from relatome.extract import ...`` finds the module all the same.
    """

    def __setattr__(self, name: str, value: Any) -> None:
        if not (name in __all__ and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


_HOMES = {
    "Document": "relatome.documents",
    "Label": "relatome.documents",
    "Mention": "relatome.documents",
    "Passage": "relatome.documents",
    "RelatomeError": "relatome.errors",
    "Relation": "relatome.documents",
    "Span": "relatome.documents",
    "evaluate": "relatome.evaluate",
    "load": "relatome.predictors",
    "read": "relatome.formats",
    "write": "relatome.formats",
}

sys.modules[__name__].__class__ = _Package
