#!/usr/bin/env python3
"""How long one change takes until it is served, while queries run: see ../README.md.

  update.py [--world 10k|100k|1m] [--only gazetteer|bind|knot|gdnsd|nsd] [--count N] [--rate QPS]

gazetteer's change comes as an event of a Kubernetes watch, from an API server in this process, and
is timed from the moment that the event is written. BIND and Knot take a dynamic update (RFC 2136);
gdnsd and NSD, which have none, a rewritten zone file and a reload.
"""
import argparse
import json
import os
import re
import shutil
import socket
import socketserver
import statistics
import struct
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler

import running

APEX = "fed.example"
MEMBER = """
[[member]]
name = "changing"
region = "us-central1"
zones = ["us-central1-a"]
source = { kubeconfig = "@RUN@/kubeconfig", context = "changing" }
"""


# -- a Kubernetes API of one service

class Api(socketserver.ThreadingMixIn, socketserver.TCPServer):
    """Lists and watches of one service, its endpoints and a node."""
    daemon_threads = True
    allow_reuse_address = True

    def __init__(self):
        """Listens on a free port."""
        super().__init__(("127.0.0.1", 0), Replies)
        self.version = 100
        self.address = "192.0.2.1"
        self.streams = []
        threading.Thread(target=self.serve_forever, daemon=True).start()

    def service(self):
        """The service as it is now."""
        return {
            "metadata": {"namespace": "shop", "name": "web", "uid": "u1", "resourceVersion": str(self.version),
                         "annotations": {"gazetteer.dev/export": "true"}},
            "spec": {"type": "LoadBalancer", "ports": [{"name": "http", "port": 80}]},
            "status": {"loadBalancer": {"ingress": [{"ip": self.address}]}},
        }

    def items(self, kind):
        """The objects of a kind."""
        labels = {"kubernetes.io/service-name": "web"}
        place = {"topology.kubernetes.io/region": "us-central1", "topology.kubernetes.io/zone": "us-central1-a"}
        return {
            "services": [self.service()],
            "endpointslices": [{
                "metadata": {"namespace": "shop", "name": "web-1", "uid": "u2", "resourceVersion": "90", "labels": labels},
                "addressType": "IPv4", "endpoints": [{"addresses": ["10.1.0.1"], "conditions": {"ready": True}}],
                "ports": [{"name": "http", "port": 80}]}],
            "nodes": [{"metadata": {"name": "n1", "uid": "u3", "resourceVersion": "90", "labels": place}}],
        }.get(kind, [])

    def change(self, address):
        """Changes the address and tells every watch; returns when the event was written."""
        self.version += 1
        self.address = address
        event = {"type": "MODIFIED", "object": {"kind": "Service", "apiVersion": "v1"} | self.service()}
        for stream in self.streams:
            stream.chunk(event)
        return time.perf_counter()


class Replies(BaseHTTPRequestHandler):
    """One connection."""
    protocol_version = "HTTP/1.1"
    wbufsize = 0

    def log_message(self, *_):
        """Says nothing."""

    def chunk(self, event):
        """Writes one event of a watch."""
        text = json.dumps(event).encode() + b"\n"
        self.wfile.write(b"%x\r\n%s\r\n" % (len(text), text))

    def whole(self, value, code=200):
        """Writes a whole reply."""
        text = value.encode() if isinstance(value, str) else json.dumps(value).encode()
        self.send_response(code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def do_GET(self):  # pylint: disable=invalid-name
        """Answers."""
        path, _, query = self.path.partition("?")
        kind = path.rsplit("/", 1)[1]
        api = self.server
        if path == "/readyz":
            return self.whole("ok")
        if path == "/version":
            return self.whole({"major": "1", "minor": "33", "gitVersion": "v1.33.1"})
        if path.endswith("/namespaces/kube-system"):
            return self.whole({"kind": "Namespace", "apiVersion": "v1", "metadata": {"name": "kube-system", "uid": "k"}})
        if not api.items(kind):
            return self.whole({"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "NotFound", "code": 404}, 404)
        if "sendInitialEvents=true" in query:
            return self.whole({"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "Invalid", "code": 422,
                               "message": "sendInitialEvents is forbidden"}, 422)
        if "watch=" not in query:
            single = {"services": "Service", "endpointslices": "EndpointSlice", "nodes": "Node"}[kind]
            group = "discovery.k8s.io/v1" if kind == "endpointslices" else "v1"
            return self.whole({"kind": f"{single}List", "apiVersion": group,
                               "metadata": {"resourceVersion": str(api.version)}, "items": api.items(kind)})
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        if kind == "services":
            self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            api.streams.append(self)
        threading.Event().wait()
        return None


# -- changes

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
        api = Api()
        folder = running.work("kubernetes")
        os.makedirs(folder, exist_ok=True)
        config = {"apiVersion": "v1", "kind": "Config", "current-context": "changing",
                  "clusters": [{"name": "c", "cluster": {"server": f"http://127.0.0.1:{api.server_address[1]}"}}],
                  "users": [{"name": "u", "user": {}}],
                  "contexts": [{"name": "changing", "context": {"cluster": "c", "user": "u"}}]}
        with open(os.path.join(folder, "kubeconfig"), "w") as file:
            json.dump(config, file)
        for path in list(server["files"]):
            server["files"][path] += MEMBER.replace("@RUN@", folder)
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
    return subprocess.Popen(
        ["taskset", "-c", "0", os.path.join(running.programs()["@BIN@"], "load"), "--port", str(server["port"]),
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
                served(server["port"], name, api.address, time.perf_counter(), 30)
                time.sleep(0.05)
                begin = api.change(address)
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
    print("| server | world | median ms | least | most | changes |\n|---|---|---|---|---|---|", flush=True)
    for server in running.servers(options.only, options.world):
        measure(server, options)


if __name__ == "__main__":
    main()
