#!/bin/sh
# usage: pages.sh PROGRAM DIRECTORY   makes the manual pages: the program prints them from its tables. Without name and
# time in gzip's header (-n) the same pages are the same bytes.
set -eu
program=$1 directory=$2
mkdir -p "$directory"
page() { # NAME WORD…
	name=$1
	shift
	"$program" "$@" >"$directory/$name"
	gzip -9nf "$directory/$name"
}
page gracecube.1 help --man
for command in $("$program" help --complete | cut -f 1); do page "gracecube-$command.1" help --man "$command"; done
page gracecube.yaml.5 config manual
