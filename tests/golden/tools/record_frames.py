#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Stands between a client and a broker and writes down what the broker answers, for replaying.

    record_frames.py LISTEN_PORT BROKER_PORT CASE_FILE OUT_DIR

Each line of OUT_DIR/CASE.frames is an answer: API key, version, the frame behind the correlation id
in hex. CASE is what CASE_FILE holds when the connection begins. The broker has to advertise
LISTEN_PORT (advertised.listeners). Ends with the first SIGTERM.
"""

import pathlib
import socket
import struct
import sys
import threading

listen_port, broker_port, case_file, out_dir = sys.argv[1:5]
lock = threading.Lock()


def read_exactly(conn, size):
    data = b''
    while len(data) < size:
        try:
            piece = conn.recv(size - len(data))
        except OSError:
            return None
        if not piece:
            return None
        data += piece
    return data


def read_frame(conn):
    size = read_exactly(conn, 4)
    return read_exactly(conn, struct.unpack('>i', size)[0]) if size else None


def answers(broker, client, asked, path):
    while (frame := read_frame(broker)) is not None:
        key, version = asked[struct.unpack('>i', frame[:4])[0]]
        with lock, path.open('a') as out:
            out.write(f'{key} {version} {frame[4:].hex()}\n')
        client.sendall(struct.pack('>i', len(frame)) + frame)


def serve(client):
    path = pathlib.Path(out_dir) / (pathlib.Path(case_file).read_text().strip() + '.frames')
    broker = socket.create_connection(('127.0.0.1', int(broker_port)))
    asked = {}
    threading.Thread(target=answers, args=(broker, client, asked, path), daemon=True).start()
    while (frame := read_frame(client)) is not None:
        key, version, correlation = struct.unpack('>hhi', frame[:8])
        asked[correlation] = (key, version)
        broker.sendall(struct.pack('>i', len(frame)) + frame)
    broker.close()


listener = socket.create_server(('127.0.0.1', int(listen_port)))
while True:
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
