"""Stands in for Loki: takes pushes over mutual TLS and writes each entry as a line of JSON. Usage: loki.py PORT FILE"""

import json
import ssl
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

TLS = "/etc/tandem/tls"


def unsnap(data):
    """Snappy's block format: a length, then literals and copies of what is already there."""
    length, at = varint(data, 0)
    out = bytearray()
    while at < len(data):
        tag = data[at]
        at += 1
        kind = tag & 3
        if kind == 0:
            size = tag >> 2
            if size >= 60:
                more = size - 59
                size = int.from_bytes(data[at : at + more], "little")
                at += more
            out += data[at : at + size + 1]
            at += size + 1
            continue
        if kind == 1:
            size, offset = ((tag >> 2) & 7) + 4, (tag >> 5) << 8 | data[at]
            at += 1
        else:
            wide = 2 if kind == 2 else 4
            size, offset = (tag >> 2) + 1, int.from_bytes(data[at : at + wide], "little")
            at += wide
        for _ in range(size):
            out.append(out[-offset])
    if len(out) != length:
        raise ValueError("not what its length says")
    return bytes(out)


def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            return value, at


def fields(data):
    """Number and value of each field of a protobuf message: whole numbers and bytes only."""
    at = 0
    while at < len(data):
        key, at = varint(data, at)
        if key & 7 == 0:
            value, at = varint(data, at)
        elif key & 7 == 1:
            value, at = data[at : at + 8], at + 8
        else:
            size, at = varint(data, at)
            value, at = data[at : at + size], at + size
        yield key >> 3, value


def entries(body):
    """What a push has, as Loki's push API describes it."""
    for _, stream in fields(unsnap(body)):
        parts = list(fields(stream))
        labels = next(value.decode() for number, value in parts if number == 1)
        for number, entry in parts:
            if number == 2:
                yield {"labels": labels, **read(entry)}


def read(entry):
    found = {"line": "", "metadata": {}}
    for number, value in fields(entry):
        if number == 1:
            time = dict(fields(value))
            found["time"] = time.get(1, 0) * 10**9 + time.get(2, 0)
        elif number == 2:
            found["line"] = value.decode()
        elif number == 3:
            pair = dict(fields(value))
            found["metadata"][pair[1].decode()] = pair[2].decode()
    return found


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        subject = dict(part[0] for part in self.connection.getpeercert()["subject"])
        with Path(sys.argv[2]).open("a") as file:
            for entry in entries(body):
                file.write(json.dumps({"from": subject["commonName"], **entry}) + "\n")
        self.send_response(204 if self.path == "/loki/api/v1/push" else 404)
        self.end_headers()

    def log_message(self, *_):
        pass


context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=f"{TLS}/ca.pem")
context.minimum_version = ssl.TLSVersion.TLSv1_3
context.verify_mode = ssl.CERT_REQUIRED
context.load_cert_chain(f"{TLS}/loki/certificate.pem", f"{TLS}/loki/key.pem")
server = ThreadingHTTPServer(("0.0.0.0", int(sys.argv[1])), Handler)
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
