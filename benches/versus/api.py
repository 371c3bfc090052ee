"""A Kubernetes API of one member: lists and watches of its services, which can change and go away."""
import json
import os
import socket
import socketserver
import threading
import time
from http.server import BaseHTTPRequestHandler

import running

MEMBER = """
[[member]]
name = "changing"
region = "us-central1"
zones = ["us-central1-a"]
source = { kubeconfig = "@RUN@/kubeconfig", context = "changing" }
"""
KINDS = {"services": ("Service", "v1"), "endpointslices": ("EndpointSlice", "discovery.k8s.io/v1"), "nodes": ("Node", "v1")}


class Server(socketserver.ThreadingMixIn, socketserver.TCPServer):
    """Listens for the daemon."""
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 64

    def handle_error(self, request, client_address):
        """Says nothing of connections that were broken."""


class Api:
    """A member with some services, all of the same address at first."""

    def __init__(self, services):
        """Listens on a free port. `services` are pairs of namespace and name."""
        self.services = services
        self.addresses = dict.fromkeys(services, "192.0.2.1")
        self.version = 100
        self.streams, self.connections = [], []
        self.server, self.port = None, 0
        self.up()

    def up(self):
        """Takes connections, on the same port each time."""
        self.server = Server(("127.0.0.1", self.port), Replies)
        self.server.api, self.port = self, self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def down(self):
        """Is gone: takes no connection, and breaks those there are."""
        self.server.shutdown()
        self.server.server_close()
        for connection in self.connections:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        self.streams, self.connections = [], []

    def configure(self, server):
        """Makes a gazetteer of servers.toml have this member too."""
        folder = running.work("kubernetes")
        os.makedirs(folder, exist_ok=True)
        config = {"apiVersion": "v1", "kind": "Config", "current-context": "changing",
                  "clusters": [{"name": "c", "cluster": {"server": f"http://127.0.0.1:{self.port}"}}],
                  "users": [{"name": "u", "user": {}}],
                  "contexts": [{"name": "changing", "context": {"cluster": "c", "user": "u"}}]}
        with open(os.path.join(folder, "kubeconfig"), "w") as file:
            json.dump(config, file)
        for path in list(server["files"]):
            server["files"][path] += MEMBER.replace("@RUN@", folder)

    def service(self, key):
        """A service as it is now."""
        return {
            "metadata": {"namespace": key[0], "name": key[1], "uid": f"s-{key[1]}", "resourceVersion": str(self.version),
                         "annotations": {"gazetteer.dev/export": "true"}},
            "spec": {"type": "LoadBalancer", "ports": [{"name": "http", "port": 8080}]},
            "status": {"loadBalancer": {"ingress": [{"ip": self.addresses[key]}, {"ip": "2001:db8:ffff::1"}]}},
        }

    def items(self, kind):
        """The objects of a kind."""
        if kind == "services":
            return [self.service(key) for key in self.services]
        if kind == "endpointslices":
            return [{
                "metadata": {"namespace": namespace, "name": f"{name}-1", "uid": f"e-{name}", "resourceVersion": "90",
                             "labels": {"kubernetes.io/service-name": name}},
                "addressType": "IPv4", "endpoints": [{"addresses": ["10.1.0.1"], "conditions": {"ready": True}}],
                "ports": [{"name": "http", "port": 8080}]} for namespace, name in self.services]
        place = {"topology.kubernetes.io/region": "us-central1", "topology.kubernetes.io/zone": "us-central1-a"}
        return [{"metadata": {"name": "n1", "uid": "u3", "resourceVersion": "90", "labels": place}}]

    def listed(self, kind):
        """The list of a kind, as text."""
        single, group = KINDS[kind]
        return json.dumps({"kind": f"{single}List", "apiVersion": group,
                           "metadata": {"resourceVersion": str(self.version)}, "items": self.items(kind)})

    def event(self, key, address):
        """The event of a change of address."""
        self.version += 1
        self.addresses[key] = address
        return {"type": "MODIFIED", "object": {"kind": "Service", "apiVersion": "v1"} | self.service(key)}

    def change(self, key, address):
        """Changes an address and tells every watch; returns when the event was written."""
        event = self.event(key, address)
        for stream in self.streams:
            stream.chunk(event)
        return time.perf_counter()


class Replies(BaseHTTPRequestHandler):
    """One connection."""
    protocol_version = "HTTP/1.1"
    wbufsize = 0

    def log_message(self, *_):
        """Says nothing."""

    def setup(self):
        """Counts as a connection that can be broken."""
        super().setup()
        self.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.server.api.connections.append(self.connection)

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

    def refuse(self, reason, code, message=""):
        """Refuses a request as an API server does."""
        self.whole({"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": reason, "code": code,
                    "message": message}, code)

    def do_GET(self):  # pylint: disable=invalid-name
        """Answers."""
        path, _, query = self.path.partition("?")
        kind = path.rsplit("/", 1)[1]
        api = self.server.api
        if path == "/readyz":
            self.whole("ok")
        elif path == "/version":
            self.whole({"major": "1", "minor": "33", "gitVersion": "v1.33.1"})
        elif path.endswith("/namespaces/kube-system"):
            self.whole({"kind": "Namespace", "apiVersion": "v1", "metadata": {"name": "kube-system", "uid": "k"}})
        elif kind not in KINDS:
            self.refuse("NotFound", 404)
        elif "sendInitialEvents=true" in query:
            self.refuse("Invalid", 422, "sendInitialEvents is forbidden")
        elif "watch=" in query:
            self.watch(api, kind)
        else:
            self.whole(api.listed(kind))

    def watch(self, api, kind):
        """Begins a watch, and stays until it breaks."""
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        if kind == "services":
            api.streams.append(self)
        self.close_connection = True
        try:
            self.connection.recv(1)
        except OSError:
            pass
        if self in api.streams:
            api.streams.remove(self)
