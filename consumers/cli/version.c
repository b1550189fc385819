/* What `gracecube --version` prints: this program's version and commit, then the libraries as they are loaded now, which may be newer
 * than those it was built with. The first line is for scripts.
 *
 * Threads: any.
 */
#include "cli/command.h"

#include <jansson.h>
#include <libpq-fe.h>
#include <librdkafka/rdkafka.h>
#include <microhttpd.h>
#include <openssl/crypto.h>
#include <xxhash.h>
#include <yaml.h>
#include <zlib.h>

void gc_print_version(FILE *out)
{
	const unsigned pq = (unsigned)PQlibVersion(), xxh = XXH_versionNumber(); /* 150018 is 15.18, 801 is 0.8.1 */

	fprintf(out, "gracecube %s (commit %s)\n", GRACECUBE_VERSION, GRACECUBE_COMMIT);
	fprintf(out, "librdkafka %s, libpq %u.%u, libmicrohttpd %s, jansson %s, libyaml %s, OpenSSL %s, zlib %s, xxHash %u.%u.%u\n",
		rd_kafka_version_str(), pq / 10000, pq % 10000, MHD_get_version(), jansson_version_str(), yaml_get_version_string(),
		OpenSSL_version(OPENSSL_VERSION_STRING), zlibVersion(), xxh / 10000, xxh / 100 % 100, xxh % 100);
}
