#!/usr/bin/env python3
"""Verifies an export of Exeat's audit, independently of Exeat: docs/audit-format.md alone says how.

Usage: verify.py EXPORT.jsonl [--now RFC3339]
Prints one JSON object a chain: {"chain", "entries", "faults": [names], "gaps": [names]}.
Exit code: 0 both verdicts hold, 1 something was altered, 2 something is missing, 3 not readable.
"""
import datetime
import hashlib
import json
import re
import sys

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
NEUTRAL = (0, 1, 1, 0)
STALE_MS, EPOCH = 180_000, datetime.datetime(1970, 1, 1)
DURABILITIES = ("Spooled", "Synced", "Acknowledged")
KINDS = {"Genesis", "Restart", "Intent", "Outcome", "Policy", "Rejected", "Heartbeat", "Close"}

def add(a, b):
    """Sum of two points of edwards25519 in extended coordinates (RFC 8032, 5.1.4)."""
    s, t = (a[1] - a[0]) * (b[1] - b[0]) % P, (a[1] + a[0]) * (b[1] + b[0]) % P
    u, v = 2 * a[3] * b[3] * D % P, 2 * a[2] * b[2] % P
    e, f, g, h = t - s, v - u, v + u, t + s
    return (e * f % P, g * h % P, f * g % P, e * h % P)

def times(n, point):
    total = NEUTRAL
    while n:
        if n & 1:
            total = add(total, point)
        point, n = add(point, point), n >> 1
    return total

def equal(a, b):
    return not ((a[0] * b[2] - b[0] * a[2]) % P or (a[1] * b[2] - b[1] * a[2]) % P)

