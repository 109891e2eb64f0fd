/* SPDX-License-Identifier: MIT
 * The second matcher's reader of policies (POLICY-LANGUAGE.md, sections 1 to 4). It reads what the
 * generator of oracle_make.h writes, which is never in error, so it refuses nothing: it aborts. */
#pragma once

#include <arpa/inet.h>
#include <stdint.h>
#include <stdio.h>

#include "unit/oracle_path.h"
#include "unit/oracle_words.h"

enum { ORACLE_RULES = 192, ORACLE_SELECTORS = 20, ORACLE_RANGES = 4 };

enum oracle_type {
    ORACLE_HOST,
    ORACLE_WILDCARD,
    ORACLE_IP,
    ORACLE_CIDR,
    ORACLE_URL,
    ORACLE_PATH_RULE,
    ORACLE_DNS,
    ORACLE_DNS_WILDCARD,
    ORACLE_TYPES
};

enum oracle_keyword {
    ORACLE_PASSTHROUGH = 1,
    ORACLE_INSECURE = 2,
    ORACLE_PRIVATE = 4,
    ORACLE_WEBSOCKET = 8,
    ORACLE_EXPECTED = 16,
};

enum oracle_from { ORACLE_FROM_LINE, ORACLE_FROM_HEADER, ORACLE_FROM_INCLUDE };

struct oracle_selector {
    char name[16];
    char value[ORACLE_WORD];
    bool literal; /* "…": no wildcard in it */
    enum oracle_from from;
};

/* What a header, a start context or a line says beside its target. */
struct oracle_fields {
    bool has_methods, has_ports, has_protocol;
    char methods[64]; /* upper case, joined with |, or * */
    size_t n_ranges;
    unsigned from[ORACLE_RANGES], to[ORACLE_RANGES];
    bool udp;
    char base[ORACLE_WORD]; /* URL, or "" */
    unsigned keywords;
    size_t n_selectors;
    struct oracle_selector selector[ORACLE_SELECTORS];
};

struct oracle_rule {
    bool veto;
    enum oracle_type type;
    char name[128]; /* of a host, wildcard, dns: or URL rule with a name; else "" */
    uint32_t ip, mask;
    bool https;
    unsigned url_port;
    struct oracle_path path;
    bool every_port;                                 /* a veto without ports: both protocols too */
    bool both;                                       /* a veto without a protocol */
    bool limited;                                    /* to some ports: `:*` limits nothing */
    bool above_methods, above_ports, above_protocol; /* taken from a header */
    unsigned above_keywords;
    struct oracle_fields f;
    const char *file;
    size_t line;
    char text[512];
};

struct oracle_policy {
    size_t n;
    struct oracle_rule rule[ORACLE_RULES];
};

/* What the reader is handed: files by name, and the values of the options. */
struct oracle_file {
    const char *name;    /* as a verdict shows it */
    const char *include; /* as an include names it */
    const char *text;
};

struct oracle_input {
    const struct oracle_file *file;
    size_t n_files;
    const char *context, *owner, *repo;
};

struct oracle_reader {
    const struct oracle_input *in;
    struct oracle_fields start;
    struct oracle_policy *out;
};

/* {owner} and {repo} in place. */
static inline void oracle_fill(const struct oracle_input *in, const char *text, char *out)
{
    while (*text != '\0') {
        const char *value = NULL;
        size_t width = 0;
        if (strncmp(text, "{owner}", width = 7) == 0)
            value = in->owner;
        else if (strncmp(text, "{repo}", width = 6) == 0)
            value = in->repo;
        if (value == NULL) {
            *out++ = *text++;
            continue;
        }
        strcpy(out, value);
        out += strlen(value);
        text += width;
    }
    *out = '\0';
}

static inline unsigned oracle_keyword_of(const char *word)
{
    static const char *const names[] = {"passthrough", "insecure", "private", "websocket",
                                        "expected"};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strcmp(word, names[i]) == 0)
            return 1u << i;
    return 0;
}

