# Read by cpack before it packs.
if(NOT CPACK_INSTALL_PREFIX STREQUAL /usr AND NOT CPACK_PACKAGING_INSTALL_PREFIX STREQUAL /usr)
	message(FATAL_ERROR "A Debian package is configured with -DCMAKE_INSTALL_PREFIX=/usr: its program and units name these paths. "
		"deploy/package/build does it.")
endif()
# Times in the package are the source's, not the build's.
if(NOT DEFINED ENV{SOURCE_DATE_EPOCH})
	message(FATAL_ERROR "SOURCE_DATE_EPOCH is not set, so no second build would give the same package; deploy/package/build sets it.")
endif()
