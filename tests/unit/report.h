/* SPDX-License-Identifier: MIT
 * Runs cmocka tests and prints one line for each, in the form that tests/run counts:
 * `ok ID name`, `not ok ID name`. */
#pragma once

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/attrib.h"

struct unit_test {
    const char *id; /* of the threat model, or "-" */
    struct CMUnitTest test;
};

#define REPORT(id_, function)                                                                      \
    {                                                                                              \
        id_,                                                                                       \
        {                                                                                          \
#function, function, NULL, NULL, NULL                                                  \
        }                                                                                          \
    }

static inline int unit_run(const struct unit_test *tests, size_t n)
{
    int failed = 0;
    cmocka_set_message_output(CM_OUTPUT_SUBUNIT); /* only failures say something */
    for (size_t i = 0; i < n; i++) {
        struct CMUnitTest one[] = {tests[i].test};
        int bad = _cmocka_run_group_tests(one[0].name, one, 1, NULL, NULL);
        printf("%s %s %s\n", bad ? "not ok" : "ok", tests[i].id, one[0].name);
        fflush(stdout);
        failed += bad != 0;
    }
    return failed != 0;
}
