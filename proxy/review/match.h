/* SPDX-License-Identifier: MIT
 * `egress-filter match --policy FILE [EVENTS...]`: what a policy says to events. */
#pragma once

/* What the command exits with. */
enum { MATCH_GOOD, MATCH_DENIED, MATCH_BAD };

int match_main(int argc, char **argv);
