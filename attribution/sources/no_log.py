"""What stands beside logs in their folders and is none: texts for people, documents, checksums, what a lake keeps.

Only content decides. A file counts as no log if it shows what it is instead. A table, JSON of unknown fields, settings
and lines with times or addresses do not, so they stay what they were: sources of no known format.
"""

import json
import re
from itertools import pairwise

#: What a file is by its first bytes.
_MAGICS: tuple[tuple[bytes, str], ...] = (
    (b"%PDF-", "a PDF"),
    (b"\x89PNG\r\n\x1a\n", "an image"),
    (b"\xff\xd8\xff", "an image"),
    (b"GIF87a", "an image"),
    (b"GIF89a", "an image"),
    (b"\0\0\0\1Bud1", "a folder's view settings"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an office document"),
    (b"{\\rtf", "an office document"),
    (b"\x7fELF", "a program"),
)
_MARKUP = re.compile(r"\s*(?:<!--.*?-->\s*)?<(?:!doctype\s+html|html|head|body|svg)\b", re.IGNORECASE | re.DOTALL)
_SIGNATURE = re.compile(r"-----BEGIN [A-Z0-9 ]+-----\s")
#: Lines as `sha256sum` writes them, and those of BSD.
_CHECKSUM = re.compile(r"\\?[0-9a-fA-F]{32,128}(?: [ *]\S.*)?|[A-Z0-9-]+ ?\(.+\) ?= ?[0-9a-fA-F]{32,128}")
#: A target and what it is made of; a name and its value; a command.
_TARGET, _VARIABLE = re.compile(r"[^\s:=#][^:=#]*::?(?:$|[^=:/\d])"), re.compile(r"(?:export\s+)?[\w.-]+\s*[:+?]?=")
#: What a record has and prose seldom: a time of day beside a date or alone, seconds since 1970, an address.
_OF_RECORDS = re.compile(
    r"\d:[0-5]\d:[0-5]\d|(?<![\w.])1\d{9}(?:\d{3}|\d{6}|\d{9})?(?!\w)"
    r"|(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?![\w./])|(?<![\w:])[0-9a-fA-F]{1,4}(?:::?[0-9a-fA-F]{1,4}){3,7}(?![\w:/])"
)
#: A key of settings or of YAML, which a line of prose is not.
_KEY = re.compile(r"\s*(?:- )?[\w.-]+:(?:\s|$)")
_FENCE = re.compile(r"[ \t]*(?:```|~~~)")
_WORD = re.compile(r"[^\W\d_]+(?:['’/-][^\W\d_]+)*")  # noqa: RUF001 - the apostrophe of type setters
_AROUND = "\"'`*_()[]<>.,;:!?…“”‘’-–—"  # noqa: RUF001 - quotes and dashes of type setters
#: What shows that words are sentences, or that text is laid out for people.
_SENTENCE = re.compile(r"[^\W\d_]{2}[\"'”’)`*_]*[.!?:](?:\s|$)")  # noqa: RUF001
_LAID_OUT = re.compile(r"^(?:#{1,6} \S.*\n(?:\s*\n)+|={4,}$|[*-] [^\W\d_].*\n[*-] )|\]\(", re.MULTILINE)
#: Share of the lines that may have what records have; share of words; share of lines that may be alike.
_OF_RECORDS_AT_MOST, _WORDS_AT_LEAST, _ALIKE_AT_MOST = 1 / 8, 0.7, 0.5
#: Lines below which nothing is said about lines that are alike.
_FEW = 6
#: The keys of a line of `rejects.jsonl`, and some of the manifest of a lake.
_REJECT = {"source", "line", "reason", "found", "kind"}
_MANIFEST = {"format", "written_by", "settings"}


def no_log(head: bytes) -> str | None:
    r"""What a source is if it is no log; None if it may be one.

    >>> no_log(b"Flow logs of March.\nAsk the network team before you delete them.\n")
    'text for people'
    >>> no_log(b"10:00:01 web connected to api.\n10:00:02 api answered web.\n") is None
    True

    Args:
        head: its first bytes, decompressed; all of it if it is short.
    """
    for magic, what in _MAGICS:
        if head.startswith(magic):
            return what
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "an image"
    try:
        text = head.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        # The beginning of a source may end inside of a character.
        if error.reason != "unexpected end of data":
            return None
        text = head[: error.start].decode("utf-8-sig")
    if _of_lake(text):
        return "what a lake keeps beside its records"
    if not text.strip() or not all(letter.isprintable() or letter in "\t\n\r\f" for letter in text):
        return None
    return _text(text)


def _text(text: str) -> str | None:
    if _MARKUP.match(text):
        return "a page"
    lines = [line for line in text.splitlines() if line.strip()]
    if _SIGNATURE.match(text):
        return "a signature or a certificate"
    if all(_CHECKSUM.fullmatch(line.strip()) for line in lines):
        return "checksums"
    if _is_makefile(lines):
        return "a makefile"
    return "text for people" if _is_prose(text) else None


def _is_makefile(lines: list[str]) -> bool:
    """Whether there is a target with a command below it, and no line is of another kind."""
    made = any(_TARGET.match(one) and other.startswith("\t") for one, other in pairwise(lines))
    known = [line.startswith(("\t", "#", " ")) or _TARGET.match(line) or _VARIABLE.match(line) for line in lines]
    return made and all(known) and not any(_OF_RECORDS.search(line) for line in lines)


def _is_prose(text: str) -> bool:
    """Whether text is sentences of words, and not rows, settings or records."""
    shown, fenced = [], False
    for line in text.splitlines():
        if _FENCE.match(line):
            fenced = not fenced
        elif line.strip() and not fenced:
            shown.append(line)
    if not shown or shown[0].lstrip()[:1] == "{" or _OF_RECORDS.search(shown[0]) or _is_table(shown):
        return False
    # A text may name one address or time, however short it is.
    allowed = max(_OF_RECORDS_AT_MOST * len(shown), len(shown) > 2)
    if sum(bool(_OF_RECORDS.search(line)) for line in shown) > allowed:
        return False
    parts = [word for line in shown for part in line.split() if (word := part.strip(_AROUND))]
    words = sum(bool(_WORD.fullmatch(part)) for part in parts)
    return words > _WORDS_AT_LEAST * len(parts) and bool(_SENTENCE.search(text) or _LAID_OUT.search(text))


def _is_table(lines: list[str]) -> bool:
    """Whether lines are rows: of one number of columns, or of one form."""
    if len(lines) < 2:
        return False
    for separator in ("\t", ",", ";", "|", "="):
        counts = {line.count(separator) for line in lines}
        if len(counts) == 1 and counts != {0}:
            return True
    if len(lines) > 2 and len({len(line.split()) for line in lines}) == 1 and len(lines[0].split()) > 1:
        return True
    if 2 * sum(bool(_KEY.match(line)) for line in lines) > len(lines):
        return True
    forms = {re.sub(r"\d+|(?<==)\S+", "", line) for line in lines}
    return len(lines) >= _FEW and len(forms) < _ALIKE_AT_MOST * len(lines)


def _of_lake(text: str) -> bool:
    """Whether text is a lake's manifest or its rejected rows."""
    first = text.partition("\n")[0]
    if first.strip() == "{":
        return all(re.search(rf'^  "{key}": ', text, re.MULTILINE) for key in _MANIFEST)
    try:
        row = json.loads(first)
    except (ValueError, RecursionError):
        return False
    return isinstance(row, dict) and row.keys() == _REJECT
