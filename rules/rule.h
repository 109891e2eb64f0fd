/* SPDX-License-Identifier: MIT
 * A rule as it is kept: what the parser fills in, what matching and linting read, and what
 * `check --dump-rules` prints. Everything here is owned by the policy and never changes. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "rules/policy.h"

enum rule_action { RULE_ALLOW, RULE_DENY };

enum target_type {
    TARGET_HOST,
    TARGET_WILDCARD_HOST,
    TARGET_IP,
    TARGET_CIDR,
    TARGET_URL,
    TARGET_PATH,
    TARGET_DNS_HOST,
    TARGET_DNS_WILDCARD_HOST,
};

/* Sets of types, for tables. */
enum target_set {
    SET_HOST = 1 << TARGET_HOST | 1 << TARGET_WILDCARD_HOST,
    SET_ADDRESS = 1 << TARGET_IP | 1 << TARGET_CIDR,
    SET_URL = 1 << TARGET_URL | 1 << TARGET_PATH,
    SET_DNS = 1 << TARGET_DNS_HOST | 1 << TARGET_DNS_WILDCARD_HOST,
};

enum rule_proto { RULE_TCP = 1 << 0, RULE_UDP = 1 << 1 };

enum rule_method {
    METHOD_GET = 1 << 0,
    METHOD_HEAD = 1 << 1,
    METHOD_POST = 1 << 2,
    METHOD_PUT = 1 << 3,
    METHOD_DELETE = 1 << 4,
    METHOD_PATCH = 1 << 5,
    METHOD_OPTIONS = 1 << 6,
    METHOD_OTHER = 1 << 7,
    METHOD_ALL = (1 << 8) - 1, /* written `*` */
};

enum rule_keyword {
    KEYWORD_PASSTHROUGH = 1 << 0,
    KEYWORD_INSECURE = 1 << 1,
    KEYWORD_PRIVATE = 1 << 2,
    KEYWORD_WEBSOCKET = 1 << 3,
    KEYWORD_EXPECTED = 1 << 4,
};

struct port_range {
    uint16_t low, high;
};

struct port_list {
    const struct port_range *ranges;
    size_t n;
    bool any; /* written `*`, or a veto without ports */
};

/* [*.][GLOB.]SUFFIX; an exact name is a suffix alone. In the form of name_normalize. */
struct host_pattern {
    bool subdomains;  /* one or more labels in front */
    const char *glob; /* one label with wildcards, or NULL */
    const char *suffix;
    size_t suffix_len;
};

enum selector_kind {
    SELECTOR_EXE,
    SELECTOR_ARG,
    SELECTOR_ARG_AT, /* arg[N] */
    SELECTOR_PARENT,
    SELECTOR_SHA256,
    SELECTOR_USER,
    SELECTOR_CGROUP,
    SELECTOR_CONTAINER,
    SELECTOR_IMAGE,
    SELECTOR_POD,
    SELECTOR_MNTNS,
    SELECTOR_NETNS,
    SELECTOR_STEP,
    SELECTOR_ACTION,
};

struct selector {
    enum selector_kind kind;
    unsigned index;    /* of arg[N] */
    const char *value; /* without its quotes */
    bool literal;      /* written in double quotes: a `*` in it is a `*` */
    bool numeric;      /* the value is `number` */
    uint32_t number;
    unsigned classes; /* enum cgroup_class, of cgroup=@NAME; 0 for a path */
};

/* Where a URL points, apart from its path. */
struct url_base {
    bool https;
    bool by_address; /* ip holds, host does not */
    uint16_t port;
    uint32_t ip;
    struct host_pattern host;
};

struct rule {
    enum rule_action action;
    enum target_type type;
    unsigned keywords; /* enum rule_keyword */
    unsigned methods;  /* enum rule_method; of url and path rules */
    unsigned protos;   /* enum rule_proto */
    bool port_limited; /* ports were written on the line */
    bool open;         /* holds a placeholder that has no value: matches nothing */
    struct port_list ports;
    struct host_pattern host; /* host and dns rules, and url and path rules by name */
    uint32_t ip, mask;        /* ip and cidr rules */
    struct url_base url;      /* url and path rules */
    const char *path;         /* the same: pattern in normal form, base URL's path in front */
    const struct selector *selectors;
    size_t n_selectors;
    const char *file;
    size_t line, column;
    const char *text;   /* the line as typed, comments and outer blanks removed */
    const char *target; /* as typed, without ports and protocol */
    const char *base;   /* base URL of the header as typed, or NULL */
};

static inline bool rule_is(const struct rule *r, enum target_set set)
{
    return (1u << r->type & set) != 0;
}

/* Presets are not the reader's to change. */
static inline bool rule_is_of_preset(const struct rule *r)
{
    return r->file[0] == '@';
}

/* The rules in file order, includes in place; i below policy_rule_count(). */
const struct rule *policy_rule(const struct policy *p, size_t i) NONNULL(1);

/* "host", "wildcard_host", … as in POLICY-LANGUAGE's table of targets. */
const char *target_type_name(enum target_type type);
