/* SPDX-License-Identifier: MIT
 * DNS messages out of text, for the tests of the DNS stage: questions such as "www.x.org A", and
 * records such as "www.x.org CNAME c.x.org 60; c.x.org A 10.0.0.1 60; + . OPT 1232 0", where ~ puts
 * a record into the authority section and + into the additional one. Names and record data are
 * written without any of the code under test. */
#pragma once

#include <arpa/inet.h>
#include <assert.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/attrib.h"
#include "dns/wire.h"

struct message {
    size_t len;
    uint8_t data[DNS_MESSAGE_MAX];
};

static inline void message_bytes(struct message *m, const void *data, size_t n)
{
    assert(n <= sizeof(m->data) - m->len);
    memcpy(m->data + m->len, data, n);
    m->len += n;
}

static inline void message_16(struct message *m, unsigned v)
{
    message_bytes(m, (uint8_t[]){(uint8_t)(v >> 8), (uint8_t)v}, 2);
}

static inline void message_32(struct message *m, uint32_t v)
{
    message_16(m, v >> 16);
    message_16(m, v & 0xffff);
}

/* "@12" is a pointer to offset 12. */
static inline void message_name(struct message *m, const char *name)
{
    if (*name == '@') {
        message_16(m, 0xc000u | (unsigned)atoi(name + 1));
        return;
    }
    while (*name && *name != '.') {
        uint8_t len = (uint8_t)strcspn(name, ".@");
        message_bytes(m, &len, 1);
        message_bytes(m, name, len);
        name += len;
        if (*name == '.')
            name++;
        if (*name == '@') {
            message_name(m, name);
            return;
        }
    }
    message_bytes(m, "", 1);
}

enum value_kind { VALUE_IP, VALUE_NAME, VALUE_MX, VALUE_SRV, VALUE_SOA, VALUE_RAW };

static inline unsigned message_type(const char *word, enum value_kind *kind)
{
    static const struct {
        const char *word;
        unsigned type;
        enum value_kind kind;
    } types[] = {
        {"A", DNS_A, VALUE_IP},           {"NS", DNS_NS, VALUE_NAME},
        {"CNAME", DNS_CNAME, VALUE_NAME}, {"SOA", DNS_SOA, VALUE_SOA},
        {"PTR", DNS_PTR, VALUE_NAME},     {"MX", DNS_MX, VALUE_MX},
        {"TXT", DNS_TXT, VALUE_RAW},      {"AAAA", DNS_AAAA, VALUE_RAW},
        {"SRV", DNS_SRV, VALUE_SRV},      {"DNAME", 39, VALUE_NAME},
        {"OPT", DNS_OPT, VALUE_RAW},      {"SVCB", DNS_SVCB, VALUE_RAW},
        {"HTTPS", DNS_HTTPS, VALUE_RAW},  {"AXFR", DNS_AXFR, VALUE_RAW},
        {"ANY", DNS_ANY, VALUE_RAW},      {"NULL", 10, VALUE_RAW},
        {"TYPE999", 999, VALUE_RAW},
    };
    for (size_t i = 0; i < ARRAY_SIZE(types); i++)
        if (strcmp(types[i].word, word) == 0) {
            *kind = types[i].kind;
            return types[i].type;
        }
    fprintf(stderr, "no type that this helper knows: %s\n", word);
    abort();
}

static inline void message_value(struct message *m, enum value_kind kind, const char *value)
{
    struct in_addr ip;
    switch (kind) {
    case VALUE_IP:
        if (inet_pton(AF_INET, value, &ip) == 1)
            message_bytes(m, &ip, 4);
        else
            message_bytes(m, value, strlen(value));
        break;
    case VALUE_SRV:
        message_32(m, 0);
        message_16(m, 443);
        message_name(m, value);
        break;
    case VALUE_MX:
        message_16(m, 10);
        message_name(m, value);
        break;
    case VALUE_NAME:
        message_name(m, value);
        break;
    case VALUE_SOA:
        message_name(m, value);
        message_name(m, "hostmaster.@12");
        for (uint32_t i = 1; i <= 5; i++)
            message_32(m, i);
        break;
    case VALUE_RAW:
        if (*value == '=') { /* an EDNS option, a cookie */
            message_16(m, 10);
            message_16(m, (unsigned)strlen(++value));
        }
        message_bytes(m, value, strlen(value));
        break;
    }
}

/* For OPT the value is the option bytes as text, "-" for none, and the ttl is the field's value. */
static inline void message_record(struct message *m, const char *text)
{
    char owner[300], type[16], value[300];
    unsigned long ttl = 0;
    enum value_kind kind;
    int n = sscanf(text, " %299s %15s %299s %lu", owner, type, value, &ttl);
    assert(n >= 3);
    message_name(m, owner);
    unsigned number = message_type(type, &kind);
    message_16(m, number);
    message_16(m, number == DNS_OPT ? 1232 : 1);
    message_32(m, (uint32_t)ttl);
    size_t at = m->len;
    message_16(m, 0);
    if (strcmp(value, "-") != 0)
        message_value(m, kind, value);
    m->data[at] = (uint8_t)((m->len - at - 2) >> 8);
    m->data[at + 1] = (uint8_t)(m->len - at - 2);
}

static inline void message_question(struct message *m, const char *question)
{
    char name[300], type[16];
    enum value_kind kind;
    int n = sscanf(question, "%299s %15s", name, type);
    assert(n == 2);
    message_name(m, name);
    message_16(m, message_type(type, &kind));
    message_16(m, 1);
}

/* A message with one question and the records of the text; `flags` as in the header. */
static inline void message_make(struct message *m, unsigned id, unsigned flags,
                                const char *question, const char *records)
{
    char copy[4096];
    char *rest = NULL;
    m->len = 0;
    message_16(m, id);
    message_16(m, flags);
    message_16(m, 1);
    message_16(m, 0);
    message_32(m, 0);
    message_question(m, question);
    int n = snprintf(copy, sizeof(copy), "%s", records);
    assert(n >= 0 && (size_t)n < sizeof(copy));
    for (char *one = strtok_r(copy, ";", &rest); one; one = strtok_r(NULL, ";", &rest)) {
        one += strspn(one, " ");
        unsigned section = *one == '~' ? 1 : *one == '+' ? 2 : 0;
        if (section)
            one++;
        m->data[7 + 2 * section]++;
        message_record(m, one);
    }
}

/* A copy of bytes that ends where a page that must not be touched begins. */
static inline const uint8_t *at_guard(const void *data, size_t len)
{
    static uint8_t *pages;
    const size_t room = 1 << 16, guard = 1 << 16;
    if (!pages) {
        pages =
            mmap(NULL, room + guard, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        assert(pages != MAP_FAILED);
        int r = mprotect(pages + room, guard, PROT_NONE);
        assert(r == 0);
    }
    if (len)
        memcpy(pages + room - len, data, len);
    return pages + room - len;
}
