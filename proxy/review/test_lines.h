/* SPDX-License-Identifier: MIT
 * The tests that stand in a policy as comments: `#? allow https://a.org/x exe=/usr/bin/curl`. Pure:
 * finds the lines, reads them, asks the policy. */
#pragma once

#include "review/event_words.h"

/* What became of one line. */
struct test_result {
    size_t line;      /* of the policy, from 1 */
    struct span text; /* of the test, from its verdict on, as typed */
    bool read;        /* false: it is no test, which was said */
    bool good;        /* the verdict is the one that was asked for */
    enum verdict_action wanted;
    struct verdict got;
    const char *reason; /* the log's word for it, or NULL */
    bool known_process; /* the test says something of the process */
};

typedef void test_visit(void *context, const struct test_result *result);

/* Asks the policy every test of its text. options: those that it was parsed with; lines that cannot
 * be read are said to its diagnose, as of this file. Returns false when one could not, or memory
 * ran out. */
bool test_lines(const struct policy *policy, const struct policy_source *source,
                const struct policy_options *options, test_visit *visit, void *context) NODISCARD
    NONNULL(1, 2, 3, 4);
