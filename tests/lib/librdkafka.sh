# shellcheck shell=bash
# Another librdkafka than this machine's: the one that the wheel of confluent-kafka (PyPI) carries. To be sourced after
# deploy/lib/common.sh.
#
# The ABI is kept: what was built with older headers runs with a newer library of the same soname. The wheel gives the file another
# name, so it gets its own back. Any Python's wheel will do: only the library in it is wanted.

# use_librdkafka VERSION DIR → what is started from now on loads it; '' is the newest
use_librdkafka() {
	local version=$1 dir=$2 machine
	machine=$(uname -m)
	python3 -m venv "$dir/venv"
	"$dir/venv/bin/pip" -q --disable-pip-version-check download --no-deps --only-binary :all: --python-version 3.11 \
		--platform "manylinux_2_28_$machine" --platform "manylinux_2_17_$machine" --platform "manylinux2014_$machine" \
		-d "$dir/wheel" "confluent-kafka${version:+==$version}" >&2 || die "confluent-kafka $version could not be fetched from PyPI: is the network there?"
	python3 -m zipfile -e "$dir"/wheel/*.whl "$dir/wheel"
	export LD_LIBRARY_PATH=$dir/wheel/confluent_kafka.libs
	(cd "$LD_LIBRARY_PATH" && ln -s librdkafka-*.so.1 librdkafka.so.1)
}

loaded_librdkafka() {
	python3 -c "import ctypes; l = ctypes.CDLL('librdkafka.so.1'); l.rd_kafka_version_str.restype = ctypes.c_char_p; print(l.rd_kafka_version_str().decode())"
}

# use_librdkafka_since VERSION DIR → the newest, where what is loaded is older than that
use_librdkafka_since() {
	printf '%s\n' "$1" "$(loaded_librdkafka)" | sort -CV || use_librdkafka '' "$2"
}
