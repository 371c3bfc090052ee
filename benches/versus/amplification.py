#!/usr/bin/env python3
"""How many octets leave a signed zone for each that came: see ../README.md. The world `10k` has to be there.

  amplification.py [--only RE] [--secs 10] [--rate 5000]

For each server, all with rate limits of 200 a second and half of the rest truncated: the query that is answered with
most octets for its own, and what a storm of such queries brings that seems to come from one victim. Knot and NSD have
the static zone of the world, signed by ldns-signzone.
"""
import argparse
import os
import random
import shutil
import socket
import subprocess
import time

from running import FIRST, servers, signed_query, start, stop, wire, work

WORLD = "10k"
ZONE = "fed.example"
VICTIM = "127.9.9.9"
TYPES = {"A": 1, "NS": 2, "SOA": 6, "MX": 15, "TXT": 16, "AAAA": 28, "SRV": 33, "DS": 43, "RRSIG": 46, "NSEC": 47, "DNSKEY": 48,
         "CDS": 59, "ANY": 255}


def kinds():
    """What is asked: names of all kinds, each with all types."""
    names = [ZONE, FIRST, "_http._tcp." + FIRST, "svc." + ZONE, "nope." + ZONE, "nope." + FIRST]
    return [(name, rrtype) for name in names for rrtype in TYPES]


def signed_zone():
    """The zone of the world, signed; made once."""
    folder = work("amplification")
    made = os.path.join(folder, "zone.signed")
    if not os.path.exists(made):
        shutil.rmtree(folder, ignore_errors=True)
        os.makedirs(folder)
        shutil.copy(work("worlds", WORLD, "zone"), os.path.join(folder, "zone"))
        key = subprocess.run(["ldns-keygen", "-a", "ECDSAP256SHA256", "-k", "-r", "/dev/urandom", ZONE], cwd=folder, check=True, capture_output=True, text=True)
        subprocess.run(["ldns-signzone", "-o", ZONE, "zone", key.stdout.strip()], cwd=folder, check=True)
    return made


def limited(only):
    """The servers, signed and with limits."""
    zone = signed_zone()
    changes = {
        "gazetteer-signed": [("[dnssec]\n", "[rate-limit]\nexempt = []\n[dnssec]\n")],
        "knot": [("file: @WORLD@/zone\n", f"file: {zone}\n    module: mod-rrl/limit\n"),
                 ("zone:\n", "mod-rrl:\n  - id: limit\n    rate-limit: 200\n    slip: 2\nzone:\n")],
        "nsd": [("rrl-ratelimit: 0", "rrl-ratelimit: 200"), ("zonefile: zone", f"zonefile: {zone}")],
    }
    for name, pairs in changes.items():
        for server in servers(f"^{name}$", WORLD) if only in name else []:
            for path in server["files"]:
                for old, new in pairs:
                    server["files"][path] = server["files"][path].replace(old, new, 1)
            yield server


def query(name, rrtype):
    """A query with DO and a size of 4,096 octets."""
    return signed_query(wire(name), TYPES[rrtype], random.randrange(65536), 4096)


def ask(client, port, packet):
    """The octets of the answer; 0 for none."""
    client.sendto(packet, ("127.0.0.1", port))
    try:
        return len(client.recv(65535))
    except OSError:
        return 0


def worst(port):
    """The query that is answered with most octets for its own: each asked until it has an answer of its full size."""
    found = (0, None, 0, 0)
    for number, (name, rrtype) in enumerate(kinds()):
        with socket.socket(type=socket.SOCK_DGRAM) as client:
            client.settimeout(1)
            # Of a network of its own, so that nothing is limited yet.
            client.bind((f"127.20.{number}.1", 0))
            packet = query(name, rrtype)
            size = max(ask(client, port, packet) for _ in range(3))
        found = max(found, (size / len(packet), f"{name} {rrtype}", len(packet), size))
    return found


def storm(port, options):
    """Octets sent and received, and answers, of a storm from one address."""
    packets = [query(name, rrtype) for name, rrtype in kinds()]
    sent = received = answers = asked = 0
    with socket.socket(type=socket.SOCK_DGRAM) as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
        client.bind((VICTIM, 0))
        client.setblocking(False)
        begin = time.monotonic()
        while (now := time.monotonic() - begin) < options.secs + 0.5:
            while now < options.secs and asked < now * options.rate:
                packet = random.choice(packets)
                client.sendto(packet, ("127.0.0.1", port))
                asked, sent = asked + 1, sent + len(packet)
            try:
                while True:
                    received, answers = received + len(client.recv(65535)), answers + 1
            except BlockingIOError:
                time.sleep(0.0005)
    return asked, sent, answers, received


def main():
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="servers whose names have this in them")
    parser.add_argument("--secs", type=float, default=10, help="of the storm")
    parser.add_argument("--rate", type=float, default=5000, help="queries a second of the storm")
    options = parser.parse_args()
    print("| server | worst query | octets in | out | × | queries of the storm | answers | octets in | out | × |\n|---|---|---|---|---|---|---|---|---|---|", flush=True)
    for server in limited(options.only):
        if not start(server, WORLD):
            continue
        try:
            ratio, what, length, size = worst(server["port"])
            asked, sent, answers, received = storm(server["port"], options)
            print(f"| {server['name']} | {what} | {length} | {size} | {ratio:.1f} | {asked:,} | {answers:,} | {sent:,} | {received:,} | {received / sent:.2f} |", flush=True)
        finally:
            stop(server)


if __name__ == "__main__":
    main()
