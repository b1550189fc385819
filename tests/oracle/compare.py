#!/usr/bin/env python3
"""Compares the cube's answers with the expected ones, file by file, numbers to 6 decimals, rows in any order.

    compare.py EXPECTED_DIR ACTUAL_DIR        exit 1 and what differs, when something does
"""
import csv
import os
import sys
from decimal import Decimal, InvalidOperation

SHOWN = 10  # differences printed for one file


def same(expected, actual):
    if expected == actual:
        return True
    try:
        return abs(round(Decimal(expected), 6) - round(Decimal(actual), 6)) <= Decimal('0.000001')
    except InvalidOperation:
        return False


def read(path):
    with open(path, encoding='utf-8', newline='') as file:
        header, *rows = csv.reader(file)
    keys = next((at for at, name in enumerate(header) if at and name not in ('tier_name', 'severity', 'from_id')), len(header))
    table = {tuple(row[:keys]): row[keys:] for row in rows}
    return header, table, len(rows) - len(table)


def differences(name, expected_path, actual_path):
    header, expected, _ = read(expected_path)
    actual_header, actual, doubled = read(actual_path)
    if doubled:
        yield '%d rows are there twice' % doubled
    if header != actual_header:
        yield 'columns %s, expected %s' % (actual_header, header)
    for key in sorted(expected.keys() | actual.keys()):
        if key not in actual:
            yield 'no row %s' % ', '.join(key)
        elif key not in expected:
            if name != 'counts.csv':
                yield 'a row too much: %s' % ', '.join(key)
        elif len(expected[key]) != len(actual[key]) or not all(map(same, expected[key], actual[key])):
            yield '%s: %s, expected %s' % (', '.join(key), actual[key], expected[key])


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    expected_dir, actual_dir = sys.argv[1:]
    equal, failed, absent = [], 0, []
    for name in sorted(os.listdir(expected_dir)):
        if not name.endswith('.csv'):
            continue
        found = list(differences(name, os.path.join(expected_dir, name), os.path.join(actual_dir, name)))
        if name == 'counts.csv':  # a table that this cube does not have yet is named, not hidden
            absent = [text[len('no row '):] for text in found if text.startswith('no row ')]
            found = [text for text in found if not text.startswith('no row ')]
        for text in found[:SHOWN]:
            print('%s: %s' % (name, text))
        if len(found) > SHOWN:
            print('%s: %d more differences' % (name, len(found) - SHOWN))
        failed += bool(found)
        equal += [] if found else [name]
    print('%d of %d files of answers equal the cube%s' % (
        len(equal), len(equal) + failed, '; not in this cube: ' + ', '.join(absent) if absent else ''))
    sys.exit(1 if failed or not equal else 0)


if __name__ == '__main__':
    main()
