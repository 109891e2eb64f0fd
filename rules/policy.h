/* SPDX-License-Identifier: MIT
 * A policy: parsed from bytes, immutable, counted, asked for verdicts. POLICY-LANGUAGE.md is the
 * contract. Pure: no I/O, no clock, no globals. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attrib.h"
#include "rules/event.h"

struct policy;

enum diagnostic_kind { DIAGNOSTIC_ERROR, DIAGNOSTIC_WARNING };

struct diagnostic {
    enum diagnostic_kind kind;
    const char *file;
    size_t line, column; /* from 1; column counts bytes */
    const char *text;    /* what is wrong; what to write instead */
};

struct policy_source {
    const char *name; /* as shown in diagnostics and verdicts */
    const void *data;
    size_t len;
};

struct policy_options {
    const char *context;      /* start context, a header such as "[cgroup=@host]", or NULL */
    const char *owner, *repo; /* values of the placeholders, or NULL */
    bool lenient;             /* skip bad allow lines with a warning */
    /* Fetches what an include names, relative to the file that includes it (`from`) or a preset
     * (`preset`, then `what` is its name without @). Returns 0 and fills in *source, whose bytes
     * stay valid until policy_parse returns, or a negative errno. NULL: includes are errors. */
    int (*load)(void *context, const char *from, const char *what, bool preset,
                struct policy_source *source);
    void *load_context;
    void (*diagnose)(void *context, const struct diagnostic *d); /* may be NULL */
    void *diagnose_context;
};

/* Parses sources, in order, into one policy. Returns NULL when any of them has an error (after all
 * diagnostics were given) or memory ran out. The caller owns one count. */
struct policy *policy_parse(const struct policy_source *sources, size_t n_sources,
                            const struct policy_options *options) NODISCARD;
struct policy *policy_ref(struct policy *p);
/* Drops one count; accepts NULL. */
void policy_unref(struct policy *p);

size_t policy_rule_count(const struct policy *p) NONNULL(1);
/* The facts of a process (enum process_fact) that its rules ask for. */
unsigned policy_facts(const struct policy *p) NONNULL(1);
/* Whether a {owner} or {repo} was left without a value. `check` accepts that; whoever judges must
 * refuse such a policy with a sentence of his own, for it allows nothing at all. */
bool policy_is_open(const struct policy *p) NONNULL(1);

enum verdict_action { VERDICT_DENY, VERDICT_ALLOW, VERDICT_INSPECT };
enum verdict_reason { REASON_NONE, REASON_NO_RULE, REASON_VETO, REASON_PRIVATE_ADDRESS };

struct verdict {
    enum verdict_action action;
    enum verdict_reason reason;
    bool passthrough, insecure, websocket, private, expected;
    bool by_address;   /* a rule allows the address itself, whatever name it goes by */
    bool unattributed; /* a fact that was not known decided (THREATS.md P06) */
    const char *name;  /* by which the deciding rule matched, borrowed from the event, or NULL */
    const char *file;  /* of the deciding rule, or of the one that REASON_PRIVATE_ADDRESS kept from
                          allowing; NULL when there is none. Borrowed from the policy */
    size_t line;
    const char *rule; /* its text as typed, comments and outer blanks removed */
    const char *zone; /* of an allowed look-up: the fixed part of the longest wildcard that allows
                         it; NULL where a rule names it exactly. Borrowed from the policy */
};

/* Judges one event; never fails, never allocates. */
struct verdict policy_match(const struct policy *p, const struct event *e) NONNULL(1, 2);
/* "allow", "deny" or "inspect". */
const char *verdict_action_name(enum verdict_action action);
/* The short stable code that logs have for it; NULL where it is plainly allowed. attributed: whose
 * traffic it was is known. */
const char *verdict_reason_name(const struct verdict *v, bool attributed) NONNULL(1);

/* Whether any rule could allow a TCP connection to this port whatever its name turns out to be.
 * False lets a caller refuse at once. */
bool policy_may_allow_port(const struct policy *p, uint16_t port) NONNULL(1);

#define NAME_MAX_LEN 253
/* Brings a host name into the form that is compared: lower case, A-labels, one trailing dot taken
 * off. out holds NAME_MAX_LEN + 1. Returns 0, or -EINVAL where it is no name (an address is not).
 */
int name_normalize(const char *name, size_t len, char *out) NODISCARD NONNULL(1, 3);
/* Private, loopback, link-local, shared (100.64/10), multicast and reserved addresses, host order:
 * what a name may lie at only with `private`. */
bool address_is_private(uint32_t ip);
/* Metadata services of clouds, which only address rules reach. */
bool address_is_metadata(uint32_t ip);
