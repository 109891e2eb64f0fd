/* SPDX-License-Identifier: MIT
 * Names of DNS messages. A compression pointer must lead to before the piece of name that holds
 * it, so that no chain of them comes back to where it was. */
#include "dns/wire_name.h"

#include <errno.h>
#include <string.h>

#include "rules/policy.h"

enum { LABEL_MAX = 63, POINTER = 0xc0 };

int dns_name_read(struct dns_bytes message, size_t *at, struct dns_name *out)
{
    size_t here = *at, piece = *at, len = 0;
    unsigned hops = 0;
    for (;;) {
        if (here >= message.len)
            return -EBADMSG;
        unsigned head = message.data[here];
        if ((head & POINTER) == POINTER) {
            if (message.len - here < 2 || ++hops > DNS_LABELS_MAX)
                return -EBADMSG;
            size_t target = dns_get16(message.data + here) & 0x3fffu;
            if (target < DNS_HEADER || target >= piece)
                return -EBADMSG;
            if (hops == 1)
                *at = here + 2;
            here = piece = target;
            continue;
        }
        /* Also refuses the two label types that were never put to use. */
        if (head > LABEL_MAX || message.len - here <= head || len + 1 + head > sizeof(out->wire))
            return -EBADMSG;
        memcpy(out->wire + len, message.data + here, head + 1);
        len += head + 1;
        here += head + 1;
        if (head == 0)
            break;
    }
    out->len = len;
    if (hops == 0)
        *at = here;
    return 0;
}

uint8_t dns_lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c + ('a' - 'A')) : c;
}

bool dns_name_equal(const struct dns_name *a, const struct dns_name *b)
{
    if (a->len != b->len)
        return false;
    for (size_t i = 0; i < a->len; i++)
        if (dns_lower(a->wire[i]) != dns_lower(b->wire[i]))
            return false;
    return true;
}

static char *escape(char *out, uint8_t c)
{
    if (c <= ' ' || c > '~') {
        *out++ = '\\';
        *out++ = (char)('0' + c / 100);
        *out++ = (char)('0' + c / 10 % 10);
        *out++ = (char)('0' + c % 10);
        return out;
    }
    if (c == '.' || c == '\\')
        *out++ = '\\';
    *out++ = (char)c;
    return out;
}

void dns_name_text(const struct dns_name *name, char out[DNS_NAME_TEXT])
{
    char *to = out;
    for (size_t at = 0; name->wire[at]; at += name->wire[at] + 1u) {
        if (at)
            *to++ = '.';
        for (size_t i = 1; i <= name->wire[at]; i++)
            to = escape(to, name->wire[at + i]);
    }
    if (to == out)
        *to++ = '.';
    *to = '\0';
}

static bool is_host_byte(uint8_t c)
{
    c = dns_lower(c);
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

bool dns_name_host(const struct dns_name *name, char host[254])
{
    char text[DNS_WIRE_NAME_MAX];
    size_t len = 0;
    for (size_t at = 0; name->wire[at]; at += name->wire[at] + 1u) {
        if (at)
            text[len++] = '.';
        for (size_t i = 1; i <= name->wire[at]; i++) {
            /* A dot within a label would become two labels, and a byte beyond ASCII another name.
             */
            if (!is_host_byte(name->wire[at + i]))
                return false;
            text[len++] = (char)name->wire[at + i];
        }
    }
    return len > 0 && name_normalize(text, len, host) == 0;
}

int dns_name_parse(const char *host, struct dns_name *out)
{
    size_t len = 0;
    while (*host) {
        size_t label = strcspn(host, ".");
        if (label == 0 || label > LABEL_MAX || len + 1 + label + 1 > sizeof(out->wire))
            return -EINVAL;
        out->wire[len++] = (uint8_t)label;
        memcpy(out->wire + len, host, label);
        len += label;
        host += label;
        if (*host == '.' && *++host == '\0')
            return -EINVAL;
    }
    if (len == 0)
        return -EINVAL;
    out->wire[len++] = 0;
    out->len = len;
    return 0;
}