/* ":80|443/udp", ":*", "/udp" */
static inline void oracle_read_ports(const char *s, struct oracle_fields *f)
{
    if (*s == ':') {
        f->has_ports = true;
        f->n_ranges = 0;
        do {
            char *end;
            assert(f->n_ranges < ORACLE_RANGES);
            unsigned from = 1, to = 65535;
            if (s[1] == '*') {
                s += 2;
            } else {
                from = to = (unsigned)strtoul(s + 1, &end, 10);
                s = end;
                if (*s == '-') {
                    to = (unsigned)strtoul(s + 1, &end, 10);
                    s = end;
                }
            }
            f->from[f->n_ranges] = from;
            f->to[f->n_ranges++] = to;
        } while (*s == '|');
    }
    if (*s == '\0')
        return;
    assert(strcmp(s, "/tcp") == 0 || strcmp(s, "/udp") == 0);
    f->has_protocol = true;
    f->udp = strcmp(s, "/udp") == 0;
}

static inline void oracle_read_selector(const char *word, struct oracle_selector *s)
{
    const char *equals = strchr(word, '=');
    assert(equals != NULL && (size_t)(equals - word) < sizeof(s->name));
    memset(s, 0, sizeof(*s));
    memcpy(s->name, word, (size_t)(equals - word));
    const char *value = equals + 1;
    size_t len = strlen(value);
    s->literal = *value == '"';
    if (*value == '"' || *value == '`') {
        value++;
        len -= 2;
    }
    memcpy(s->value, value, len);
}

static inline bool oracle_is_methods(const char *word)
{
    static const char *const known[] = {"GET",    "HEAD",  "POST",    "PUT",
                                        "DELETE", "PATCH", "OPTIONS", "*"};
    size_t len = strcspn(word, "|");
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (strlen(known[i]) == len && strncasecmp(word, known[i], len) == 0)
            return word[len] == '\0' || oracle_is_methods(word + len + 1);
    return false;
}

/* One word that is no target: of a header, a context or behind a rule. */
static inline void oracle_read_field(const char *word, struct oracle_fields *f)
{
    if (oracle_keyword_of(word) != 0) {
        f->keywords |= oracle_keyword_of(word);
    } else if (oracle_is_methods(word)) {
        f->has_methods = true;
        for (size_t i = 0; i <= strlen(word); i++)
            f->methods[i] = (char)toupper((unsigned char)word[i]);
    } else if (strncmp(word, "http", 4) == 0) {
        strcpy(f->base, word);
    } else if (*word == ':') {
        oracle_read_ports(word, f);
    } else {
        assert(f->n_selectors < ORACLE_SELECTORS);
        oracle_read_selector(word, &f->selector[f->n_selectors++]);
    }
}

static inline bool oracle_names_selector(const struct oracle_fields *f, const char *name)
{
    for (size_t i = 0; i < f->n_selectors; i++)
        if (strcmp(f->selector[i].name, name) == 0)
            return true;
    return false;
}

/* The upper fields laid over the lower ones, selectors one by one by their name. */
static inline void oracle_lay_over(const struct oracle_fields *lower,
                                   const struct oracle_fields *upper, struct oracle_fields *out)
{
    struct oracle_fields f = *lower;
    if (upper->has_methods)
        strcpy(f.methods, upper->methods);
    if (upper->has_ports) {
        f.n_ranges = upper->n_ranges;
        memcpy(f.from, upper->from, sizeof(f.from));
        memcpy(f.to, upper->to, sizeof(f.to));
    }
    if (upper->has_protocol)
        f.udp = upper->udp;
    if (upper->base[0] != '\0')
        strcpy(f.base, upper->base);
    f.has_methods |= upper->has_methods;
    f.has_ports |= upper->has_ports;
    f.has_protocol |= upper->has_protocol;
    f.keywords |= upper->keywords;
    f.n_selectors = 0;
    for (size_t i = 0; i < lower->n_selectors; i++) {
        if (oracle_names_selector(upper, lower->selector[i].name))
            continue;
        f.selector[f.n_selectors] = lower->selector[i];
        f.selector[f.n_selectors++].from = ORACLE_FROM_HEADER;
    }
    for (size_t i = 0; i < upper->n_selectors; i++) {
        assert(f.n_selectors < ORACLE_SELECTORS);
        f.selector[f.n_selectors++] = upper->selector[i];
    }
    *out = f;
}

