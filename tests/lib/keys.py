"""Presses keys in a real shell, as a person does, and tells what the command line had become when Enter was pressed.

    python3 keys.py SETUP SHELL… <<< "gracecube veri<Tab>"

SETUP is the file that the shell reads first (by `source`); it defines a function `gracecube` that prints <word> for each word, and
says READY. Each line of standard input is typed, <Tab> as the key, and the answer printed: one line, the words.
"""
import os
import pty
import re
import select
import signal
import sys
import time

DEADLINE_S = 60


class Shell:
    def __init__(self, command, setup):
        environment = dict(os.environ, TERM="dumb", COLUMNS="500", LINES="50", HOME=os.getcwd(), LC_ALL="C.UTF-8")
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            os.execvpe(command[0], command, environment)
        self.seen = ""
        self.send(f"source {setup}\n")
        self.wait(r"READY\d+")

    def send(self, keys):
        os.write(self.terminal, keys.encode())

    def read(self, seconds):
        """What the shell writes until it is quiet for so long."""
        while select.select([self.terminal], [], [], seconds)[0]:
            try:
                self.seen += os.read(self.terminal, 65536).decode(errors="replace")
            except OSError:
                sys.exit(f"keys.py: the shell has ended: {self.seen[-500:]!r}")

    def wait(self, pattern):
        end = time.monotonic() + DEADLINE_S
        while not (found := re.search(pattern, self.seen)):
            if time.monotonic() > end:
                sys.exit(f"keys.py: no {pattern} on the screen: {self.seen[-800:]!r}")
            self.read(0.05)
        return found

    def type(self, line):
        """A completion is over when the shell has nothing more to say; what it made of the line is printed by the function."""
        for part in re.split("(<Tab>)", line):
            before = len(self.seen)
            self.send("\t" if part == "<Tab>" else part)
            end = time.monotonic() + DEADLINE_S
            while part and len(self.seen) == before and time.monotonic() < end:
                self.read(0.05)
            self.read(0.4)
        self.seen = ""
        self.send("\n")
        return "".join(self.wait(r"WORDS:((?:<[^>]*>)*):END").group(1))

    def end(self):
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        os.close(self.terminal)


def main(setup, *command):
    shell = Shell(command, setup)
    for line in sys.stdin.read().splitlines():
        print(shell.type(line), flush=True)
    shell.end()


main(*sys.argv[1:])
