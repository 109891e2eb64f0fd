/* SPDX-License-Identifier: MIT
 * scheme://host[:port][/path][?query][#fragment], no more than the log holds. */
#include "review/event_url.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

static const char *parse_port(const char *text, size_t len, uint16_t *out)
{
    unsigned long port = 0;
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9' || port > UINT16_MAX)
            return "has a port that is no number";
        port = port * 10 + (unsigned long)(text[i] - '0');
    }
    if (port == 0 || port > UINT16_MAX)
        return "has a port that is not within 1 to 65535";
    *out = (uint16_t)port;
    return NULL;
}

static const char *parse_authority(const char *text, size_t len, struct event_url *out)
{
    if (memchr(text, '@', len))
        return "has a user in it; leave that out";
    const char *colon = memchr(text, ':', len);
    out->ipv6 = len > 0 && text[0] == '[';
    if (out->ipv6)
        return memchr(text, ']', len) ? NULL : "has an address without its ]";
    size_t host = colon ? (size_t)(colon - text) : len;
    if (host == 0)
        return "has no host";
    if (host >= sizeof(out->host))
        return "has a host longer than any name";
    memcpy(out->host, text, host);
    out->host[host] = '\0';
    return colon ? parse_port(colon + 1, len - host - 1, &out->port) : NULL;
}

const char *event_url_parse(const char *url, struct event_url *out)
{
    static const struct {
        const char *scheme;
        uint16_t port;
    } schemes[] = {{"http://", 80}, {"https://", 443}};
    size_t i = 0;
    while (i < ARRAY_SIZE(schemes) &&
           strncasecmp(url, schemes[i].scheme, strlen(schemes[i].scheme)) != 0)
        i++;
    if (i == ARRAY_SIZE(schemes))
        return "does not begin with http:// or https://";
    out->https = i == 1;
    out->port = schemes[i].port;
    const char *authority = url + strlen(schemes[i].scheme);
    size_t len = strcspn(authority, "/?#");
    const char *problem = parse_authority(authority, len, out);
    const char *path = authority + len;
    size_t path_len = strcspn(path, "?#");
    if (path_len == 0) {
        path = "/";
        path_len = 1;
    }
    if (!problem && path_len >= sizeof(out->path))
        return "has a path longer than any request's";
    memcpy(out->path, path, problem ? 0 : path_len);
    out->path[problem ? 0 : path_len] = '\0';
    return problem;
}