def point(data):
    """The point of 32 bytes, or None; points of small order are None too."""
    sign, y = divmod(int.from_bytes(data, "little"), 1 << 255)
    if y >= P:
        return None
    x2 = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(x2, (P + 3) // 8, P)
    if (x * x - x2) % P:
        x = x * pow(2, (P - 1) // 4, P) % P
    if (x * x - x2) % P or (x == 0 and sign):
        return None
    x = P - x if x & 1 != sign else x
    found = (x, y, 1, x * y % P)
    return None if equal(times(8, found), NEUTRAL) else found

BASE = point((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))

def signed(key, text, signature):
    a, r, s = point(key), point(signature[:32]), int.from_bytes(signature[32:], "little")
    if a is None or r is None or s >= L:
        return False
    h = int.from_bytes(hashlib.sha512(signature[:32] + key + text).digest(), "little") % L
    return equal(times(s, BASE), add(r, times(h, a)))

def digits(text, length):
    return bytes.fromhex(text) if re.fullmatch(f"[0-9a-f]{{{length}}}", text) else None

def millis(text):
    try:
        if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}\.[0-9]{3}Z", text):
            return None
        since = datetime.datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ") - EPOCH
        return since // datetime.timedelta(milliseconds=1)
    except (ValueError, TypeError):
        return None

def link_after(previous, seq, record):
    place = previous + seq.to_bytes(8, "big") + len(record).to_bytes(8, "big")
    return hashlib.sha256(b"exeat.dev/audit/chain/v1\n" + place + record).digest()

def start_of(chain):
    return hashlib.sha256(b"exeat.dev/audit/genesis/v1\n" + chain.encode()).digest()

def number(value, least, most):
    return type(value) is int and least <= value <= most

def form_of_v2(record):
    """Whether the fields that version 2 brought stand where they may, and are of their form."""
    kind, count, until = record["kind"], record.get("count"), record.get("until")
    denied = kind == "Intent" and record.get("effect") == "Deny"
    if denied and (count is not None or until is not None):
        if not number(count, 1, 2**53 - 1) or millis(until) is None:
            return False
    elif until is not None or count is not None and kind != "Rejected":
        return False
    unclean, cut = record.get("unclean", False), record.get("cut")
    if type(unclean) is not bool or cut is not None and not number(cut, 0, 2**64 - 1):
        return False
    if (unclean or cut is not None) and kind != "Restart":
        return False
    if record.get("masked") is not None and kind != "Outcome":
        return False
    durability = record.get("durability")
    return durability is None or kind == "Policy" and durability in DURABILITIES

def read_record(text):
    try:
        record = json.loads(text)
        good = number(record["v"], 1, 2) and record["kind"] in KINDS and len(text.encode()) <= 65536
        good = good and (record["v"] == 1 or form_of_v2(record))
        return record if good and millis(record["time"]) is not None else None
    except (ValueError, TypeError, KeyError):
        return None

class Chain:
    def __init__(self, chain, pinned):
        self.chain, self.pinned, self.heads, self.links = chain, pinned, [], {}
        self.previous, self.expected, self.missing, self.entries = start_of(chain), 0, set(), 0
        self.faults, self.gaps, self.open, self.closed, self.last = [], [], {}, False, None

    def push(self, entry):
        seq, text, self.entries = entry["seq"], entry["record"], self.entries + 1
        if seq < self.expected:
            self.faults.append("reordered" if seq in self.missing else "duplicated")
            return self.missing.discard(seq)
        if seq > self.expected:
            if seq - self.expected > 1_000_000:
                raise ValueError("a gap of more than a million entries")
            self.missing.update(range(self.expected, seq))
            self.previous = None
        self.expected = seq + 1
        record, stated = read_record(text), digits(entry["link"], 64)
        genesis = (record or {}).get("genesis") or {}
        if stated is None:
            self.faults.append("malformed")
        elif self.previous and link_after(self.previous, seq, text.encode()) != stated:
            owner = start_of(genesis.get("podUid", ""))
            foreign = link_after(owner, seq, text.encode()) == stated
            self.faults.append("swapped" if seq == 0 and foreign else "edited")
        self.previous = self.links[seq] = stated
        if record is None:
            return self.faults.append("malformed")
        until = record.get("until") if record["v"] > 1 else None
        self.last = millis(until or record["time"])
        if (record["kind"] == "Genesis") != (seq == 0):
            self.faults.append("misplaced-genesis")
        if seq == 0 and genesis:
            if genesis["podUid"] != self.chain and "swapped" not in self.faults:
                self.faults.append("swapped")
            if genesis["publicKey"] != self.pinned:
                self.faults.append("key-changed")
        if self.closed and record["kind"] != "Restart":
            self.gaps.append("after-close")
        self.closed = record["kind"] == "Close"
        self.intents(record)

    def intents(self, record):
        kind, number = record["kind"], record.get("id")
        if kind == "Restart":
            self.gaps += ["interrupted"] * len(self.open)
            self.open = {}
        elif kind not in ("Intent", "Outcome") or record.get("action") == "network.dns":
            return
        elif kind == "Outcome" and self.open.pop(number, None) is None:
            self.gaps.append("no-intent")
        elif kind == "Intent" and record.get("effect") != "Deny":
            if number is None or number in self.open:
                self.gaps.append("ambiguous-intent")
            self.open.update({} if number is None else {number: True})

    def finish(self, now):
        newest, end = None, self.expected - 1
        self.faults += ["dropped"] * bool(self.missing) + ["empty"] * (end < 0)
        self.faults += ["no-head"] * (not self.heads and end >= 0)
        for head in self.heads:
            text = f"exeat.dev/audit/head/v1\n{head['chain']}\n{head['seq']}\n"
            text = f"{text}{head['link']}\n{head['time']}\n\n".encode()
            key, signature = digits(self.pinned, 64), digits(head["signature"].lower(), 128)
            if head["chain"] != self.chain:
                self.faults.append("swapped")
            elif not (key and signature and millis(head["time"]) and signed(key, text, signature)):
                self.faults.append("bad-signature")
            else:
                if head["seq"] > end:
                    self.faults.append("cut-tail")
                elif self.links.get(head["seq"]) not in (None, digits(head["link"], 64)):
                    self.faults.append("rewritten")
                newest = max(newest or (0, ""), (head["seq"], head["time"]))
        self.faults += ["unsigned"] * bool(newest and newest[0] < end)
        alive = max(self.last or 0, millis(newest[1]) if newest else 0)
        if not self.closed and now - alive > STALE_MS:
            self.gaps.append("no-end")
        if self.closed or now - alive > STALE_MS:
            self.gaps += ["no-outcome"] * len(self.open)
        return {"chain": self.chain, "entries": self.entries,
                "faults": sorted(set(self.faults)), "gaps": sorted(set(self.gaps))}

def read(path, now):
    chains, chain = {}, None
    with open(path, encoding="utf-8") as source:
        for number, line in enumerate(source):
            value = json.loads(line)
            if (value["type"] == "export") != (number == 0) or value.get("version", 1) != 1:
                raise ValueError(f"line {number + 1}: not in place, or of another version")
            if value["type"] == "export":
                now = now or value["time"]
            elif value["type"] == "chain":
                if value["chain"] in chains:
                    raise ValueError(f"line {number + 1}: the chain comes twice")
                chain = chains[value["chain"]] = Chain(value["chain"], value["publicKey"])
            elif value["type"] == "head":
                chain.heads.append(value["head"])
            else:
                chain.push(value)
    return [chain.finish(millis(now)) for chain in chains.values()]

if __name__ == "__main__":
    try:
        reports = read(sys.argv[1], sys.argv[3] if sys.argv[2:3] == ["--now"] else None)
    except (OSError, ValueError, TypeError, KeyError, AttributeError, IndexError) as error:
        sys.exit((print(f"not readable: {error!r}", file=sys.stderr), 3)[1])
    print("\n".join(json.dumps(report) for report in reports))
    altered, missing = (any(report[it] for report in reports) for it in ("faults", "gaps"))
    sys.exit(1 if altered else 2 if missing else 0)