/* Letter case, and the one name beyond ASCII that the generator knows. */
static inline void oracle_read_name(const char *text, size_t len, char *out)
{
    char copy[128] = "";
    static const char beyond[] = "b\xc3\xbc"
                                 "cher.example";
    assert(len < sizeof(copy));
    memcpy(copy, text, len);
    char *at = strstr(copy, beyond);
    if (at != NULL)
        strcpy(at, "xn--bcher-kva.example");
    for (size_t i = 0; i <= strlen(copy); i++)
        out[i] = (char)tolower((unsigned char)copy[i]);
}

static inline bool oracle_read_ip(const char *text, size_t len, uint32_t *ip)
{
    char copy[20] = "";
    struct in_addr a;
    if (len >= sizeof(copy))
        return false;
    memcpy(copy, text, len);
    if (inet_pton(AF_INET, copy, &a) != 1)
        return false;
    *ip = ntohl(a.s_addr);
    return true;
}

/* A URL, or the base URL with a path behind it. */
static inline void oracle_read_url(const char *url, const char *below, struct oracle_rule *r)
{
    char path[ORACLE_PATH];
    r->https = strncmp(url, "https://", 8) == 0;
    r->url_port = r->https ? 443 : 80;
    const char *host = strstr(url, "://") + 3;
    size_t authority = strcspn(host, "/"), len = strcspn(host, "/:");
    if (len < authority)
        r->url_port = (unsigned)strtoul(host + len + 1, NULL, 10);
    if (oracle_read_ip(host, len, &r->ip))
        r->mask = UINT32_MAX;
    else
        oracle_read_name(host, len, r->name);
    snprintf(path, sizeof(path), "%s%s", host + authority, below);
    oracle_path_read(path, &r->path);
    assert(!r->path.bad);
}

/* TARGET[:PORTS][/PROTO]; the fields hold what header and context say so far. */
static inline void oracle_read_target(const char *word, const char *base, struct oracle_fields *f,
                                      struct oracle_rule *r)
{
    size_t len = strlen(word);
    if (strncmp(word, "http://", 7) == 0 || strncmp(word, "https://", 8) == 0) {
        r->type = ORACLE_URL;
        oracle_read_url(word, "", r);
        return;
    }
    if (*word == '/') {
        r->type = ORACLE_PATH_RULE;
        assert(base[0] != '\0');
        oracle_read_url(base, word, r);
        return;
    }
    if (strncmp(word, "dns:", 4) == 0) {
        oracle_read_name(word + 4, len - 4, r->name);
        r->type = strchr(r->name, '*') != NULL ? ORACLE_DNS_WILDCARD : ORACLE_DNS;
        return;
    }
    if (len > 4 && (strcmp(word + len - 4, "/tcp") == 0 || strcmp(word + len - 4, "/udp") == 0))
        len -= 4;
    size_t bare = strcspn(word, ":");
    bare = bare < len ? bare : len;
    oracle_read_ports(word + bare, f);
    size_t slash = strcspn(word, "/");
    slash = slash < bare ? slash : bare;
    if (!oracle_read_ip(word, slash, &r->ip)) {
        oracle_read_name(word, bare, r->name);
        r->type = strchr(r->name, '*') != NULL ? ORACLE_WILDCARD : ORACLE_HOST;
        return;
    }
    r->type = slash < bare ? ORACLE_CIDR : ORACLE_IP;
    unsigned bits = slash < bare ? (unsigned)strtoul(word + slash + 1, NULL, 10) : 32;
    r->mask = bits == 0 ? 0 : UINT32_MAX << (32 - bits);
    r->ip &= r->mask;
}

