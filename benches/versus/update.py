#!/usr/bin/env python3
"""How long one change takes until it is served, while queries run: see ../README.md.

  update.py [--world 10k|100k|1m] [--only gazetteer|bind|knot|gdnsd|nsd] [--count N] [--rate QPS]

gazetteer's change comes as an event of a Kubernetes watch, from an API server in this process, and
is timed from the moment that the event is written. BIND and Knot take a dynamic update (RFC 2136);
gdnsd and NSD, which have none, a rewritten zone file and a reload.
"""
import argparse
import os
import re
import shutil
import signal
import socket
import statistics
import struct
import subprocess
import sys
import time

import running
from api import Api

APEX = "fed.example"

def wire(name):
    """A name in wire form."""
    return b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0"


def served(port, name, address, begin, limit):
    """Milliseconds from `begin` until an answer has the address."""
    wanted = socket.inet_aton(address)
    query = struct.pack(">HHHHHH", 7, 0, 1, 0, 0, 0) + wire(name) + struct.pack(">HH", 1, 1)
    with socket.socket(type=socket.SOCK_DGRAM) as udp:
        udp.connect(("127.0.0.1", port))
        udp.settimeout(0.2)
        while time.perf_counter() - begin < limit:
            try:
                udp.send(query)
                if wanted in udp.recv(4096):
                    return (time.perf_counter() - begin) * 1e3
            except OSError:
                pass
    return float("inf")


def dynamic_update(port, name, address):
    """Sends a dynamic update and returns when."""
    body = wire(name) + struct.pack(">HHIH", 1, 255, 0, 0)
    body += wire(name) + struct.pack(">HHIH", 1, 1, 30, 4) + socket.inet_aton(address)
    message = struct.pack(">HHHHHH", 9, 0x2800, 1, 0, 2, 0) + wire(APEX) + struct.pack(">HH", 6, 1) + body
    with socket.socket(type=socket.SOCK_DGRAM) as udp:
        udp.connect(("127.0.0.1", port))
        begin = time.perf_counter()
        udp.send(message)
        return begin


def rewrite(server, number, name, address):
    """Rewrites the zone with another address and reloads; returns when the reload was asked for."""
    folder = running.work("run", server["name"])
    path = os.path.join(folder, "zones", APEX) if server["name"] == "gdnsd" else os.path.join(folder, "zone")
    text = open(path).read()
    text = re.sub(r"hostmaster\.fed\.example\. \d+ ", f"hostmaster.fed.example. {number + 2} ", text, count=1)
    owner = name.removesuffix("." + APEX)
    text = re.sub(rf"^{re.escape(owner)} A .*$", f"{owner} A {address}", text, count=1, flags=re.M)
    with open(path + ".new", "w") as file:
        file.write(text)
    # gdnsd takes a file only once its time stamp differs.
    os.utime(path + ".new", (time.time() + 5 * number + 5,) * 2)
    os.rename(path + ".new", path)
    command = ["gdnsdctl", "-c", folder, "reload-zones"] if server["name"] == "gdnsd" else \
        ["nsd-control", "-c", os.path.join(folder, "nsd.conf"), "reload", APEX]
    begin = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return begin


def prepare(server, world):
    """Lets a server take changes."""
    def replace(old, new):
        for path, text in server["files"].items():
            server["files"][path] = text.replace(old, new)
    if server["name"] == "gazetteer":
        api = Api([("shop", "web")])
        api.configure(server)
        return api
    if server["name"] == "knot":
        replace("zone:\n  - domain: fed.example\n",
                "acl:\n  - id: update\n    address: 127.0.0.1\n    action: update\nzone:\n"
                "  - domain: fed.example\n    acl: update\n    serial-policy: increment\n")
    copy = {"bind": "@RUN@/zone", "nsd": "@RUN@/zone", "gdnsd": f"@RUN@/zones/{APEX}"}.get(server["name"])
    if copy is not None:
        server.pop("links", None)
        server["copies"] = {running.fill(copy, server, world): running.work("worlds", world, "zone")}
        replace('file "@WORLD@/zone";', f'file "{copy}"; allow-update {{ 127.0.0.1; }};')
        replace("zonefile: zone", f"zonefile: {copy}")
        replace("control-enable: no", "control-enable: yes\n    control-interface: @RUN@/control")
    return None


def background(server, options):
    """Queries at a fixed rate while changes are made."""
    return running.launch(
        0, [os.path.join(running.programs()["@BIN@"], "load"), "--port", str(server["port"]),
         "--queries", running.work("worlds", options.world, "queries-mix"), "--expect", "some",
         "--secs", "3600", "--rate", str(options.rate)], stdout=subprocess.DEVNULL)


def measure(server, options):
    """The times of one server."""
    api = prepare(server, options.world)
    for target, source in server.get("copies", {}).items():
        shutil.rmtree(running.work("run", server["name"]), ignore_errors=True)
        os.makedirs(os.path.dirname(target))
        shutil.copyfile(source, target)
    if not running.start(server, options.world, fresh="copies" not in server):
        return
    queries = background(server, options)
    try:
        time.sleep(1)
        slow = server["name"] in ("gdnsd", "nsd")
        count = min(options.count, 3) if slow else options.count
        times = []
        for number in range(count):
            address = f"198.51.100.{number % 250 + 1}"
            if api is not None:
                name = f"web.shop.fed.svc.{APEX}"
                served(server["port"], name, api.addresses["shop", "web"], time.perf_counter(), 30)
                time.sleep(0.05)
                begin = api.change(("shop", "web"), address)
            else:
                name = f"svc{number:07}.ns{number % 97}.fed.svc.{APEX}"
                begin = rewrite(server, number, name, address) if slow else \
                    dynamic_update(server["port"], name, address)
            times.append(served(server["port"], name, address, begin, 120))
        times.sort()
        print(f"| {server['name']} | {options.world} | {statistics.median(times):.2f} | {times[0]:.2f} "
              f"| {times[-1]:.2f} | {len(times)} |", flush=True)
    finally:
        queries.terminate()
        queries.wait()
        running.stop(server)


def main():
    """Reads the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--world", default="10k", choices=running.WORLDS)
    parser.add_argument("--only", default="^(gazetteer|bind|knot|gdnsd|nsd)$")
    parser.add_argument("--count", type=int, default=100, help="changes; 3 for a reload")
    parser.add_argument("--rate", type=int, default=2000, help="queries per second meanwhile")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    print("| server | world | median ms | least | most | changes |\n|---|---|---|---|---|---|", flush=True)
    for server in running.servers(options.only, options.world):
        measure(server, options)


if __name__ == "__main__":
    main()
