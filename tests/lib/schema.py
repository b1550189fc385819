#!/usr/bin/env python3
"""A dump of a schema (pg_dump --schema-only, on standard input) as sorted statements, one a line: dumps list grants in the order in which they
were made, and the roles of a policy in that of their numbers. Without the monthly partitions, which depend on what was read."""
import re
import sys


def statements(text):
    """Split at semicolons that end a line outside of a $tag$ body."""
    found, inside = '', None
    for part in re.split(r'(\$[a-z_]*\$)', text):
        if re.fullmatch(r'\$[a-z_]*\$', part) and inside in (None, part):
            inside = part if inside is None else None
        pieces = [part] if inside else part.split(';\n')
        for piece in pieces[:-1]:
            yield found + piece
            found = ''
        found += pieces[-1]


def in_order(statement):
    return re.sub(r'^(CREATE POLICY .*? TO )([\w, ]+?)(?= USING| WITH|$)',
                  lambda policy: policy[1] + ', '.join(sorted(policy[2].split(', '))), statement)


def main():
    text = re.sub(r'^(--|\\).*\n', '', sys.stdin.read(), flags=re.M)
    lines = {in_order(' '.join(statement.split())) for statement in statements(text)}
    print('\n'.join(sorted(line for line in lines if not re.search(r'fact_[a-z_]+_\d{4}_\d\d', line))))


main()