static inline void oracle_read_rule(struct oracle_reader *reader, const struct oracle_words *words,
                                    const struct oracle_fields *context,
                                    const struct oracle_fields *added, struct oracle_rule *r)
{
    struct oracle_fields line = {0}, below = {0};
    size_t at = 0;
    r->veto = strcmp(words->word[0], "deny") == 0;
    at += r->veto;
    if (oracle_is_methods(words->word[at]))
        oracle_read_field(words->word[at++], &line);
    char target[ORACLE_WORD * 2];
    oracle_fill(reader->in, words->word[at++], target);
    oracle_read_target(target, context->base, &line, r);
    for (; at < words->n; at++)
        oracle_read_field(words->word[at], &line);
    if (r->veto) { /* selectors and the base URL from the header, and nothing else */
        below.n_selectors = context->n_selectors;
        memcpy(below.selector, context->selector, sizeof(below.selector));
        r->every_port = !line.has_ports;
        r->both = !line.has_protocol;
        r->limited = line.has_ports && !(line.from[0] == 1 && line.to[0] == 65535);
        if (!line.has_methods)
            strcpy(below.methods, "*");
    } else {
        below = *context;
    }
    oracle_lay_over(&below, &line, &r->f);
    for (size_t i = 0; i < added->n_selectors; i++) {
        assert(r->f.n_selectors < ORACLE_SELECTORS);
        r->f.selector[r->f.n_selectors] = added->selector[i];
        r->f.selector[r->f.n_selectors++].from = ORACLE_FROM_INCLUDE;
    }
    r->above_methods = context->has_methods && !line.has_methods;
    r->above_ports = context->has_ports && !line.has_ports;
    r->above_protocol = context->has_protocol && !line.has_protocol;
    r->above_keywords = context->keywords;
}

static inline void oracle_read_header(const struct oracle_reader *reader, const char *text,
                                      struct oracle_fields *out)
{
    char inner[512], filled[1024];
    struct oracle_words words;
    struct oracle_fields f = {0};
    size_t len = strlen(text);
    assert(len < sizeof(inner) && text[0] == '[' && text[len - 1] == ']');
    memcpy(inner, text + 1, len - 2);
    inner[len - 2] = '\0';
    oracle_fill(reader->in, inner, filled);
    oracle_split(filled, &words);
    for (size_t i = 0; i < words.n; i++)
        oracle_read_field(words.word[i], &f);
    f.has_protocol |= f.has_ports; /* ports and protocol are one part of a header */
    oracle_lay_over(&reader->start, &f, out);
}

static inline void oracle_read_file(struct oracle_reader *reader, const struct oracle_file *file,
                                    const struct oracle_fields *added);

static inline void oracle_read_include(struct oracle_reader *reader,
                                       const struct oracle_words *words,
                                       const struct oracle_fields *added)
{
    struct oracle_fields more = *added;
    for (size_t i = 2; i < words->n; i++)
        oracle_read_field(words->word[i], &more);
    for (size_t i = 0; i < reader->in->n_files; i++)
        if (strcmp(reader->in->file[i].include, words->word[1]) == 0)
            oracle_read_file(reader, &reader->in->file[i], &more);
}

static inline void oracle_read_file(struct oracle_reader *reader, const struct oracle_file *file,
                                    const struct oracle_fields *added)
{
    struct oracle_fields context = reader->start;
    const char *text = file->text;
    size_t number = 0;
    if (strncmp(text, "\xef\xbb\xbf", 3) == 0)
        text += 3;
    while (*text != '\0') {
        char bare[512];
        struct oracle_words words;
        size_t len = strcspn(text, "\n");
        assert(len < sizeof(bare));
        oracle_bare(text, len, bare);
        text += len + (text[len] == '\n');
        number++;
        if (bare[0] == '\0')
            continue;
        if (bare[0] == '[') {
            oracle_read_header(reader, bare, &context);
            continue;
        }
        oracle_split(bare, &words);
        if (strcmp(words.word[0], "include") == 0) {
            oracle_read_include(reader, &words, added);
            continue;
        }
        assert(reader->out->n < ORACLE_RULES);
        struct oracle_rule *r = &reader->out->rule[reader->out->n++];
        memset(r, 0, sizeof(*r));
        oracle_read_rule(reader, &words, &context, added, r);
        r->file = file->name;
        r->line = number;
        strcpy(r->text, bare);
    }
}

/* The first file is the policy; the others are what it may include. */
static inline void oracle_read(const struct oracle_input *in, struct oracle_policy *out)
{
    struct oracle_reader reader = {.in = in, .out = out};
    struct oracle_fields none = {0};
    reader.start = (struct oracle_fields){.methods = "GET|HEAD", .n_ranges = 1};
    reader.start.from[0] = reader.start.to[0] = 443;
    out->n = 0;
    if (in->context != NULL)
        oracle_read_header(&reader, in->context, &reader.start);
    oracle_read_file(&reader, &in->file[0], &none);
}
