# What `cmake --install` puts where, and the package that `cpack` makes of it. DESTDIR and the CMAKE_INSTALL_…DIR variables of
# GNUInstallDirs are respected. deploy/package/build makes a Debian package with one command.
include(GNUInstallDirs)
set(HERE ${PROJECT_SOURCE_DIR}/deploy/package)

# The day of the newest release stands on the manual pages.
file(STRINGS ${PROJECT_SOURCE_DIR}/deploy/CHANGELOG.md RELEASES REGEX "^## [0-9.]+ \\([0-9-]+\\)")
list(GET RELEASES 0 RELEASE)
string(REGEX REPLACE ".*\\((.*)\\).*" "\\1" RELEASE_DATE "${RELEASE}")
target_compile_definitions(gracecube_config PRIVATE
	GRACECUBE_DATE="${RELEASE_DATE}" GRACECUBE_SYSCONFDIR="${CMAKE_INSTALL_FULL_SYSCONFDIR}")

install(TARGETS gracecube RUNTIME)

# Manual pages, one for each command; compressed, as systems keep them.
set(PAGES ${PROJECT_BINARY_DIR}/man)
add_custom_command(OUTPUT ${PAGES}/gracecube.1.gz
	COMMAND sh ${HERE}/pages.sh $<TARGET_FILE:gracecube> ${PAGES}
	DEPENDS gracecube ${HERE}/pages.sh VERBATIM)
add_custom_target(pages ALL DEPENDS ${PAGES}/gracecube.1.gz)
install(DIRECTORY ${PAGES}/ DESTINATION ${CMAKE_INSTALL_MANDIR}/man1 FILES_MATCHING PATTERN *.1.gz)
install(DIRECTORY ${PAGES}/ DESTINATION ${CMAKE_INSTALL_MANDIR}/man5 FILES_MATCHING PATTERN *.5.gz)

# Completion. Debian's zsh looks into vendor-completions for what a package brings, others into site-functions.
set(ZSH_DIR site-functions)
if(CMAKE_INSTALL_PREFIX STREQUAL /usr AND EXISTS /etc/debian_version)
	set(ZSH_DIR vendor-completions)
endif()
install(FILES ${HERE}/completion/gracecube.bash RENAME gracecube
	DESTINATION ${CMAKE_INSTALL_DATADIR}/bash-completion/completions)
install(FILES ${HERE}/completion/_gracecube DESTINATION ${CMAKE_INSTALL_DATADIR}/zsh/${ZSH_DIR})
install(FILES ${HERE}/completion/gracecube.fish DESTINATION ${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d)

# Units with the paths of this installation; systemd reads <prefix>/lib of /usr and /usr/local. And the account they run as.
file(GLOB UNITS CONFIGURE_DEPENDS deploy/systemd/*)
foreach(unit ${UNITS})
	get_filename_component(name ${unit} NAME)
	set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${unit})
	file(READ ${unit} TEXT)
	string(REPLACE /usr/bin/gracecube ${CMAKE_INSTALL_FULL_BINDIR}/gracecube TEXT "${TEXT}")
	string(REPLACE /etc/gracecube ${CMAKE_INSTALL_FULL_SYSCONFDIR}/gracecube TEXT "${TEXT}")
	file(GENERATE OUTPUT ${PROJECT_BINARY_DIR}/systemd/${name} CONTENT "${TEXT}")
	install(FILES ${PROJECT_BINARY_DIR}/systemd/${name} DESTINATION lib/systemd/system)
endforeach()
install(FILES ${HERE}/gracecube.sysusers RENAME gracecube.conf DESTINATION lib/sysusers.d)

# What others read: analysts the SQL, Grafana the dashboards, Prometheus the rules, people the pages.
set(SHARE ${CMAKE_INSTALL_DATADIR}/gracecube)
install(DIRECTORY sinks/sql DESTINATION ${SHARE} FILES_MATCHING PATTERN *.sql)
install(DIRECTORY deploy/grafana DESTINATION ${SHARE})
install(FILES deploy/prometheus/rules.yaml deploy/prometheus/metric_rules.yaml deploy/prometheus/prometheus.yaml deploy/prometheus/alertmanager.yaml DESTINATION ${SHARE}/prometheus)
install(FILES README.md deploy/RUNBOOK.md deploy/METRICS.md config/reference.md config/metrics.md config/metrics.yaml
	DESTINATION ${CMAKE_INSTALL_DOCDIR})

# The configuration is the operator's: one that is there stays.
install(CODE "
	set(directory \"${CMAKE_INSTALL_FULL_SYSCONFDIR}/gracecube\") # file(INSTALL) puts DESTDIR before it
	if(NOT EXISTS \"\$ENV{DESTDIR}\${directory}/gracecube.yaml\")
		file(INSTALL \"${PROJECT_SOURCE_DIR}/config/gracecube.yaml\" DESTINATION \"\${directory}\")
	endif()")

include(${HERE}/debian.cmake)
