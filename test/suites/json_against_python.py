"""Random documents through `json_echo` (scan, tree, print) and through Python's json with exact numbers: the same values must come
out. And the other way round: a text with one byte changed is accepted by both or by neither."""
import json
import random
import subprocess
import sys

rng = random.Random(20240607)


def digits(most):
    return "".join(rng.choice("0123456789000") for _ in range(rng.randint(1, most)))


def number():
    text = rng.choice(["", "", "-"])
    text += rng.choice(["0", rng.choice("123456789") + rng.choice(["", digits(3), digits(14), digits(19), digits(80)])])
    if rng.random() < 0.4:
        text += "." + rng.choice([digits(2), digits(15), digits(80)])
    if rng.random() < 0.3:
        text += rng.choice("eE") + rng.choice(["", "+", "-"]) + rng.choice([digits(1), digits(3), digits(9)])
    return text


def character():
    kind = rng.random()
    if kind < 0.5:
        return chr(rng.randint(0x20, 0x7E))
    if kind < 0.6:
        return chr(rng.randint(0, 0x1F))
    if kind < 0.8:
        return chr(rng.choice([rng.randint(0x80, 0x7FF), rng.randint(0x800, 0xD7FF), rng.randint(0xE000, 0xFFFF)]))
    return chr(rng.randint(0x10000, 0x10FFFF))


def string():
    text = "".join(character() for _ in range(rng.choice([0, 1, 3, 8, 30])))
    return json.dumps(text, ensure_ascii=rng.random() < 0.5)


def value(depth):
    kind = rng.random()
    if depth == 0 or kind < 0.6:
        return rng.choice([number, number, string, lambda: rng.choice(["null", "true", "false"])])()
    space = lambda: rng.choice(["", "", "", " ", "\t ", "  \r"])
    n = rng.choice([0, 1, 2, 5, 5, 20])
    if kind < 0.8:
        return "[" + ",".join(space() + value(depth - 1) + space() for _ in range(n)) + space() + "]"
    members = {}
    for _ in range(n):
        key = string()
        members[json.loads(key)] = space() + key + space() + ":" + space() + value(depth - 1)
    return "{" + ",".join(members.values()) + space() + "}"


def no_twins(pairs):
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("the same key twice")
    return members


def no_constant(text):
    raise ValueError(text)


def exact(text):
    """A number's value, whatever its form: sign, digits, power of ten."""
    mantissa, _, exponent = text.lower().partition("e")
    whole, _, fraction = mantissa.lstrip("-").partition(".")
    all_digits = (whole + fraction).lstrip("0")
    kept = all_digits.rstrip("0")
    power = int(exponent or "0") - len(fraction) + len(all_digits) - len(kept)
    return (text.startswith("-"), kept, power) if kept else (False, "", 0)


def read(text):
    return json.loads(text, parse_float=exact, parse_int=exact, parse_constant=no_constant, object_pairs_hook=no_twins)


def acceptable(raw):
    """Whether Python reads the bytes, and no string holds half a surrogate pair, which Python lets through."""
    try:
        text = raw.decode("utf-8")
        json.dumps(read(text), ensure_ascii=False).encode("utf-8")
    except (ValueError, RecursionError):
        return False
    return not text.startswith("\ufeff")


def changed(raw):
    at = rng.randrange(len(raw))
    kind = rng.random()
    if kind < 0.3:
        return raw[:at] + raw[at + 1:]
    byte = bytes([rng.choice([rng.randrange(256), rng.choice(b'"\\,:[]{}0-.eE u\x1f\x80\xed\xc3')])])
    return raw[:at] + byte + raw[at + (kind < 0.7):]


def main(echo):
    texts = [value(rng.choice([0, 1, 2, 4])).encode("utf-8") for _ in range(3000)]
    texts += [b"[" * n + b"-0" + b"]" * n for n in (1, 63, 64, 65, 511, 512)]
    mutants = [changed(raw) for raw in rng.sample(texts, 2500) if len(raw) < 5000]
    mutants = [raw for raw in mutants if raw.strip() and b"\n" not in raw]
    done = subprocess.run([echo], input=b"\n".join(texts + mutants) + b"\n", stdout=subprocess.PIPE, check=True)
    lines = done.stdout.split(b"\n")[:-1]
    assert len(lines) == len(texts) + len(mutants), "%d lines" % len(lines)
    accepted = 0
    for raw, line in zip(texts, lines):
        if line.startswith(b"error: ") or read(raw.decode()) != read(line.decode()):
            sys.exit("wrong:\n%r\n%r" % (raw, line))
    for raw, line in zip(mutants, lines[len(texts):]):
        good = not line.startswith(b"error: ")
        accepted += good
        if good != acceptable(raw) or (good and read(raw.decode()) != read(line.decode())):
            sys.exit("wrong:\n%r\n%r" % (raw, line))
    print("%d documents, %d changed ones of which %d were JSON" % (len(texts), len(mutants), accepted))


main(sys.argv[1])
