# The Debian package: `cpack -G DEB` in a build directory that was configured with -DCMAKE_INSTALL_PREFIX=/usr (see build here).
set(GRACECUBE_MAINTAINER "gracecube maintainers <maintainers@gracecube.example>" CACHE STRING "Who answers for the package")

# Debian's own files: its changelog is made of ours. Dependencies come from dpkg-shlibdeps.
set(CHANGELOG ${PROJECT_BINARY_DIR}/changelog.gz)
add_custom_command(OUTPUT ${CHANGELOG}
	COMMAND sh ${HERE}/changelog.sh "${GRACECUBE_MAINTAINER}" ${PROJECT_SOURCE_DIR}/deploy/CHANGELOG.md ${CHANGELOG}
	DEPENDS deploy/CHANGELOG.md ${HERE}/changelog.sh VERBATIM)
add_custom_target(changelog ALL DEPENDS ${CHANGELOG})
if(EXISTS /etc/debian_version)
	install(FILES ${CHANGELOG} ${HERE}/copyright DESTINATION ${CMAKE_INSTALL_DOCDIR})
	install(FILES ${HERE}/lintian-overrides RENAME gracecube DESTINATION ${CMAKE_INSTALL_DATADIR}/lintian/overrides)
endif()

set(CPACK_GENERATOR DEB)
set(CPACK_SET_DESTDIR ON) # of /etc too, which is not below /usr
set(CPACK_STRIP_FILES ON)
set(CPACK_PROJECT_CONFIG_FILE ${HERE}/cpack.cmake)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_COMPRESSION_TYPE xz)
set(CPACK_DEBIAN_PACKAGE_MAINTAINER "${GRACECUBE_MAINTAINER}")
set(CPACK_DEBIAN_PACKAGE_SECTION database)
set(CPACK_DEBIAN_PACKAGE_PRIORITY optional)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_DEPENDS "systemd | systemd-standalone-sysusers | systemd-sysusers")
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS "ca-certificates")
set(CPACK_DEBIAN_PACKAGE_SUGGESTS "postgresql, grafana, prometheus")
set(CPACK_DEBIAN_PACKAGE_CONTROL_STRICT_PERMISSION ON)
set(CPACK_DEBIAN_PACKAGE_CONTROL_EXTRA ${HERE}/debian/postinst ${HERE}/debian/prerm ${HERE}/debian/postrm
	${HERE}/debian/conffiles)
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "keeps an exact PostgreSQL cube of Grace's change events")
set(CPACK_PACKAGE_DESCRIPTION "Reads the change events of Grace from Kafka and keeps one PostgreSQL star
schema of them, live: facts, dimensions, rollups and views. Each record changes
the cube exactly once, or is in the dead letters with its reason, and one
command proves it.
.
The package has the program, its systemd units, manual pages, SQL, Grafana
dashboards and Prometheus rules.")
include(CPack)
