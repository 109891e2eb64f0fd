/* SPDX-License-Identifier: MIT
 * From a denial to its line. What is let into a line is an allowlist of characters, narrower than
 * the language: whatever else a name, a path or a program holds, there is no line for it. */
#include "audit/suggest_line.h"

#include <string.h>
#include <strings.h>

#include "rules/address.h"
#include "rules/path.h"
#include "rules/policy.h"

#define URL_MAX 400
/* A look-up and the connection that it is for. */
#define ONCE_US (10 * 1000000u)

static bool all_of(const char *s, size_t len, const char *beside)
{
    for (size_t i = 0; i < len; i++) {
        char c = s[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!plain && (!c || !strchr(beside, c)))
            return false;
    }
    return len > 0;
}

/* A name in its normal form. A single label can be a word of the language, or one that its hints
 * know from other languages. */
static bool is_name(const char *name, size_t len)
{
    static const char *const words[] = {
        "deny",   "include", "allow",   "block",    "permit",   "accept",      "drop",
        "reject", "get",     "head",    "post",     "put",      "delete",      "patch",
        "dns",    "options", "private", "insecure", "expected", "passthrough", "websocket"};
    char normal[NAME_MAX_LEN + 1];
    if (!all_of(name, len, "-_.") || len > NAME_MAX_LEN || name_normalize(name, len, normal) < 0 ||
        strlen(normal) != len || memcmp(normal, name, len) != 0)
        return false;
    for (size_t i = 0; i < ARRAY_SIZE(words); i++)
        if (strlen(words[i]) == len && memcmp(words[i], name, len) == 0)
            return false;
    return true;
}

/* The last label begins with a letter and has no underscore in the language. */
static bool is_rule_name(const char *name, size_t len)
{
    const char *dot = memrchr(name, '.', len);
    const char *last = dot ? dot + 1 : name;
    size_t last_len = len - (size_t)(last - name);
    return is_name(name, len) && last_len > 0 && ((*last | 32) >= 'a' && (*last | 32) <= 'z') &&
           !memchr(last, '_', last_len);
}

static bool is_local_name(const char *name, size_t len)
{
    static const char local[] = "localhost";
    size_t n = sizeof(local) - 1;
    return len >= n && memcmp(name + len - n, local, n) == 0 &&
           (len == n || name[len - n - 1] == '.');
}

/* In double quotes everything stands for itself but the quote, and placeholders. */
static bool is_value(const struct row_text *t)
{
    for (size_t i = 0; i < t->len; i++)
        if (t->data[i] < 0x20 || t->data[i] > 0x7e || t->data[i] == '"' || t->data[i] == '{')
            return false;
    return t->len > 0 && !t->cut;
}

/* A selector's value, quoted where a character of it could mean something. */
static void put_value(struct buffer *out, const char *name, const char *value)
{
    bool plain = all_of(value, strlen(value), "/._+-");
    buffer_printf(out, plain ? " %s=%s" : " %s=\"%s\"", name, value);
}

/* Who may. A program whose path no rule can hold has no line: one for everybody is more than it
 * asked for. */
static const char *set_who(struct line *l)
{
    const struct summary_row *row = l->row;
    if (row->program_counts && (!is_value(&row->program) || row->program.data[0] != '/'))
        return "the path of its program cannot stand in a rule, and a line without exe= would "
               "allow every program";
    if (row->container.len && !is_value(&row->container))
        return "the name of its container cannot stand in a rule";
    l->exe = row->program_counts ? row->program.data : NULL;
    l->container = row->container.len ? row->container.data : NULL;
    return NULL;
}

static const char *set_name(struct line *l, enum line_class class, const struct row_text *name)
{
    if (name->cut || !is_rule_name(name->data, name->len))
        return "a rule cannot hold this name";
    if (is_local_name(name->data, name->len))
        return "it is the command's own machine, which is not judged; --host-port N lets in one "
               "port of the host's";
    l->class = class;
    l->target = l->host = name->data;
    l->host_len = name->len;
    return NULL;
}

static const char *set_ip(struct line *l, uint32_t ip)
{
    l->class = LINE_IP;
    l->ip = ip;
    l->host = "";
    if (!l->port)
        return "its port is not known";
    if (ip >> 24 == 127)
        return "it is the command's own machine, which is not judged; --host-port N lets in one "
               "port of the host's";
    if (l->udp && (ip >> 28 >= 14 || (ip & ~3u) == 0xc0000000))
        return "UDP to groups, to broadcasts and to the filter is not relayed";
    return NULL;
}

