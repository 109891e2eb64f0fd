/* SPDX-License-Identifier: MIT
 * The second matcher's selectors (POLICY-LANGUAGE.md, section 5): may this process? */
#pragma once

#include "rules/event.h"
#include "unit/oracle_parse.h"

enum oracle_answer { ORACLE_NO, ORACLE_YES, ORACLE_UNKNOWN };

static inline enum oracle_answer oracle_answer(bool yes)
{
    return yes ? ORACLE_YES : ORACLE_NO;
}

static inline bool oracle_value_fits(const struct oracle_selector *s, const char *fact)
{
    if (fact == NULL)
        return false;
    return s->literal ? strcmp(s->value, fact) == 0 : oracle_glob(s->value, fact);
}

/* ID is six or more of [0-9a-z]; before and behind it stands what is fixed. */
static inline bool oracle_holds_id(const char *s, const char *before, const char *behind)
{
    size_t a = strlen(before), n = 0;
    if (strncmp(s, before, a) != 0)
        return false;
    for (s += a; isdigit((unsigned char)*s) || islower((unsigned char)*s); s++)
        n++;
    return n >= 6 && strcmp(s, behind) == 0;
}

struct oracle_cgroup {
    bool docker, podman, kubernetes, rootless;
};

/* What the components say, one after another; those below a user@….service say @rootless only,
 * whatever they are called. */
static inline struct oracle_cgroup oracle_cgroup_of(const char *path)
{
    struct oracle_cgroup is = {0};
    char copy[ORACLE_PATH], *rest = copy;
    const char *one = "", *two = ""; /* the components before */
    bool kube = false, user = false;
    assert(strlen(path) < sizeof(copy));
    strcpy(copy, path);
    for (char *c = strtok_r(copy, "/", &rest); c != NULL; c = strtok_r(NULL, "/", &rest)) {
        bool docker = oracle_holds_id(c, "docker-", ".scope") || strcmp(c, "docker.service") == 0 ||
                      (strcmp(one, "docker") == 0 && oracle_holds_id(c, "", "")) ||
                      (strcmp(two, "docker") == 0 && strcmp(one, "buildkit") == 0 &&
                       oracle_holds_id(c, "", ""));
        bool podman = oracle_holds_id(c, "libpod-", ".scope") || strcmp(c, "libpod_parent") == 0;
        if (user) {
            is.rootless = true;
        } else {
            is.docker |= docker;
            is.podman |= podman;
            is.kubernetes |= kube;
        }
        kube |= strcmp(c, "kubepods") == 0 || strcmp(c, "kubepods.slice") == 0;
        user |= oracle_glob("user@*.service", c);
        two = one;
        one = c;
    }
    return is;
}

static inline bool oracle_cgroup_fits(const struct oracle_selector *s, const char *path)
{
    struct oracle_cgroup is = oracle_cgroup_of(path);
    bool container = is.docker || is.podman || is.kubernetes;
    if (s->literal || s->value[0] != '@')
        return oracle_value_fits(s, path);
    if (strcmp(s->value, "@docker") == 0)
        return is.docker;
    if (strcmp(s->value, "@podman") == 0)
        return is.podman;
    if (strcmp(s->value, "@kubernetes") == 0)
        return is.kubernetes;
    if (strcmp(s->value, "@container") == 0)
        return container;
    if (strcmp(s->value, "@rootless") == 0)
        return is.rootless;
    assert(strcmp(s->value, "@host") == 0);
    return !container && !is.rootless;
}

static inline enum oracle_answer oracle_args_fit(const struct oracle_selector *s,
                                                 const struct event_process *p)
{
    if (s->name[3] == '[') {
        size_t n = strtoul(s->name + 4, NULL, 10);
        if (n < p->n_args)
            return oracle_answer(oracle_value_fits(s, p->args[n]));
    } else {
        for (size_t i = 0; i < p->n_args; i++)
            if (oracle_value_fits(s, p->args[i]))
                return ORACLE_YES;
    }
    return p->args_cut ? ORACLE_UNKNOWN : ORACLE_NO;
}

static inline bool oracle_user_fits(const struct oracle_selector *s, const struct event_process *p)
{
    char uid[16];
    snprintf(uid, sizeof(uid), "%u", p->uid);
    return oracle_value_fits(s, isdigit((unsigned char)s->value[0]) ? uid : p->user);
}

static inline bool oracle_container_fits(const struct oracle_selector *s,
                                         const struct event_process *p)
{
    char start[13] = "";
    if (p->container_id != NULL)
        memcpy(start, p->container_id, 12);
    return oracle_value_fits(s, p->container_name) || oracle_value_fits(s, p->container_id) ||
           (start[0] != '\0' && oracle_value_fits(s, start));
}

/* An ancestor that is known is known, also where the chain does not go up to the first process. */
static inline enum oracle_answer oracle_parent_fits(const struct oracle_selector *s,
                                                    const struct event_process *p)
{
    for (size_t i = 0; i < p->n_parents; i++)
        if (oracle_value_fits(s, p->parents[i]))
            return ORACLE_YES;
    return (p->known & FACT_PARENTS) != 0 ? ORACLE_NO : ORACLE_UNKNOWN;
}

