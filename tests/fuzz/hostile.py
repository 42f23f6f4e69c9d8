"""Hostile bytes: arbitrary ones, and valid files with something wrong in them."""

import json
from collections.abc import Sequence
from typing import Any

import yaml
from hypothesis import strategies as st

LONG = 100_000
DEEP = 3_000

# Texts that parsers are known to stumble over; none is safe inside any other.
SNIPPETS = (
    b"\x00", b"\xff\xfe", b"\xef\xbb\xbf", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\r", b"\x1b[31m",
    b"\xe2\x80\xa8", b"\x85", b"\\ud800", b"\\u0000", b'"', b"{", b"}", b"[", b"]", b":", b": ",
    b",", b"\t", b"- ", b"? ", b"|", b">", b"&a ", b"*a", b"<<: *a", b"%YAML 9.9\n", b"---\n",
    b"...\n", b"NaN", b"-Infinity", b"1e999", b"-0", b"0x" + b"f" * 5000, b"9" * 5000,
    b"1:" + b"9" * 5000,
    b"2001-99-99", b"!!python/object/apply:os.system [exit]", b"!!python/name:os.system ",
    b"!!int ''", b"!!float ''", b"!!bool x", b"!!timestamp x", b"!!binary \xff", b"!!set {a}",
    b"!!omap x", b"!!int {}", b"!!str []", b"!<tag:yaml.org,2002:map> 3", b"=",
    b"[" * DEEP, b"{" * DEEP, b'{"a":' * DEEP, b"x" * LONG, b" " * LONG, b"\n" * 5000,
)  # fmt: skip


def _bomb(levels: int = 24) -> str:
    """YAML whose aliases stand for 9**levels entries."""
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    for n in range(1, levels):
        lines.append(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]")
    return "\n".join(lines)


BOMBS = (
    _bomb().encode(),
    (_bomb().replace("a23: ", "steps: ")).encode(),
    (_bomb().replace("a23: ", "study: ")).encode(),
    (_bomb().replace("a23: ", "models: ")).encode(),
    b"steps: &a [*a]",
    b"set: &a {set: *a}",
    b"variants: &a [{tau: *a}]",
    b"? &a [*a]\n: 3",
    b"x: &a\n  <<: *a",
)

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(10**30), 10**30),
    st.sampled_from([10**400, -1, 0, 2**31, 2**63, 2**64]),
    st.floats(),
    st.text(max_size=30),
    st.sampled_from(["", " ", "x" * LONG, "\x00", "a\nb", "\x1b[2J", "\u202e", "{subject}", "NaN"]),
)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=8,
)


@st.composite
def damaged(draw: st.DrawFn, originals: Sequence[bytes]) -> bytes:
    """A valid file with a few edits of its bytes."""
    content = bytearray(draw(st.sampled_from(originals)))
    for _ in range(draw(st.integers(1, 4))):
        start = draw(st.integers(0, len(content)))
        stop = min(len(content), start + draw(st.sampled_from([0, 1, 5, 40, 10_000])))
        match draw(st.sampled_from(["insert", "cut", "flip", "repeat", "end"])):
            case "insert":
                content[start:stop] = draw(st.sampled_from(SNIPPETS) | st.binary(max_size=12))
            case "cut":
                del content[start:stop]
            case "flip" if start < len(content):
                content[start] ^= draw(st.integers(1, 255))
            case "repeat":
                content[start:start] = content[start:stop] * draw(st.sampled_from([1, 2, 50]))
            case _:
                del content[start:]
    encoding = draw(st.sampled_from(["", "", "", "", "bom", "crlf", "utf-16"]))
    if encoding == "bom":
        return b"\xef\xbb\xbf" + content
    if encoding == "crlf":
        return bytes(content.replace(b"\n", b"\r\n"))
    return content.decode("latin-1").encode("utf-16") if encoding else bytes(content)


@st.composite
def altered(draw: st.DrawFn, record: dict[str, Any]) -> dict[str, Any]:
    """A record with one or two fields dropped, replaced or added, at any depth."""
    record = json.loads(json.dumps(record))
    for _ in range(draw(st.integers(1, 2))):
        place: Any = record
        while True:
            keys = list(place) if isinstance(place, dict) else list(range(len(place)))
            key = draw(st.sampled_from(keys)) if keys else None
            if key is None or not isinstance(place[key], (dict, list)) or draw(st.booleans()):
                break
            place = place[key]
        if isinstance(place, list) and key is None:
            place.append(draw(values))
        elif isinstance(place, dict) and (key is None or draw(st.integers(0, 5)) == 0):
            place[draw(st.text(max_size=12))] = draw(values)
        elif draw(st.booleans()):
            del place[key]
        else:
            place[key] = draw(values)
    return record


def as_json(value: Any) -> bytes:
    """JSON, with NaN and lone surrogates let through."""
    return json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogatepass")


def as_yaml(value: Any) -> bytes:
    """YAML of the same."""
    try:
        return yaml.safe_dump(value, allow_unicode=True).encode("utf-8", "surrogatepass")
    except yaml.YAMLError:  # what YAML cannot say
        return as_json(value)
