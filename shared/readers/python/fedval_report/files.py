"""The files of a bundle, in a folder or in a .zip. What a bundle says about paths is not trusted:
nothing outside of it is read, no link is followed, and an archive is read without unpacking."""

from __future__ import annotations

import hashlib
import os
import re
import stat
import struct
import zipfile
import zlib
from typing import BinaryIO, NamedTuple, Optional, Union

MAX_BYTES = 1 << 30
"""A file beyond this size is refused: no report comes near it, a hostile archive does."""

LINK = "refused: it is a symbolic link"
LEAVES = "refused: its path leaves the bundle"
NO_FILE = "refused: it is no regular file"
TWICE = "refused: the archive holds it twice"
ENCRYPTED = "refused: it is encrypted"
PACKED = "refused: it is packed in a way other than deflate"
TOO_LARGE = "refused: it has more than %d bytes" % MAX_BYTES

_UNREADABLE = (OSError, EOFError, ValueError, RuntimeError, zipfile.BadZipFile, zlib.error,
               struct.error)


def escaped(text: str) -> str:
    """Text of a bundle with its control characters spelled out, so that none steers a terminal."""
    return re.sub(r"[\x00-\x1f\x7f-\x9f]", lambda sign: "\\u%04x" % ord(sign[0]), text)


class BundleError(Exception):
    """A bundle cannot be read as asked: what is wrong, why, and what mends it."""

    def __init__(self, what: str, why: str, fix: str) -> None:
        self.what, self.why, self.fix = escaped(what), escaped(why), escaped(fix)
        super().__init__(f"{self.what}\n  why: {self.why}\n  fix: {self.fix}")


class Problem(NamedTuple):
    """One file that is not as the manifest says."""

    file: str
    problem: str


class Entry(NamedTuple):
    """One file that a bundle holds; `fault` says why it is not read."""

    size: int
    fault: Optional[str]


def is_inside(name: str) -> bool:
    """Whether a path with `/` between its parts stays inside a bundle, on every system."""
    parts = name.split("/")
    plain = not re.search(r'[\\:\x00-\x1f\x7f]', name)
    return plain and all(part not in ("", ".", "..") for part in parts)


class Folder:
    """A bundle as the coordinator writes it."""

    def __init__(self, path: str) -> None:
        self.root = path
        self.label = path

    def entries(self) -> dict[str, Entry]:
        """Every file below the folder by its path; links are listed and not followed."""
        found: dict[str, Entry] = {}
        open_folders = [""]
        while open_folders:
            below = open_folders.pop()
            with os.scandir(os.path.join(self.root, below)) as scan:
                for item in scan:
                    name = f"{below}{item.name}"
                    mode = item.stat(follow_symlinks=False)
                    if stat.S_ISDIR(mode.st_mode):
                        open_folders.append(f"{name}/")
                    else:
                        found[name] = Entry(mode.st_size, _fault(mode.st_mode, mode.st_size))
        return found

    def open(self, name: str) -> BinaryIO:
        """The bytes of one of the entries."""
        return open(os.path.join(self.root, *name.split("/")), "rb")


class Archive:
    """A bundle in a .zip, with its files at the top or in one folder."""

    def __init__(self, path: str) -> None:
        self.label = path
        try:
            self.zip = zipfile.ZipFile(path)
        except _UNREADABLE as error:
            raise BundleError(f"{path} is no .zip archive", str(error),
                              "give the bundle's folder, or download the archive again") from error
        names = self.zip.namelist()
        tops = [name for name in names if re.fullmatch(r"[^/]+/manifest\.json", name)]
        at_top = "manifest.json" in names or len(tops) != 1
        self.prefix = "" if at_top else tops[0][: -len("manifest.json")]
        self.infos: dict[str, tuple[zipfile.ZipInfo, Optional[str]]] = {}
        for info in self.zip.infolist():
            if not info.is_dir():
                name = info.filename
                name = name[len(self.prefix):] if name.startswith(self.prefix) else name
                self.infos[name] = (info, self._fault(name, info))

    def _fault(self, name: str, info: zipfile.ZipInfo) -> Optional[str]:
        if not is_inside(name):
            return LEAVES
        if name in self.infos:
            return TWICE
        if info.flag_bits & 1:
            return ENCRYPTED
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            return PACKED
        return _fault(info.external_attr >> 16, info.file_size)

    def entries(self) -> dict[str, Entry]:
        """Every file of the archive by its path."""
        return {name: Entry(info.file_size, fault)
                for name, (info, fault) in self.infos.items()}

    def open(self, name: str) -> BinaryIO:
        """The bytes of one of the entries."""
        return self.zip.open(self.infos[name][0])  # type: ignore[return-value]


Files = Union[Folder, Archive]


def _fault(mode: int, size: int) -> Optional[str]:
    if stat.S_ISLNK(mode):
        return LINK
    if stat.S_IFMT(mode) not in (0, stat.S_IFREG):
        return NO_FILE
    return TOO_LARGE if size > MAX_BYTES else None


def read(files: Files, name: str) -> bytes:
    """The bytes of `name`; an error that names it when it is missing or must not be read."""
    entry = files.entries().get(name)
    if entry is None:
        raise BundleError(f"{name} is missing", f"{files.label} holds no such file",
                          "copy the whole bundle again; `verify` lists what else is missing")
    if entry.fault:
        raise BundleError(f"{name} is not read", entry.fault,
                          "ask whoever gave you the bundle for the files themselves")
    try:
        with files.open(name) as file:
            data = file.read(MAX_BYTES + 1)
    except _UNREADABLE as error:
        raise BundleError(f"{name} cannot be read", str(error), "copy the bundle again") from error
    if len(data) > MAX_BYTES:
        raise BundleError(f"{name} is not read", TOO_LARGE, "ask whoever gave you the bundle")
    return data


def sha256(files: Files, name: str) -> Optional[str]:
    """The SHA-256 of `name`, or None when its bytes cannot be read to the end."""
    digest = hashlib.sha256()
    try:
        with files.open(name) as file:
            for block in iter(lambda: file.read(1 << 20), b""):
                digest.update(block)
    except _UNREADABLE:
        return None
    return digest.hexdigest()
