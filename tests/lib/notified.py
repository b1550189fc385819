"""What systemd would hear: writes each datagram that comes to a socket as a line.

    notified.py SOCKET FILE
"""
import socket
import sys

listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
listener.bind(sys.argv[1])
with open(sys.argv[2], 'w', encoding='utf-8', buffering=1) as file:
    while True:
        file.write(listener.recv(4096).decode().replace('\n', ' ') + '\n')
