#!/bin/sh
# usage: embed.sh OUT.c FILE   makes gc_registry_text[] of registry.h from config/metrics.yaml, a line of it a string.
set -eu
out=$1 file=$2
{
	echo '#include <registry/registry.h>'
	echo 'const char gc_registry_text[] ='
	# gsub(…, "&&") doubles the backslash under every awk; "\\\\" does not
	awk '{ gsub(/\\/, "&&"); gsub(/"/, "\\\""); printf "\"%s\\n\"\n", $0 }' "$file"
	echo ';'
} >"$out.part"
mv "$out.part" "$out"
