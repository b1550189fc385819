#!/usr/bin/env python3
"""A proxy before PostgreSQL that loses answers: it cuts the connection when the server has committed and before the client hears
of it, once every so many commits.

    cut.py SERVER_HOST SERVER_PORT EVERY      prints the port it listens on, then, at the end, how many answers it lost
"""
import signal
import socket
import sys
import threading

COMMITTED = b'C\x00\x00\x00\x0bCOMMIT\x00'  # CommandComplete with the tag COMMIT
lost, seen, lock = 0, 0, threading.Lock()


def is_to_lose(data, every):
    global lost, seen
    with lock:
        commits = data.count(COMMITTED)
        seen += commits
        if not commits or seen % every:
            return False
        lost += 1
        return True


def forward(source, target, every):
    try:
        while data := source.recv(1 << 16):
            if every and is_to_lose(data, every):
                break
            target.sendall(data)
    except OSError:
        pass
    for end in (source, target):
        try:
            end.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


def serve(listener, address, every):
    while True:
        client, _ = listener.accept()
        server = socket.create_connection(address)
        threading.Thread(target=forward, args=(client, server, 0), daemon=True).start()
        threading.Thread(target=forward, args=(server, client, every), daemon=True).start()


def main():
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    listener = socket.create_server(('127.0.0.1', 0))
    print(listener.getsockname()[1], flush=True)
    threading.Thread(target=serve, args=(listener, (sys.argv[1], int(sys.argv[2])), int(sys.argv[3])), daemon=True).start()
    signal.sigwait({signal.SIGTERM})
    print(lost, flush=True)


if __name__ == '__main__':
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    main()
