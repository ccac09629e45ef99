"""A name server whose names say what it does with them: nx, fail, silent, cut, meta, own, ten, flip … (.test). UDP and TCP, on one
port of the kernel's. Needs Debian's python3-dnslib. And unbound, a real one, in front of static data."""

import socket
import socketserver
import subprocess
import threading
import time

from conftest import quiet_port
from dnslib import AAAA, QTYPE, RCODE, RR, A, DNSRecord


class Names:
    def __init__(self):
        self.asked = {}
        self.address = {"flip": "127.0.0.1"}  # may be changed by a test
        for _ in range(50):
            tcp = socketserver.ThreadingTCPServer(("127.0.0.1", 0), self.handler(True), bind_and_activate=False)
            tcp.allow_reuse_address = True
            tcp.server_bind()
            tcp.server_activate()
            self.port = tcp.server_address[1]
            try:
                udp = socketserver.ThreadingUDPServer(("127.0.0.1", self.port), self.handler(False))
                break
            except OSError:  # the port is another's, for UDP
                tcp.server_close()
        self.servers = [tcp, udp]
        for server in self.servers:
            server.daemon_threads = True
            threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    @property
    def server(self):
        return f"127.0.0.1:{self.port}"

    def close(self):
        for server in self.servers:
            server.shutdown()
            server.server_close()

    def handler(names, tcp):
        class Handler(socketserver.BaseRequestHandler):
            def handle(self):
                if not tcp:
                    reply = names.reply(self.request[0], False)
                    if reply:
                        self.request[1].sendto(reply, self.client_address)
                    return
                size = self.request.recv(2)
                reply = names.reply(self.request.recv(int.from_bytes(size, "big")), True)
                if reply:
                    self.request.sendall(len(reply).to_bytes(2, "big") + reply)

        return Handler

    def reply(self, data, tcp):
        request = DNSRecord.parse(data)
        name = str(request.q.qname).lower()
        label = name.split(".")[0]
        self.asked[label] = self.asked.get(label, 0) + 1
        reply = request.reply()
        four, six = request.q.qtype == QTYPE.A, request.q.qtype == QTYPE.AAAA
        if label == "silent":
            return None
        if label == "nx":
            reply.header.rcode = RCODE.NXDOMAIN
        elif label == "fail":
            reply.header.rcode = RCODE.SERVFAIL
        elif label == "refuse":
            reply.header.rcode = RCODE.REFUSED
        elif label == "garbage":
            return data[:2] + b"\xff" * 30
        elif label == "cut" and not tcp:
            reply.header.tc = 1
        elif label == "alwayscut":
            reply.header.tc = 1
        elif label == "slow":
            time.sleep(0.3)
        addresses = {"meta": ["169.254.169.254"], "own": ["127.0.0.1"], "slow": ["127.0.0.1"], "cut": ["127.0.0.1"], "ten": ["10.1.2.3"],
                     "zero": ["0.0.0.0"], "mixed": ["169.254.169.254", "10.0.0.1"]}
        found = [self.address[label]] if label in self.address else addresses.get(label, [])
        if four:
            for address in found:
                reply.add_answer(RR(name, QTYPE.A, rdata=A(address), ttl=1))
        if six and label == "six":
            reply.add_answer(RR(name, QTYPE.AAAA, rdata=AAAA(tuple(bytes(10) + b"\xff\xff" + bytes([169, 254, 169, 254]))), ttl=1))
        return reply.pack()


class Unbound:
    """With names that are static, refused, never answered."""

    def __init__(self, folder):
        self.port = quiet_port()
        file = folder / "unbound.conf"
        file.write_text(f"""
server:
  interface: 127.0.0.1@{self.port}
  port: {self.port}
  do-daemonize: no
  username: ""
  chroot: ""
  directory: "{folder}"
  pidfile: "{folder}/unbound.pid"
  use-syslog: no
  logfile: "{folder}/unbound.log"
  access-control: 127.0.0.0/8 allow
  module-config: "iterator"
  do-ip6: no
  local-zone: "test." static
  local-data: "own.test. 2 IN A 127.0.0.1"
  local-data: "evil.test. 2 IN A 169.254.169.254"
  local-data: "empty.test. 2 IN TXT nothing"
  local-zone: "refused.test." refuse
  local-zone: "silent.test." deny
remote-control:
  control-enable: no
""")
        self.process = subprocess.Popen(["/usr/sbin/unbound", "-d", "-c", str(file)], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                        stderr=subprocess.DEVNULL)
        query = DNSRecord.question("own.test")
        end = time.monotonic() + 20
        while True:
            try:
                query.send("127.0.0.1", self.port, timeout=0.3)
                break
            except OSError:
                assert self.process.poll() is None and time.monotonic() < end, "unbound does not answer"
                time.sleep(0.02)

    @property
    def server(self):
        return f"127.0.0.1:{self.port}"

    def close(self):
        self.process.terminate()
        self.process.wait()