/* scheme://host[:port]/path, of characters that mean nothing but themselves. */
static const char *set_url(struct line *l, const struct summary_row *row)
{
    static const char bad[] = "a rule cannot hold this URL";
    static const char *const methods[] = {"POST", "PUT", "DELETE", "PATCH", "OPTIONS", "HEAD"};
    const char *url = row->destination.data, *host = strstr(url, "://");
    bool https = strncmp(url, "https://", 8) == 0;
    char normal[URL_MAX + 1];
    size_t normal_len;
    uint32_t ip = 0;
    if (row->destination.cut || row->destination.len > URL_MAX || !host ||
        !(https || strncmp(url, "http://", 7) == 0) ||
        !all_of(url, row->destination.len, "-._~!$&'()+,;=:@/%"))
        return bad;
    host += 3;
    const char *slash = strchr(host, '/');
    if (!slash || rule_path_normalize(slash, strlen(slash), normal, sizeof(normal), &normal_len))
        return bad;
    const char *colon = memchr(host, ':', (size_t)(slash - host));
    uint32_t port = https ? 443 : 80;
    l->host_len = (size_t)((colon ? colon : slash) - host);
    if ((colon && !decimal_parse(colon + 1, (size_t)(slash - colon - 1), UINT16_MAX, &port)) ||
        !port || (!is_rule_name(host, l->host_len) && !address_parse(host, l->host_len, &ip)) ||
        is_local_name(host, l->host_len))
        return bad;
    for (size_t i = 0; i < ARRAY_SIZE(methods); i++)
        if (strcmp(row->method, methods[i]) == 0)
            l->method = methods[i];
    if (!*l->method && strcmp(row->method, "GET") != 0)
        return "its method has no word of its own in a rule; only * would allow it, with all "
               "others";
    l->class = LINE_URL;
    l->target = url;
    l->host = host;
    l->ip = ip;
    if (!is_rule_name(host, l->host_len)) { /* an address, beside others */
        l->private = false;
        l->host_len = 0;
    }
    l->port = (uint16_t)port;
    return NULL;
}

/* Look-ups of what is not connected to open nothing but the look-up. One for an address that was
 * denied hides what would have followed, so the language's own port is taken for it. */
static const char *set_query(struct line *l, const struct summary_row *row)
{
    l->port = row->address_asked ? 443 : 0;
    l->udp = false;
    if (row->resolver_only)
        return "";
    return set_name(l, row->address_asked ? LINE_HOST : LINE_DNS, &row->destination);
}

static const char *set_target(struct line *l, const struct summary_row *row)
{
    switch (row->kind) {
    case ROW_HOST:
        if (!l->port)
            return "its port is not known";
        return set_name(l, LINE_HOST, &row->destination);
    case ROW_DNS:
        return set_query(l, row);
    case ROW_URL:
        return set_url(l, row);
    case ROW_IP:
        return row->destination.len ? set_ip(l, row->ip) : "its address is not known";
    case ROW_IPV6:
        return "IPv6 is closed; no rule opens it";
    case ROW_OTHER:
        return "no rule opens this protocol";
    case ROW_OTHERS:
        break;
    }
    return "there were too many destinations to keep them apart; see the log";
}

/* Why no line would allow it, for the reasons that a new allow rule does not answer. NULL: one
 * would. */
static const char *why_not(const struct summary_row *row)
{
    static const struct {
        const char *reason, *why;
    } reasons[] = {
        {"", NULL},
        {"no-rule", NULL},
        {"private-address", NULL},
        {"metadata-address", NULL},
        {"resolver", NULL},
        {"unattributed", "whose it was is not known, and a rule asks"},
        {"sni-mismatch", "the names in TLS and in the request differ"},
        {"dst-mismatch", "the address is not one of that name"},
        {"tls-verify", "the server's certificate is not valid"},
        {"ech", "the true name is encrypted (ECH)"},
        {"hello-changed", "its second ClientHello named another server"},
        {"doh", "DNS over HTTPS is judged by the name inside"},
        {"malformed", "the bytes were malformed"},
        {"limit", "a limit was reached"},
        {"unsupported", "a rule allows it, but UDP to groups and to the filter is not relayed"},
        {"name-limit", "too much was asked below a wildcard; name what is needed exactly"},
        {"inspect", "URL rules name it, and TLS and HTTP are not opened in this release"},
        {"zone-transfer", "zone transfers are refused"},
        {"loopback", "it lies at this machine's loopback; --host-port N lets in one port of it"},
    };
    for (size_t i = 0; i < ARRAY_SIZE(reasons); i++)
        if (strcmp(row->reason, reasons[i].reason) == 0)
            return reasons[i].why;
    return "the reason is not one that a rule answers; see the log";
}

