#!/usr/bin/env python3
"""A gate before a server: what a connection meets with is a word in a file, and may change at any time.

    gate.py CONTROL HOST PORT [HOST PORT]      prints the port it listens on

    pass      everything is handed on to the first address
    other     to the second one
    shut      closed when the client has spoken, as by a broker that restarts behind TLS
    plain     answered in plain text, as by a load balancer that has no server
    silent    accepted, and never answered

Each new word but "silent" cuts the connections there are; under "silent" they stay, and nothing passes.
"""
import socket
import sys
import threading
import time

connections, lock = set(), threading.Lock()


class Control:
    def __init__(self, path):
        self.path, self.word = path, None
        self.look()

    def look(self):
        with open(self.path, encoding='ascii') as file:
            word = file.read().strip()
        if word and word != self.word:
            before, self.word = self.word, word
            if before and word != 'silent':
                cut()


def cut():
    with lock:
        for end in connections:
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        connections.clear()


def forward(source, target, control):
    try:
        while data := source.recv(1 << 16):
            while control.word == 'silent':
                time.sleep(0.05)
            target.sendall(data)
    except OSError:
        pass
    for end in (source, target):
        try:
            end.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


def turn_away(client, answer):
    try:
        client.recv(1 << 12)
        client.sendall(answer)
    except OSError:
        pass
    client.close()


def let_in(client, address, control):
    try:
        server = socket.create_connection(address)
    except OSError:
        client.close()
        return
    with lock:
        connections.update((client, server))
    for source, target in ((client, server), (server, client)):
        threading.Thread(target=forward, args=(source, target, control), daemon=True).start()


def main():
    if len(sys.argv) not in (4, 6):
        sys.exit(__doc__)
    control = Control(sys.argv[1])
    addresses = [(sys.argv[i], int(sys.argv[i + 1])) for i in range(2, len(sys.argv), 2)]
    listener = socket.create_server(('127.0.0.1', 0))
    print(listener.getsockname()[1], flush=True)
    listener.settimeout(0.05)
    held = []
    while True:
        control.look()
        try:
            client, _ = listener.accept()
        except TimeoutError:
            continue
        client.settimeout(None)
        if control.word == 'silent':
            held.append(client)
        elif control.word in ('shut', 'plain'):
            answer = b'HTTP/1.1 503 Service Unavailable\r\n\r\n' if control.word == 'plain' else b''
            threading.Thread(target=turn_away, args=(client, answer), daemon=True).start()
        else:
            let_in(client, addresses[control.word == 'other'], control)


if __name__ == '__main__':
    main()
