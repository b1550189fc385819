#!/usr/bin/env bash
# usage: mounted.sh COMMAND…   (root, in a mount namespace of its own)
# Runs COMMAND in the same tree and directory, but with a "/" that is a mount point. The place is never removed but by rmdir:
# what is seen below it is everything.
set -euo pipefail
place=$(mktemp -d "${TMPDIR:-/tmp}/mounted.XXXXXX")
leave() { umount --recursive --lazy "$place" && rmdir "$place"; }
mount --rbind / "$place"
trap leave EXIT
mount --make-rprivate "$place"
chroot "$place" bash -c 'cd "$0" && exec "$@"' "$PWD" "$@"
