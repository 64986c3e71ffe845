"""Damage to bytes as disks, networks, editors and attackers do it; the same bytes again for the same generator."""

import copy
import json
import re
from collections.abc import Callable
from typing import Any

import numpy as np

Change = Callable[[bytes, np.random.Generator], bytes]

INTEGERS = (0, 1, 2, 127, 128, 255, 256, 32767, 65535, 2**24, 2**31 - 1, 2**31, 2**32 - 1, 2**62, 2**63 - 1, 2**64 - 1)
FLOATS = (0.0, -1.0, np.inf, -np.inf, np.nan, 1e-30, 3e38, -3e38)
NUMBERS = (
    *("0", "-1", "1", "4294967296", "99999999999999999999", "1e308", "-1e308", "1e400", "1e-320", "nan", "-inf"),
    *("0x10", "1_000", "1,5", "٣", "1.", "--1", "1/0", "", "9" * 5000, "True", "null"),
)
WORDS = (
    "",
    "..",
    "/etc/passwd",
    "C:\\x",
    "#",
    "a" * 5000,
    "é" * 300,
    "\x1b[31m",
    "%s",
    "{0}",
    "\u2028",
    "\t",
    "=",
    '"',
)
VALUES: tuple[Any, ...] = (
    *(None, True, False, [], {}, [[]], [None], {"a": []}, "", "x", "\ud800", "\0", "\x1b[2J", "../x", "a" * 5000),
    *(0, -1, 1.5, 10**30, 2**63, -(2**31), 1e308, float("nan"), float("inf"), "1", [1, "a", None], {"": None}),
)
LONGEST_COPY = 1 << 20


def place(content: bytes, rng: np.random.Generator) -> int:
    """A byte of the content, half of the time near its beginning, where headers are."""
    reach = len(content) if rng.random() < 0.5 else min(len(content), 400)
    return int(rng.integers(max(reach, 1)))


def run(content: bytes, rng: np.random.Generator) -> tuple[int, int]:
    """Begin and end of a run of bytes, mostly a short one."""
    start = place(content, rng)
    return start, min(len(content), start + int(2 ** (rng.random() * 12)))


def flipped(content: bytes, rng: np.random.Generator) -> bytes:
    changed = bytearray(content or b"\0")
    for _ in range(int(rng.integers(1, 9))):
        changed[place(content, rng)] ^= 1 << int(rng.integers(8))
    return bytes(changed)


def cut(content: bytes, rng: np.random.Generator) -> bytes:
    return content[: place(content, rng)]


def without_a_run(content: bytes, rng: np.random.Generator) -> bytes:
    start, end = run(content, rng)
    return content[:start] + content[end:]


def with_noise(content: bytes, rng: np.random.Generator) -> bytes:
    start, end = run(content, rng)
    return content[:start] + rng.bytes(end - start) + content[start if rng.random() < 0.5 else end :]