static bool say_veto(const struct summary_row *row, struct buffer *why)
{
    if (strcmp(row->reason, "veto") != 0)
        return false;
    if (!row->rule_file.len) {
        buffer_add_string(why, "a deny rule stands against it");
        return true;
    }
    summary_put_safe(why, row->rule_file.data, row->rule_file.len);
    buffer_printf(why, ":%llu denies it, `", (unsigned long long)row->line);
    summary_put_safe(why, row->rule.data ? row->rule.data : "", row->rule.len);
    buffer_add_string(why, "`; no line overrules that");
    return true;
}

static void start(const struct summary_row *row, struct line *out)
{
    *out = (struct line){.row = row,
                         .port = row->port,
                         .udp = row->udp,
                         .private = row->private,
                         .method = "",
                         .count = row->denied,
                         .first_us = row->first_us,
                         .last_us = row->last_us,
                         .n_seen = row->n_seen,
                         .runs = row->runs,
                         .looked_up = row->kind == ROW_DNS ? row->denied : 0,
                         .connected = row->kind != ROW_DNS};
    memcpy(out->seen, row->seen, sizeof(out->seen));
}

bool line_of(const struct summary_row *row, struct line *out, struct buffer *why)
{
    start(row, out);
    if (say_veto(row, why))
        return false;
    bool closed = row->kind == ROW_IPV6 || row->kind == ROW_OTHER || row->kind == ROW_OTHERS;
    const char *text = closed ? NULL : why_not(row);
    text = text ? text : set_target(out, row);
    text = text ? text : set_who(out);
    if (!text && row->metadata && out->host_len)
        text = "metadata services are reached by address rules only";
    if (text)
        buffer_add_string(why, text);
    return !text;
}

bool line_of_resolver(const struct summary_row *row, struct line *out)
{
    start(row, out);
    return row->kind == ROW_DNS && row->ip && strcmp(row->reason, "veto") != 0 && !why_not(row) &&
           !set_ip(out, row->ip) && !set_who(out);
}

bool line_is_once(const struct line *l)
{
    if (l->count <= 1)
        return true;
    /* One try is looked up twice, for both families, and then connected to: by one process that is
     * known, about one name, within seconds. */
    bool one_name = l->class != LINE_IP || l->looked_up == 0;
    return l->count - l->looked_up <= 1 && l->looked_up <= 2 && l->n_seen == 1 && l->runs <= 1 &&
           one_name && l->last_us - l->first_us <= ONCE_US;
}

void line_write(const struct line *l, struct buffer *out)
{
    if (*l->method)
        buffer_printf(out, "%s ", l->method);
    if (l->class == LINE_IP)
        buffer_printf(out, "%u.%u.%u.%u", l->ip >> 24, l->ip >> 16 & 255, l->ip >> 8 & 255,
                      l->ip & 255);
    else
        buffer_printf(out, "%s%s", l->class == LINE_DNS ? "dns:" : "", l->target);
    bool ported = l->class == LINE_HOST || l->class == LINE_IP;
    if (ported && (l->port != 443 || l->udp))
        buffer_printf(out, ":%u%s", l->port, l->udp ? "/udp" : "");
    if (l->private && (l->class == LINE_HOST || l->class == LINE_URL))
        buffer_add_string(out, " private");
    if (l->exe)
        put_value(out, "exe", l->exe);
    if (l->container)
        put_value(out, "container", l->container);
}

bool suggest_row(const struct summary_row *row, struct buffer *out)
{
    struct line line;
    bool resolver = row->kind == ROW_DNS && row->resolver_only;
    bool good = resolver ? line_of_resolver(row, &line) : line_of(row, &line, out);
    if (resolver && !good)
        buffer_add_string(out, "no rule can name its resolver");
    if (good)
        line_write(&line, out);
    return good;
}
