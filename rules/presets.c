/* SPDX-License-Identifier: MIT
 * Shipped rule sets by name. Their bytes are made into a list by the Makefile. */
#include "rules/presets.h"

#include <errno.h>
#include <string.h>

#include "rules/address.h"

enum { RESOLVERS_READ_MAX = 16 }; /* resolv.conf(5) knows three; some hosts list more */

static const struct {
    const char *file; /* its name in diagnostics: @NAME */
    const char *text;
} presets[] = {
#include "rules/presets.inc"
};

size_t preset_count(void)
{
    return ARRAY_SIZE(presets);
}

const char *preset_name(size_t i)
{
    return presets[i].file + 1;
}

int preset_find(const char *name, struct policy_source *out)
{
    for (size_t i = 0; i < ARRAY_SIZE(presets); i++) {
        if (strcmp(presets[i].file + 1, name) != 0)
            continue;
        *out = (struct policy_source){presets[i].file, presets[i].text, strlen(presets[i].text)};
        return 0;
    }
    return -ENOENT;
}

void preset_write_resolvers(const uint32_t *ips, size_t n, struct buffer *out)
{
    buffer_add_string(out, "# The resolvers in this machine's /etc/resolv.conf.\n\n");
    for (size_t i = 0; i < n; i++) {
        bool again = false;
        for (size_t k = 0; k < i; k++)
            again = again || ips[k] == ips[i];
        if (!again)
            buffer_printf(out, "%u.%u.%u.%u:53/udp\n", ips[i] >> 24, ips[i] >> 16 & 255,
                          ips[i] >> 8 & 255, ips[i] & 255);
    }
}

static size_t word_length(const char *text, size_t len)
{
    size_t n = 0;
    while (n < len && text[n] != ' ' && text[n] != '\t' && text[n] != '\r')
        n++;
    return n;
}

static size_t blank_length(const char *text, size_t len)
{
    size_t n = 0;
    while (n < len && (text[n] == ' ' || text[n] == '\t'))
        n++;
    return n;
}

/* Whether a line is `nameserver IPV4`; names of interfaces and IPv6 are for others. */
static bool nameserver(const char *line, size_t len, uint32_t *ip)
{
    static const char key[] = "nameserver";
    size_t at = blank_length(line, len), n = word_length(line + at, len - at);
    if (n != sizeof(key) - 1 || memcmp(line + at, key, n) != 0)
        return false;
    at += n;
    at += blank_length(line + at, len - at);
    return address_parse(line + at, word_length(line + at, len - at), ip);
}

void preset_read_resolv_conf(const char *text, size_t len, struct buffer *out)
{
    uint32_t ips[RESOLVERS_READ_MAX];
    size_t n = 0;
    while (len > 0 && n < ARRAY_SIZE(ips)) {
        const char *end = memchr(text, '\n', len);
        size_t line = end ? (size_t)(end - text) : len;
        n += nameserver(text, line, &ips[n]);
        line += end != NULL;
        text += line;
        len -= line;
    }
    preset_write_resolvers(ips, n, out);
}
