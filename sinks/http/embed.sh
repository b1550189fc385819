#!/bin/sh
# usage: embed.sh OUT.c FILE…   makes the table gc_assets[] (name, content type, ETag, bytes) of sinks/http/server/server.h from files.
set -eu
out=$1; shift

content_type() {
	case $1 in
	*.html) echo 'text/html; charset=utf-8' ;;
	*.css) echo 'text/css; charset=utf-8' ;;
	*.js) echo 'text/javascript; charset=utf-8' ;;
	*.json) echo 'application/json' ;;
	*.svg) echo 'image/svg+xml' ;;
	*.png) echo 'image/png' ;;
	*.ico) echo 'image/x-icon' ;;
	*.woff2) echo 'font/woff2' ;;
	*) echo 'text/plain; charset=utf-8' ;;
	esac
}

{
	echo '#include <http/server/server.h>'
	n=0
	for file in "$@"; do
		n=$((n + 1))
		echo "static const unsigned char bytes_${n}[] = {"
		od -An -v -tu1 "$file" | sed 's/  */,/g; s/^,//; s/$/,/'
		echo '0 };'
	done
	echo 'const struct gc_asset gc_assets[] = {'
	n=0
	for file in "$@"; do
		n=$((n + 1))
		etag=$(sha256sum "$file" | cut -c 1-32)
		printf '{ "%s", "%s", "\\"%s\\"", bytes_%s, sizeof(bytes_%s) - 1 },\n' "${file##*/}" "$(content_type "$file")" "$etag" "$n" "$n"
	done
	echo '{ 0, 0, 0, 0, 0 } };'
} > "$out.part"
mv "$out.part" "$out"