static inline unsigned oracle_fact_of(const char *name)
{
    static const char *const names[] = {"exe",    "arg",       "parent", "sha256", "user",
                                        "cgroup", "container", "image",  "pod",    "mntns",
                                        "netns",  "step",      "action"};
    if (strncmp(name, "arg[", 4) == 0)
        return FACT_ARGS;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strcmp(name, names[i]) == 0)
            return 1u << i;
    abort();
}

/* One selector; whether the machine's owner may trust a file's name is not asked here. */
static inline enum oracle_answer oracle_fact_fits(const struct oracle_selector *s,
                                                  const struct event_process *p)
{
    unsigned fact = oracle_fact_of(s->name);
    /* Of a container the id alone may be known, by its cgroup: it may match, and never fail to. */
    if (p != NULL && fact == FACT_CONTAINER && (p->known & FACT_CONTAINER) == 0 &&
        (p->known & FACT_CONTAINER_ID) != 0) {
        struct event_process nameless = *p;
        nameless.container_name = NULL;
        return oracle_container_fits(s, &nameless) ? ORACLE_YES : ORACLE_UNKNOWN;
    }
    if (p == NULL || (fact != FACT_PARENTS && (p->known & fact) == 0))
        return ORACLE_UNKNOWN;
    switch (fact) {
    case FACT_EXE:
        return oracle_answer(oracle_value_fits(s, p->exe));
    case FACT_ARGS:
        return oracle_args_fit(s, p);
    case FACT_PARENTS:
        return oracle_parent_fits(s, p);
    case FACT_SHA256:
        return oracle_answer(oracle_value_fits(s, p->sha256));
    case FACT_USER:
        return oracle_answer(oracle_user_fits(s, p));
    case FACT_CGROUP:
        return oracle_answer(oracle_cgroup_fits(s, p->cgroup));
    case FACT_CONTAINER:
        return oracle_answer(oracle_container_fits(s, p));
    case FACT_IMAGE:
        return oracle_answer(oracle_value_fits(s, p->image));
    case FACT_POD:
        return oracle_answer(oracle_value_fits(s, p->pod));
    case FACT_MNTNS:
        return oracle_answer(strtoul(s->value, NULL, 10) == p->mntns);
    case FACT_NETNS:
        return oracle_answer(strtoul(s->value, NULL, 10) == p->netns);
    case FACT_STEP:
        return oracle_answer(oracle_value_fits(s, p->step));
    default:
        return oracle_answer(oracle_value_fits(s, p->action));
    }
}

static inline bool oracle_names_container(const struct oracle_selector *s)
{
    static const char *const groups[] = {"@docker", "@podman", "@kubernetes", "@container"};
    struct oracle_cgroup is = oracle_cgroup_of(s->value);
    if (strcmp(s->name, "cgroup") == 0 && s->value[0] == '/')
        return (is.docker || is.podman || is.kubernetes) && !is.rootless;
    if (strcmp(s->name, "cgroup") == 0 && !s->literal)
        for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++)
            if (strcmp(s->value, groups[i]) == 0)
                return true;
    return strcmp(s->name, "container") == 0 || strcmp(s->name, "image") == 0 ||
           strcmp(s->name, "pod") == 0 || strcmp(s->name, "mntns") == 0;
}

/* What only the engine can have told. */
static inline bool oracle_engine_vouches(const struct event_process *p)
{
    return ((p->known & FACT_CONTAINER) && p->container_id != NULL) ||
           ((p->known & FACT_IMAGE) && p->image != NULL) ||
           ((p->known & FACT_POD) && p->pod != NULL);
}

static inline bool oracle_names_file(const struct oracle_selector *s)
{
    return strcmp(s->name, "exe") == 0 || strcmp(s->name, "parent") == 0 ||
           strcmp(s->name, "sha256") == 0;
}

/* All selectors of a rule. */
static inline enum oracle_answer oracle_who(const struct oracle_rule *r,
                                            const struct event_process *p)
{
    enum oracle_answer all = ORACLE_YES;
    bool vouched = false;
    for (size_t i = 0; i < r->f.n_selectors; i++)
        if (oracle_names_container(&r->f.selector[i]) &&
            oracle_fact_fits(&r->f.selector[i], p) == ORACLE_YES && oracle_engine_vouches(p))
            vouched = true;
    for (size_t i = 0; i < r->f.n_selectors; i++) {
        const struct oracle_selector *s = &r->f.selector[i];
        enum oracle_answer one = oracle_fact_fits(s, p);
        if (oracle_names_file(s) && p != NULL && p->foreign && !vouched)
            one = ORACLE_UNKNOWN;
        if (one == ORACLE_NO)
            return ORACLE_NO;
        if (one == ORACLE_UNKNOWN)
            all = ORACLE_UNKNOWN;
    }
    return all;
}

/* An allow rule wants to know; a veto takes what is not known for a match. */
static inline bool oracle_may(const struct oracle_rule *r, const struct event_process *p)
{
    enum oracle_answer who = oracle_who(r, p);
    return r->veto ? who != ORACLE_NO : who == ORACLE_YES;
}
