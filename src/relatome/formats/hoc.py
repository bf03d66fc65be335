"""The Hallmarks of Cancer corpus as its authors keep it: an archive with two folders of small files.

    text/11724768.txt       the abstract, tokenised, a sentence a line
    labels/11724768.txt     a field for each sentence, each with ``<`` before it: ``< <A--B ANDC--D< ``

An abstract is a document: its sentences with a line end between. A field holds the path of each label of its sentence
through the taxonomy, ``Evading growth suppressors--By evading contact inhibition``, several joined by ``AND`` with or without
blanks about it, sometimes with ``--`` at the end; an empty field, or ``NULL``, is a sentence that shows no
hallmark. Each path is a ``hallmark-path`` label over its sentence (without that end); each hallmark, the first part of
a path, is a ``hallmark`` label there, once, as in BLURB's rows. A sentence without labels was judged all the same.

The corpus is two folders in a repository; the archive is what ``tar -cz labels text`` makes of them. Members are read one
by one, in any order, and nothing is unpacked.

References
----------
Baker et al. 2016, https://doi.org/10.1093/bioinformatics/btv585; https://github.com/sb895/Hallmarks-of-Cancer
"""

from __future__ import annotations

import re
import tarfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from relatome.documents import Document, Label, Span
from relatome.errors import FormatError, InputError
from relatome.formats.files import OnReject, opened, settle, shown

ARCHIVES = True  # a file of this format is an archive: its members are no documents by themselves
LABEL, PATH_LABEL = "hallmark", "hallmark-path"
HALLMARKS = (
    "Activating invasion and metastasis",
    "Avoiding immune destruction",
    "Cellular energetics",
    "Enabling replicative immortality",
    "Evading growth suppressors",
    "Genomic instability and mutation",
    "Inducing angiogenesis",
    "Resisting cell death",
    "Sustaining proliferative signaling",
    "Tumor promoting inflammation",
)
MOST_BYTES_A_MEMBER = 1 << 20  # an abstract has a few thousand; a member of a tar bomb says it has more

_MEMBER = re.compile(r"(?:.*/)?(text|labels)/([^/]+)\.txt")


def read(
    path: str | Path, *, on_reject: OnReject | None = None, on_repair: OnReject | None = None
) -> Iterator[Document]:
    """The abstracts of an archive, in its order, under their PMIDs.

    Parameters
    ----------
    path
        A tar file of ``text/PMID.txt`` and ``labels/PMID.txt``, plain or gzip; ``"-"`` is standard input.
    on_reject
        Told about an abstract that cannot be read, which is then left out; without it the error is raised.
    on_repair
        Never told: an abstract is read as it stands or not at all.

    Raises
    ------
    FormatError
        The file is no tar file, a member's name leaves it, or an abstract has not a field for each sentence.
    """
    waiting: dict[str, dict[str, str]] = {"text": {}, "labels": {}}
    done: set[str] = set()
    for name, kind, identity, content in _members(path):
        place = f"{shown(path)}!{name}"
        try:
            if isinstance(content, InputError):
                raise content
            if identity in done or identity in waiting[kind]:
                raise FormatError("the archive has this file twice")
            other = waiting["labels" if kind == "text" else "text"].pop(identity, None)
            if other is None:
                waiting[kind][identity] = content
                continue
            done.add(identity)
            document = _document(identity, *((content, other) if kind == "text" else (other, content)))
        except InputError as problem:
            problem.at(path=place, document=identity)
            settle(problem, on_reject)
            continue
        yield document
    if not done and not any(waiting.values()):
        raise FormatError("no file text/PMID.txt or labels/PMID.txt is in this archive", path=shown(path))
    for kind, missing in (("text", "labels"), ("labels", "text")):
        for identity in waiting[kind]:
            alone = FormatError(
                f"{kind}/{identity}.txt has no {missing}/{identity}.txt beside it", path=shown(path), document=identity
            )
            settle(alone, on_reject)


def fits_archive(path: str | Path) -> bool:
    """Whether a tar holds nothing else before it has both the text and the labels of an abstract, fields with ``<``."""
    seen: dict[str, set[str]] = {"text": set(), "labels": set()}
    try:
        with opened(path) as stream, tarfile.open(fileobj=stream, mode="r|") as archive:
            for member in archive:
                if member.isdir() or "/" not in member.name.removeprefix("./"):
                    continue  # the two folders, a README beside them
                name = _MEMBER.fullmatch(member.name)
                file = archive.extractfile(member) if name and name[1] == "labels" else None
                if name is None or (file and not file.read(64).lstrip().startswith(b"<")):
                    return False
                seen[name[1]].add(name[2])
                if name[2] in seen["text"] & seen["labels"]:
                    return True
    except (InputError, tarfile.TarError, EOFError):  # said when it is read
        pass
    return False


def _members(path: str | Path) -> Iterator[tuple[str, str, str, str | InputError]]:
    """Name, folder, PMID and content of each file that matters; an error instead of what cannot be decoded."""
    with opened(path) as stream:
        try:
            with tarfile.open(fileobj=stream, mode="r|") as archive:
                for member in archive:
                    name = _MEMBER.fullmatch(member.name)
                    if ".." in PurePosixPath(member.name).parts or member.name.startswith("/"):
                        raise FormatError(
                            f"the archive has a file that would lie outside it: {member.name[:80]!r}",
                            path=shown(path),
                            advice="it was made to do harm, or by accident; nothing was unpacked",
                        )
                    if name is None:
                        continue
                    file = archive.extractfile(member) if member.isreg() else None
                    if file is None or member.size > MOST_BYTES_A_MEMBER:
                        what = "is no plain file" if file is None else f"has {member.size} bytes"
                        yield member.name, name[1], name[2], FormatError(f"this member {what}, expected a small text")
                        continue
                    try:
                        yield member.name, name[1], name[2], file.read().decode("utf-8-sig")
                    except UnicodeDecodeError as problem:
                        error = FormatError(
                            f"the text is not UTF-8: byte {problem.start + 1} is 0x{problem.object[problem.start]:02x}"
                        )
                        yield member.name, name[1], name[2], error
        except (tarfile.TarError, EOFError) as problem:
            raise FormatError(
                f"this is not a whole tar file: {problem}",
                path=shown(path),
                advice="give the two folders as one archive: tar -czf hoc.tar.gz labels text",
            ) from None


def _document(identity: str, text: str, labels: str) -> Document:
    lines = text.replace("\r\n", "\n").removesuffix("\n").split("\n")
    before, *fields = labels.strip("\r\n").split("<")
    if before.strip() or len(fields) != len(lines) or not all(line.strip() for line in lines):
        raise FormatError(
            f"expected a field for each of the {len(lines)} sentences, with '<' before each, found {len(fields)}"
        )
    text = "\n".join(lines)
    spans: list[Span] = []
    found: list[Label] = []
    for line, field in zip(lines, fields, strict=True):
        start = spans[-1].end + 1 if spans else 0
        span = Span(start, start + len(line))
        spans.append(span)
        paths = [part.strip().removesuffix("--") for part in field.split("AND")]
        paths = [path for path in dict.fromkeys(paths) if path not in ("", "NULL")]
        hallmarks = dict.fromkeys(path.split("--")[0] for path in paths)
        for hallmark in hallmarks:
            if hallmark not in HALLMARKS:
                raise FormatError(f"{hallmark[:80]!r} is none of the ten hallmarks")
        found += [Label(LABEL, hallmark, *span) for hallmark in hallmarks]
        found += [Label(PATH_LABEL, path, *span) for path in paths]
    return Document(identity, text, labels=tuple(found), sentences=tuple(spans)).check()
