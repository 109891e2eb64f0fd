/* SPDX-License-Identifier: MIT
 * One pass over each argument: tokens of known shapes, userinfo of URLs, and the values of what is
 * named like a secret, be it an option, an assignment, a header or a member of a JSON object. */
#include "audit/redact.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#define HIDDEN "***"

struct scan {
    const char *s;
    size_t len, at;
    size_t dry; /* no JWT begins before this: the run was read once and is none */
    bool header;
    struct buffer *out;
    bool hidden;
};

static bool is_alnum(char c)
{
    return isalnum((unsigned char)c);
}

static bool is_name(char c)
{
    return is_alnum(c) || c == '_' || c == '-' || c == '.';
}

static bool is_blank(char c)
{
    return isspace((unsigned char)c);
}

/* Bytes from `at` on that are none of `stops` (NUL-terminated) and, if asked, no white space. */
static size_t run_until(const struct scan *s, size_t at, const char *stops, bool or_blank)
{
    size_t end = at;
    while (end < s->len && !strchr(stops, s->s[end]) && !(or_blank && is_blank(s->s[end])))
        end++;
    return end - at;
}

static void hide(struct scan *s, size_t len)
{
    buffer_add_string(s->out, HIDDEN);
    s->at += len;
    s->hidden = true;
}

static void copy(struct scan *s, size_t len)
{
    buffer_add(s->out, s->s + s->at, len);
    s->at += len;
}

/* Whether a name says that its value is a secret. */
static bool is_secret_name(const char *name, size_t len)
{
    static const char *const words[] = {"pass", "token", "secret", "key", "auth", "cookie", "cred"};
    /* Words around these that mean something else. */
    static const char *const others[] = {
        "passive", "passenger", "passthr", "bypass", "compass", "keyboard", "keyring", "keyserver",
        "keyword", "keycloak",  "monkey",  "turkey", "hotkey",  "tokeniz",  "authored"};
    for (size_t at = 0; at < len; at++) {
        for (size_t w = 0; w < ARRAY_SIZE(words); w++) {
            size_t n = strlen(words[w]);
            if (len - at < n || strncasecmp(name + at, words[w], n) != 0)
                continue;
            bool other = false;
            for (size_t o = 0; o < ARRAY_SIZE(others) && !other; o++) {
                const char *within = strstr(others[o], words[w]);
                if (!within)
                    continue;
                size_t before = (size_t)(within - others[o]), whole = strlen(others[o]);
                other = at >= before && len - at + before >= whole &&
                        strncasecmp(name + at - before, others[o], whole) == 0;
            }
            /* --author and --authority, but not Authorization. */
            if (len - at >= 6 && strncasecmp(name + at, "author", 6) == 0)
                other = !(len - at >= 8 && (strncasecmp(name + at, "authoriz", 8) == 0 ||
                                            strncasecmp(name + at, "authoris", 8) == 0));
            if (!other)
                return true;
        }
    }
    return false;
}

/* Names that are headers wherever they stand, so that `NAME:value` needs no blank. */
static bool is_header_name(const char *name, size_t len)
{
    static const char *const names[] = {"authorization", "proxy-authorization", "cookie",
                                        "private-token", "job-token",           "api-key"};
    if (len > 2 && strncasecmp(name, "x-", 2) == 0)
        return true;
    for (size_t i = 0; i < ARRAY_SIZE(names); i++)
        if (len == strlen(names[i]) && strncasecmp(name, names[i], len) == 0)
            return true;
    return false;
}

struct shape {
    const char *prefix;
    const char *also; /* beside letters and digits */
    size_t least;     /* characters behind the prefix */
};

static size_t shape_run(const struct scan *s, const struct shape *shape)
{
    size_t n = strlen(shape->prefix), end = s->at + n;
    if (s->len - s->at < n || memcmp(s->s + s->at, shape->prefix, n) != 0)
        return 0;
    while (end < s->len && (is_alnum(s->s[end]) || strchr(shape->also, s->s[end])))
        end++;
    return end - s->at >= n + shape->least ? end - s->at : 0;
}

static size_t jwt_run(struct scan *s)
{
    static const struct shape form = {"eyJ", "_-.", 13};
    size_t n = s->at < s->dry ? 0 : shape_run(s, &form), dots = 0;
    for (size_t i = 0; i < n; i++)
        dots += s->s[s->at + i] == '.';
    if (n && dots < 2)
        s->dry = s->at + n;
    return dots < 2 ? 0 : n;
}

/* A token that is known by its look. */
static bool hide_token(struct scan *s)
{
    static const struct shape shapes[] = {
        {"ghp_", "", 16},      {"gho_", "", 16},         {"ghs_", "", 16},   {"ghu_", "", 16},
        {"ghr_", "", 16},      {"github_pat_", "_", 16}, {"npm_", "", 16},   {"pypi-", "_-", 16},
        {"glpat-", "_-.", 16}, {"xoxa-", "-", 8},        {"xoxb-", "-", 8},  {"xoxc-", "-", 8},
        {"xoxd-", "-%", 8},    {"xoxe-", "-", 8},        {"xoxe.", "-.", 8}, {"xoxo-", "-", 8},
        {"xoxp-", "-", 8},     {"xoxr-", "-", 8},        {"xoxs-", "-", 8},  {"xapp-", "-", 8},
        {"AKIA", "", 16},      {"ASIA", "", 16},         {"sk-", "_-", 16},  {"sk_live_", "", 8},
        {"rk_live_", "", 8},   {"AIza", "_-", 30},       {"hf_", "", 20},    {"dckr_pat_", "_-", 8},
        {"dop_v1_", "", 16},
    };
    for (size_t i = 0; i < ARRAY_SIZE(shapes); i++) {
        size_t n = shape_run(s, &shapes[i]);
        if (n) {
            hide(s, n);
            return true;
        }
    }
    size_t n = jwt_run(s);
    if (n)
        hide(s, n);
    return n;
}

