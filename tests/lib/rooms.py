#!/usr/bin/env python3
"""Who may include whom: the rooms of the tree, the walls that libraries end at, and no circle among files.

    rooms.py ROOT

The order below is the way down: a room may include itself and what stands after the colon, and nothing else of ours.
"""
import os
import re
import sys

ROOMS = {
    'consumers/cli': 'consumers/service consumers/worker consumers/kafka sinks/http sinks/postgres config transforms include',
    'consumers/service': 'consumers/worker consumers/kafka include',
    'consumers/worker': 'consumers/kafka include',
    'consumers/kafka': 'include',
    'sinks/http/server': 'sinks/http/api sinks/postgres include',
    'sinks/http/api': 'include',
    'sinks/postgres': 'include',
    'config/registry': 'config include',
    'config': 'include',
    'transforms/streams': 'transforms transforms/rules include',
    'transforms/rules': 'transforms include',
    'transforms': 'include',
    'transforms/base': 'include',
    'include': '',
}
# A library, and the only places that may know it.
WALLS = {
    r'librdkafka/': ('consumers/',),
    r'(libpq|postgres)': ('sinks/postgres', 'sinks/http', 'consumers/cli/version.c'),
    r'jansson': ('consumers/', 'sinks/http', 'config/registry'),
    r'microhttpd': ('consumers/cli/version.c', 'consumers/service', 'sinks/http/server'),
    r'yaml': ('config', 'consumers/cli/version.c'),
    r'(cmocka)': ('tests/',),
}
# Files without a library that their room knows.
WITHOUT = {'consumers/worker/pipeline.c': 'librdkafka', 'consumers/worker/pipeline.h': 'librdkafka'}


def sources(root):
    for top in ('consumers', 'transforms', 'sinks', 'include', 'config'):
        for folder, _, names in os.walk(os.path.join(root, top)):
            for name in names:
                if name.endswith(('.c', '.h')):
                    yield os.path.relpath(os.path.join(folder, name), root)


def room_of(path):
    return next((room for room in sorted(ROOMS, key=len, reverse=True) if path.startswith(room + '/')), None)


def find(path, name, files):
    """The file of ours that an #include means; None for a library's."""
    for base in (os.path.dirname(path), 'consumers', 'sinks', 'transforms', 'include', 'config'):
        candidate = os.path.normpath(os.path.join(base, name))
        if candidate in files:
            return candidate
    return None


def circles(includes):
    """Each circle once, as the files on it."""
    done, path = set(), []

    def visit(file):
        if file in path:
            yield path[path.index(file):] + [file]
            return
        if file in done:
            return
        path.append(file)
        for other in includes[file]:
            yield from visit(other)
        path.pop()
        done.add(file)

    for file in includes:
        yield from visit(file)


def reach(file, includes, seen):
    seen.add(file)
    for other in includes[file]:
        if other not in seen:
            reach(other, includes, seen)
    return seen


def main(root):
    files = sorted(sources(root))
    includes, libraries, faults = {}, {}, []
    for file in files:
        with open(os.path.join(root, file), encoding='utf-8') as text:
            names = re.findall(r'^#include ["<]([^">]+)[">]', text.read(), re.M)
        found = [(name, find(file, name, files)) for name in names]
        includes[file] = [other for _, other in found if other]
        libraries[file] = [name for name, other in found if not other]
    for file in files:
        room = room_of(file)
        if room is None and file != 'consumers/main.c':
            faults.append(f'{file}: in no room')
        for other in includes[file]:
            if room and room_of(other) not in (room, *ROOMS[room].split()):
                faults.append(f'{file}: includes {other}, and {room} may not call {room_of(other)}')
        for library in libraries[file]:
            for wall, allowed in WALLS.items():
                if re.match(wall, library) and not file.startswith(allowed):
                    faults.append(f'{file}: includes <{library}>, which belongs to {", ".join(allowed)}')
    for file, library in WITHOUT.items():
        if file in includes:
            faults += [f'{file}: reaches <{name}> by {by}' for by in reach(file, includes, set())
                       for name in libraries[by] if name.startswith(library)]
    faults += ['a circle: ' + ' → '.join(circle) for circle in circles(includes)]
    print('\n'.join(faults) if faults else
          f'{len(files)} files in {len(ROOMS)} rooms, {sum(map(len, includes.values()))} includes: none runs back up, no circle')
    return 1 if faults else 0


if __name__ == '__main__':
    sys.exit(main(sys.argv[1]) if len(sys.argv) == 2 else __doc__)
