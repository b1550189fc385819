#!/bin/sh
# usage: changelog.sh MAINTAINER CHANGELOG.md OUT.gz   makes Debian's changelog of ours: "## 0.2.0 (2026-11-28)" begins a release;
# each "- " and each paragraph is an entry.
set -eu
awk -v maintainer="$1" '
	# the words of the entry, in lines of 80 bytes at most
	function put_entry(   word, count, i, line) {
		count = split(entry, word, /[ \t]+/)
		line = "  *"
		for (i = 1; i <= count; i++) {
			if (length(line " " word[i]) > 80) { print line; line = "   " }
			line = line " " word[i]
		}
		if (entry != "") print line
		entry = ""
	}
	function end_release(   when) {
		put_entry()
		if (day == "") return
		("date -u -R -d \"" day " 12:00\"") | getline when # noon is the same day wherever it is read
		printf "\n -- %s  %s\n", maintainer, when
	}
	/^## [0-9]/ {
		end_release()
		if (day != "") print ""
		day = substr($3, 2, 10)
		printf "gracecube (%s) stable; urgency=medium\n\n", $2
		next
	}
	day == "" || /^#/ { next }
	/^ *$/ { put_entry(); next }
	/^- / { put_entry(); sub(/^- /, "") }
	{ sub(/^ +/, ""); entry = entry (entry == "" ? "" : " ") $0 }
	END { end_release() }' "$2" | gzip -9n >"$3"
