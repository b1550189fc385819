/* The dashboard's files, which are in the program. Threads: constants. */
#include "http/server/server.h"

const struct gc_asset *gc_asset_find(const char *name)
{
	for (const struct gc_asset *asset = gc_assets; asset->name; asset++) {
		if (strcmp(asset->name, name) == 0)
			return asset;
	}
	return NULL;
}
