"""Keeps a connection to an echo server open while the policy changes around it.

The first change allows https://data.example, which tells this program of it; the second denies
the connection. Prints {"before": echoes, "after": echoes, "end": why it ended}."""
import json
import socket
import subprocess
import sys
import time

HOST, PORT = json.loads(sys.argv[1])
counts = {"before": 0, "after": 0, "end": "not within 25 s"}
changed = False
stream = socket.create_connection((HOST, PORT), timeout=5)
deadline = time.time() + 25
try:
    while time.time() < deadline:
        stream.sendall(b"\0still here\n")
        if not stream.recv(100):
            counts["end"] = "closed"
            break
        counts["after" if changed else "before"] += 1
        if not changed:
            asked = subprocess.run(["curl", "-sf", "-m", "2", "-o", "/dev/null", "https://data.example/"])
            changed = asked.returncode == 0
        time.sleep(0.1)
except OSError as error:
    counts["end"] = type(error).__name__
print(json.dumps(counts))
