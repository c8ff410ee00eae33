"""Puts the vocabularies that tokens are counted by into a folder: `python vocabulary.py FOLDER`.

tiktoken would fetch them when it first counts, from a host of its own. The same files are inside a package,
so a build needs only the package registry, and the service needs no network.
"""

import hashlib
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

FILES = {
    "9b5ad71b2ce5302211f9c61530b329a4922fc6a4":  # cl100k_base
    "223921b76ee99bde995b7ff738513eef100fb51d18c93597a113bcffe865b2a7",
    "fb374d419588a4632f3f557e76b4b70aebbca790":  # o200k_base
    "446a9538cb6c348e3516120d7c08b09f57c36495e2acfffe59a5bf8b0cfb1a2d",
}  # fmt: skip
"""Each file's name (as tiktoken looks for it) and SHA-256."""

_INSIDE = "llama_index/core/_static/tiktoken_cache"
_PACKAGE = Path(__file__).with_name("vocabulary.txt")


def fill(folder: Path) -> None:
    """Make the folder hold all of them; asks the registry only for what is missing or wrong."""
    if all(_is_right(folder / name) for name in FILES):
        return
    with tempfile.TemporaryDirectory() as scratch:
        command = [
            sys.executable,
            "-m",
            "pip",
            "download",
            "--quiet",
            "--quiet",
            "--disable-pip-version-check",
        ]
        command += ["--no-input", "--no-deps", "--only-binary=:all:", "--require-hashes"]
        command += ["--requirement", str(_PACKAGE), "--dest", scratch]
        if subprocess.run(command, check=False).returncode:  # noqa: S603  # our own words
            sys.exit("The vocabularies could not be fetched; pip said why.")
        (wheel,) = Path(scratch).glob("*.whl")
        unpack(wheel, folder)


def unpack(wheel: Path, folder: Path) -> None:
    """Take the vocabularies out of the package; one that is not as expected stays out of the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(wheel) as package:
        for name, sha256 in FILES.items():
            data = package.read(f"{_INSIDE}/{name}")
            if hashlib.sha256(data).hexdigest() != sha256:
                sys.exit(f"{wheel.name} holds another {name} than expected.")
            unfinished = folder / f"{name}.unfinished"
            unfinished.write_bytes(data)
            unfinished.replace(folder / name)


def _is_right(path: Path) -> bool:
    return path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == FILES[path.name]


if __name__ == "__main__":
    fill(Path(sys.argv[1]))