def with_a_run_twice(content: bytes, rng: np.random.Generator) -> bytes:
    start, end = run(content, rng)
    times = int(2 ** (rng.random() * 10))
    return content[:end] + content[start:end] * min(times, LONGEST_COPY // max(end - start, 1)) + content[end:]


def with_a_run_elsewhere(content: bytes, rng: np.random.Generator) -> bytes:
    start, end = run(content, rng)
    to = place(content, rng)
    return content[:to] + content[start:end] + content[to + end - start :]


def with_one_byte_throughout(content: bytes, rng: np.random.Generator) -> bytes:
    start, end = run(content, rng)
    return content[:start] + bytes([(0, 255, 32, 10)[int(rng.integers(4))]]) * (end - start) + content[end:]


def with_a_binary_number(content: bytes, rng: np.random.Generator) -> bytes:
    start = place(content, rng)
    if rng.random() < 0.3:
        number = np.array(rng.choice(FLOATS), ("<f4", "<f8")[int(rng.integers(2))]).tobytes()
    else:
        size = (1, 2, 4, 8)[int(rng.integers(4))]
        value = INTEGERS[int(rng.integers(len(INTEGERS)))] % 2 ** (8 * size)
        number = value.to_bytes(size, "little" if rng.random() < 0.6 else "big")
    return content[:start] + number + content[start + len(number) :]


def something_else(content: bytes, rng: np.random.Generator) -> bytes:
    others = (b"", b"\0", b"\n", rng.bytes(64), b"\0" * 4096, b"\xff\xfe" + content, content * 3, content[::-1])
    return others[int(rng.integers(len(others)))]


def decoded(content: bytes) -> str:
    return content.decode("latin-1")


def encoded(text: str) -> bytes:
    return (
        text.encode("utf-8", "surrogatepass") if any(ord(letter) > 255 for letter in text) else text.encode("latin-1")
    )


def one_of(found: list[Any], rng: np.random.Generator) -> Any:
    return found[int(rng.integers(len(found)))]


def replaced(content: bytes, pattern: str, choices: tuple[str, ...], rng: np.random.Generator) -> bytes:
    """The content with one match of ``pattern``, or half of the time some, replaced."""
    text = decoded(content)
    found = list(re.finditer(pattern, text))
    if not found:
        return content
    for match in sorted({int(n) for n in rng.integers(len(found), size=int(rng.integers(1, 4)))}, reverse=True):
        begin, end = found[match].span()
        text = text[:begin] + str(one_of(list(choices), rng)) + text[end:]
    return encoded(text)


def with_another_number(content: bytes, rng: np.random.Generator) -> bytes:
    return replaced(content, r"-?\d[\d.eE+-]*", NUMBERS, rng)


def with_another_word(content: bytes, rng: np.random.Generator) -> bytes:
    words = tuple(set(re.findall(r"[^\s]+", decoded(content[:20_000]))))
    return replaced(content, r"[^\s\"',:={}\[\]]+", words + WORDS, rng)


def with_other_lines(content: bytes, rng: np.random.Generator) -> bytes:
    lines = content.split(b"\n")
    first, second = (int(rng.integers(len(lines))) for _ in range(2))
    kind = int(rng.integers(5))
    if kind == 0:
        lines[first], lines[second] = lines[second], lines[first]
    elif kind == 1:
        del lines[first]
    elif kind == 2:
        lines.insert(second, lines[first])
    elif kind == 3:
        lines[first] = lines[first] + b" " + lines[second]
    else:
        lines[first] *= int(rng.integers(2, 2000))
    return b"\n".join(lines)


def with_other_letters(content: bytes, rng: np.random.Generator) -> bytes:
    at = place(content, rng)
    letters = (
        b"\0",
        b"\xff",
        b"\xed\xa0\x80",
        b"\x1a",
        b"\r",
        b"\t",
        b'"',
        b"'",
        b"\\",
        b"\xef\xbb\xbf",
        b"[" * 20_000,
    )
    if rng.random() < 0.2:
        return content.decode("latin-1").encode(str(one_of(["utf-16", "utf-16-be", "utf-32", "utf-8-sig"], rng)))
    if rng.random() < 0.1:
        return content.replace(b"\n", b"\r" if rng.random() < 0.5 else b"\r\n")
    return content[:at] + bytes(one_of(list(letters), rng)) + content[at:]


def with_other_json(content: bytes, rng: np.random.Generator) -> bytes:
    """The content with a value, a key or an item of its JSON changed; as it is where it is no JSON."""
    try:
        tree = json.loads(content)
    except (ValueError, RecursionError):
        return content
    for _ in range(int(rng.integers(1, 4))):
        nodes = [tree]
        for node in nodes:
            inside = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
            nodes += [child for child in inside if isinstance(child, dict | list)]
        node, value = one_of(nodes, rng), copy.deepcopy(one_of(list(VALUES), rng))
        if not isinstance(node, dict | list) or not node or rng.random() < 0.02:
            return json.dumps(value).encode()
        key = one_of(list(node) if isinstance(node, dict) else list(range(len(node))), rng)
        kind = rng.random()
        if kind < 0.6:
            node[key] = value
        elif kind < 0.75:
            del node[key]
        elif isinstance(node, dict):
            node[str(value)[:300]] = node[key]
        else:
            node.append(value)
    return json.dumps(tree).encode()


ON_BYTES: tuple[Change, ...] = (
    flipped,
    cut,
    without_a_run,
    with_noise,
    with_a_run_twice,
    with_a_run_elsewhere,
    with_one_byte_throughout,
    with_a_binary_number,
    with_a_binary_number,
    something_else,
)
ON_TEXT: tuple[Change, ...] = (
    with_another_number,
    with_another_number,
    with_another_word,
    with_other_lines,
    with_other_letters,
)


def changes_for(content: bytes) -> tuple[Change, ...]:
    """The changes that such content is worth: text is mostly changed as text, JSON mostly as JSON."""
    try:
        content.decode()
    except UnicodeDecodeError:
        return ON_BYTES
    try:
        tree = json.loads(content)
    except (ValueError, RecursionError):
        return ON_BYTES + ON_TEXT * 5
    return ON_BYTES + ON_TEXT + (with_other_json,) * (20 if isinstance(tree, dict | list) else 0)


def mutated(content: bytes, rng: np.random.Generator) -> bytes:
    """``content`` after one to three changes."""
    changes = changes_for(content)
    for _ in range(int(rng.choice([1, 1, 1, 2, 3]))):
        content = one_of(list(changes), rng)(content, rng)
    return content
