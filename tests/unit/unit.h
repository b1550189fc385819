/* What every unit test begins with: cmocka, and what it wants before it. */
#ifndef GRACECUBE_TESTS_UNIT_H
#define GRACECUBE_TESTS_UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#endif
