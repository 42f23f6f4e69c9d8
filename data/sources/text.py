"""The plain text: four chapters of Lewis Carroll, from a package that tests itself on it."""

import re
import tarfile
from pathlib import Path

MEMBER = "tests/testdata/alice29.txt"
CHAPTERS = 4


def utility_text(archive: Path) -> str:
    """The first chapters, a paragraph a line.

    Args:
        archive: The source distribution of brotli.

    Raises:
        ValueError: The archive does not hold the text.
    """
    with tarfile.open(archive) as files:
        name = next((n for n in files.getnames() if n.endswith(MEMBER)), None)
        stream = files.extractfile(name) if name else None
        if stream is None:
            raise ValueError(f"{archive} holds no {MEMBER}")
        whole = stream.read().decode("ascii").replace("\r\n", "\n")
    chapters = re.split(r"CHAPTER [IVX]+\n", whole)[1 : CHAPTERS + 1]
    # Each begins with its title.
    paragraphs = [part for chapter in chapters for part in re.split(r"\n\s*\n", chapter)[1:]]
    plain = [" ".join(part.replace("`", "'").split()) for part in paragraphs]
    return "".join(f"{part}\n" for part in plain if re.search("[a-z]", part))
