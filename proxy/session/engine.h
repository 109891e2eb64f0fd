/* SPDX-License-Identifier: MIT
 * What one event loop of the proxy has: handed to every stage, owned by the role (roles/proxy.c).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/shared_lock.h"
#include "dns/forward.h"
#include "dns/names.h"
#include "rules/policy.h"
#include "session/limits.h"

#include <sys/queue.h>

struct dns_server;
struct event_base;
struct exchange;
struct name_limits;
struct session;
struct places;
struct submit;
struct who;
struct pipes;

struct engine {
    struct event_base *base;
    struct policy *policy;
    struct names *names;
    struct forwarder *forwarder;
    struct places *judging; /* DNS questions that wait for the policy's word and its record */
    struct places *asking;  /* questions that wait for a resolver, also those of sessions */
    struct name_limits *name_limits; /* of look-ups below wildcards; NULL: there are none */
    struct who *who;
    struct submit *submit;
    struct pipes *pipes;
    struct limits limits;
    struct dns_server *dns;
    bool audit_mode; /* what would be denied passes, and is recorded so */
    /* Of all loops of the run, in shared memory, as are names and name_limits. */
    _Atomic uint64_t *last_conn; /* number of the newest connection */
    struct shared_lock *lock;    /* of who writes to names and name_limits */
    uint32_t loop;               /* this one's number, from 1, as holder of the lock */
    bool lock_lost;              /* it could not be taken the last time */
    bool ending;                 /* the command has gone: nobody waits for an answer any more */
    LIST_HEAD(session_list, session) sessions;
    LIST_HEAD(exchange_list, exchange) exchanges;
    size_t active;               /* connections and queries under way */
    void (*idle)(void *context); /* called when active falls to 0; NULL while nobody waits */
    void *idle_context;
};

/* Seconds of a clock that does not jump, as learnt names count them (CLOCK_BOOTTIME). */
uint64_t engine_now(void);
/* The number of a new connection. */
uint64_t engine_next_conn(struct engine *e) NONNULL(1);
/* Takes the lock; false where another holds it, and has died: nothing may be written then. */
bool engine_lock(struct engine *e) NODISCARD NONNULL(1);
void engine_unlock(struct engine *e) NONNULL(1);
/* Makes the places that DNS questions of this loop take, where it may have so many descriptors.
 * Returns false when memory ran out. */
bool engine_make_places(struct engine *e, size_t files) NODISCARD NONNULL(1);
/* What names_learn does, for all loops. */
void engine_learn(struct engine *e, const char *name, uint32_t address, uint32_t ttl) NONNULL(1, 2);
void engine_begin(struct engine *e);
void engine_end(struct engine *e);

/* Under `run` there is one client: the command's namespace. */
#define ENGINE_CLIENT 0
