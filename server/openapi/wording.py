"""Text of the document as HTML."""

import re
from html import escape


def prose(text: str) -> str:
    """Paragraphs and code in backquotes, as docstrings have them."""
    made = ""
    for paragraph in re.split(r"\n\s*\n", text.strip()):
        said = re.sub(r"`+([^`]+)`+", r"<code>\1</code>", escape(paragraph))
        made += f"<p>{said}</p>" if said else ""
    return made


def breakable(path: str) -> str:
    """A path that may be broken at its slashes on a narrow screen."""
    return escape(path).replace("/", "/<wbr>")
