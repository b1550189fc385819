#!/bin/sh
# usage: embed.sh OUT.c FILE.sql…   makes the table gc_sql_files[] (name, checksum, text) of sinks/postgres/sql.h from SQL files, which are
# named as seen from this directory. Every line becomes one C string literal, so a compiler message or a debugger shows the SQL as it was written.
set -eu
out=$1; shift
cd "$(dirname "$0")"
{
	echo '#include <postgres/sql.h>'
	echo 'const struct gc_sql_file gc_sql_files[] = {'
	for file in "$@"; do
		printf '{ "%s", "%s",\n' "$file" "$(sha256sum <"$file" | cut -d' ' -f1)"
		# gsub(…, "&&") doubles the backslash under every awk; "\\\\" does not
		awk '{ gsub(/\\/, "&&"); gsub(/"/, "\\\""); printf "\"%s\\n\"\n", $0 }' "$file"
		echo '},'
	done
	echo '{ 0, 0, 0 } };'
} > "$out.part"
mv "$out.part" "$out"