/* `//user:pass@`, also where a password holds a slash that nobody encoded. */
static bool hide_userinfo(struct scan *s)
{
    if (s->len - s->at < 3 || memcmp(s->s + s->at, "://", 3) != 0)
        return false;
    copy(s, 3);
    size_t authority = run_until(s, s->at, "/?#\"'", true);
    const char *start = s->s + s->at;
    const char *colon = memchr(start, ':', authority);
    const char *at = memrchr(start, '@', authority);
    if (!at && colon && !isdigit((unsigned char)colon[1]))
        at = memrchr(start, '@', run_until(s, s->at, "\"'", true));
    if (at)
        hide(s, (size_t)(at - start));
    return true;
}

/* Behind a name that is a secret's: copies the separator and hides the value. Returns false, with
 * nothing written, where what follows is no value. */
static bool hide_value(struct scan *s, size_t name_len)
{
    size_t at = s->at + name_len;
    bool first = s->at == 0, quoted = false, blank = false;
    bool option = s->s[s->at] == '-';
    bool header =
        s->header || is_header_name(s->s + s->at, name_len) || strncmp(s->s + s->at, "-H", 2) == 0;
    if (at < s->len && s->s[at] == '\\')
        at++;
    if (at < s->len && strchr("\"'", s->s[at])) {
        quoted = true;
        at++;
    }
    while (at < s->len && is_blank(s->s[at]))
        at++, blank = true;
    char separator = at < s->len ? s->s[at] : '\0';
    if (separator == '=' || separator == ':')
        at++;
    else if (!(option && blank))
        return false;
    size_t value = at;
    while (at < s->len && is_blank(s->s[at]))
        at++;
    if (separator == ':' && !quoted && !header && at == value)
        return false;
    if (at < s->len && s->s[at] == '\\')
        at++;
    size_t len;
    if (first && separator == '=') {
        len = s->len - at;
    } else if (at < s->len && strchr("\"'", s->s[at])) {
        char quote[] = {s->s[at++], '\\', '\0'};
        len = run_until(s, at, quote, false);
    } else if (separator == ':') {
        len = run_until(s, at, "\"'\n", false);
    } else if (separator == '=') {
        len = run_until(s, at, "&;\"'", true);
    } else {
        len = s->s[at] == '-' ? 0 : run_until(s, at, "", true);
    }
    if (!len)
        return false;
    copy(s, at - s->at);
    hide(s, len);
    return true;
}

static bool hide_named(struct scan *s)
{
    if (!is_name(s->s[s->at]) || (s->at && is_name(s->s[s->at - 1])))
        return false;
    size_t len = 0;
    while (s->at + len < s->len && is_name(s->s[s->at + len]))
        len++;
    return is_secret_name(s->s + s->at, len) && hide_value(s, len);
}

static bool is_one_of(const char *arg, const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(arg, names[i]) == 0)
            return true;
    return false;
}

static void look_ahead(struct redact *state, const char *arg)
{
    static const char *const headers[] = {"-H", "--header", "--proxy-header"};
    static const char *const users[] = {"-u", "--user", "-U", "--proxy-user"};
    size_t len = strlen(arg);
    bool plain = len > 1 && arg[0] == '-';
    for (size_t i = 0; i < len && plain; i++)
        plain = is_name(arg[i]);
    state->secret = plain && is_secret_name(arg, len);
    state->header = is_one_of(arg, headers, ARRAY_SIZE(headers));
    state->userpass = is_one_of(arg, users, ARRAY_SIZE(users));
}

/* An option behind an option means that the first was a flag; a password may begin with a hyphen,
 * but hardly with two, nor be one letter long. */
static bool is_option(const char *arg)
{
    return arg[0] == '-' && (arg[1] == '-' || (arg[1] && !arg[2]));
}

bool redact_arg(struct redact *state, const char *arg, struct buffer *out)
{
    struct redact before = *state;
    look_ahead(state, arg);
    if (before.secret && *arg && !is_option(arg)) {
        buffer_add_string(out, HIDDEN);
        return true;
    }
    const char *colon = strchr(arg, ':');
    if (before.userpass && colon && colon[1]) {
        buffer_add(out, arg, (size_t)(colon + 1 - arg));
        buffer_add_string(out, HIDDEN);
        return true;
    }
    struct scan s = {.s = arg, .len = strlen(arg), .out = out, .header = before.header};
    while (s.at < s.len) {
        bool boundary = s.at == 0 || !is_alnum(arg[s.at - 1]);
        if ((boundary && hide_token(&s)) || hide_userinfo(&s) || hide_named(&s))
            continue;
        copy(&s, 1);
    }
    return s.hidden;
}
