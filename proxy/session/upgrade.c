/* SPDX-License-Identifier: MIT
 * Rather than understand every command of every protocol, and then be deceived by the one that two
 * readers understand differently, this relies on what a ClientHello cannot do without: its first
 * byte, 0x16. Where a protocol never has that byte, it is TLS; where messages have lengths, TLS
 * begins between two of them; and it begins only after the server has answered. */
#include "session/upgrade.h"

#include <string.h>

enum {
    TLS_HANDSHAKE = 0x16,
    TLS_MAJOR = 0x03,
    /* MySQL, "Protocol::HandshakeResponse": 3 bytes of length, a number, 4 of capabilities. */
    MYSQL_HEADER = 4,
    MYSQL_HEAD = MYSQL_HEADER + 2,
    MYSQL_CLIENT_SSL = 0x0800,
    /* The request codes of PostgreSQL's SSLRequest and GSSENCRequest. */
    POSTGRES_HEAD = 8,
    LDAP_SEQUENCE = 0x30,
    LDAP_INTEGER = 0x02,
};

static const struct greeting {
    const char *text;
    enum upgrade_family family;
} greetings[] = {
    {"220", UPGRADE_TEXT},           /* SMTP, FTP */
    {"554", UPGRADE_TEXT},           /* SMTP that refuses, and goes on */
    {"+OK ", UPGRADE_TEXT},          /* POP3; Redis says +OK and nothing behind it */
    {"* OK", UPGRADE_TEXT},          /* IMAP */
    {"* PREAUTH", UPGRADE_TEXT},     /* IMAP */
    {"\"IMPLEMENT", UPGRADE_TEXT},   /* ManageSieve */
    {"<?xml", UPGRADE_TEXT},         /* XMPP */
    {"<stream:stream", UPGRADE_TEXT} /* XMPP */
};

enum prefix { PREFIX_NO, PREFIX_MAYBE, PREFIX_YES };

static enum prefix starts_with(const uint8_t *data, size_t len, const void *prefix, size_t n)
{
    if (memcmp(data, prefix, MIN(len, n)) != 0)
        return PREFIX_NO;
    return len < n ? PREFIX_MAYBE : PREFIX_YES;
}

/* The initial packet of protocol version 10: not long, the first of its sequence. */
static enum prefix is_mysql(const uint8_t *g, size_t n)
{
    if ((n > 1 && g[1] > 3) || (n > 2 && g[2] != 0) || (n > 3 && g[3] != 0) ||
        (n > 4 && g[4] != 10))
        return PREFIX_NO;
    return n > 4 ? PREFIX_YES : PREFIX_MAYBE;
}

static enum upgrade_family family_of(const struct upgrade *u)
{
    const uint8_t *g = u->greeting;
    size_t n = u->n_greeting;
    enum prefix p = is_mysql(g, n);
    bool maybe = p == PREFIX_MAYBE;
    if (p == PREFIX_YES)
        return UPGRADE_MYSQL;
    for (size_t i = 0; i < ARRAY_SIZE(greetings); i++) {
        p = starts_with(g, n, greetings[i].text, strlen(greetings[i].text));
        if (p == PREFIX_YES)
            return greetings[i].family;
        maybe = maybe || p == PREFIX_MAYBE;
    }
    if (g[0] == LDAP_SEQUENCE && u->passed && !u->no_ldap)
        return UPGRADE_LDAP;
    return maybe && n < UPGRADE_GREETING_MAX ? UPGRADE_UNDECIDED : UPGRADE_NONE;
}

void upgrade_server(struct upgrade *u, const void *data, size_t len)
{
    size_t take = MIN(len, sizeof(u->greeting) - (size_t)u->n_greeting);
    if (len == 0) {
        if (u->family == UPGRADE_UNDECIDED)
            u->family = UPGRADE_NONE;
        return;
    }
    u->answered = true;
    if (u->family != UPGRADE_UNDECIDED)
        return;
    memcpy(u->greeting + u->n_greeting, data, take);
    u->n_greeting += (uint8_t)take;
    u->family = family_of(u);
    if (u->family != UPGRADE_LDAP)
        u->n_head = 0;
}

bool upgrade_was_hidden(const struct upgrade *u)
{
    return u->family == UPGRADE_TEXT || u->family == UPGRADE_MYSQL || u->family == UPGRADE_LDAP;
}

static void passed(struct upgrade *u, size_t n)
{
    u->passed = (uint32_t)MIN((uint64_t)u->passed + n, (uint64_t)UINT32_MAX);
    if (n)
        u->answered = false;
}

/* Collects the first bytes of a message; says how many of data they are. */
static size_t collect(struct upgrade *u, const uint8_t *data, size_t len, size_t want)
{
    size_t n = MIN(len, want - u->n_head);
    memcpy(u->head + u->n_head, data, n);
    u->n_head += (uint8_t)n;
    return n;
}

static enum upgrade_step client_text(struct upgrade *u, const uint8_t *data, size_t len,
                                     size_t *pass)
{
    const uint8_t *tls = memchr(data, TLS_HANDSHAKE, len);
    if (u->was_16)
        return UPGRADE_BAD;
    if (tls)
        return tls == data && u->answered && !u->late ? UPGRADE_TLS : UPGRADE_BAD;
    *pass = len;
    passed(u, len);
    return UPGRADE_PASS;
}

/* Up to the end of a message that began before. */
static enum upgrade_step client_rest(struct upgrade *u, size_t len, size_t *pass)
{
    *pass = MIN(len, (size_t)u->left);
    u->left -= (uint32_t)*pass;
    passed(u, *pass);
    return UPGRADE_PASS;
}

/* The packet says itself whether TLS follows, and TLS follows without an answer. */
static enum upgrade_step client_mysql(struct upgrade *u, const uint8_t *data, size_t len,
                                      size_t *pass)
{
    if (u->n_head == 0 && u->passed)
        return UPGRADE_BAD; /* spoken before the greeting, without which nothing can be said */
    if (u->n_head == MYSQL_HEAD) {
        enum upgrade_step step = client_rest(u, len, pass);
        u->family = u->left ? UPGRADE_MYSQL : UPGRADE_TLS_NEXT;
        return step;
    }
    *pass = collect(u, data, len, MYSQL_HEAD);
    passed(u, *pass);
    if (u->n_head < MYSQL_HEAD)
        return UPGRADE_PASS;
    size_t length = u->head[0] | (size_t)u->head[1] << 8 | (size_t)u->head[2] << 16;
    if (u->head[3] != 1 || length < MYSQL_HEAD - MYSQL_HEADER ||
        !((u->head[4] | u->head[5] << 8) & MYSQL_CLIENT_SSL)) {
        u->family = UPGRADE_NONE;
        return UPGRADE_PASS;
    }
    u->left = (uint32_t)(length - (MYSQL_HEAD - MYSQL_HEADER));
    u->family = u->left ? UPGRADE_MYSQL : UPGRADE_TLS_NEXT;
    return UPGRADE_PASS;
}

/* Whether the client's first bytes are, or may become, one of the two requests. */
static enum prefix is_postgres(const struct upgrade *u)
{
    static const uint8_t ssl[] = {0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x2f};
    static const uint8_t gss[] = {0, 0, 0, 8, 0x04, 0xd2, 0x16, 0x30};
    return MAX(starts_with(u->head, u->n_head, ssl, sizeof(ssl)),
               starts_with(u->head, u->n_head, gss, sizeof(gss)));
}

/* A request, which must stand alone: the server answers before anything else is said. */
static enum upgrade_step client_postgres(struct upgrade *u, const uint8_t *data, size_t len,
                                         size_t *pass)
{
    if (u->n_head == POSTGRES_HEAD) {
        if (!u->answered)
            return UPGRADE_BAD;
        if (data[0] == TLS_HANDSHAKE)
            return UPGRADE_TLS;
        u->n_head = 0;
    }
    *pass = collect(u, data, len, POSTGRES_HEAD);
    switch (is_postgres(u)) {
    case PREFIX_NO:
        u->family = UPGRADE_NONE;
        *pass = len;
        return UPGRADE_OVER;
    case PREFIX_YES:
        if (*pass < len)
            return UPGRADE_BAD;
        u->family = UPGRADE_POSTGRES;
        break;
    case PREFIX_MAYBE:
        break;
    }
    passed(u, *pass);
    return UPGRADE_PASS;
}

/* Goes on with the header of an LDAPMessage (BER, definite length; RFC 4511 section 5.1) and the
 * first byte behind it, which is its messageID's. */
static enum prefix take_ldap_header(struct upgrade *u, uint8_t byte)
{
    u->head[u->n_head++] = byte;
    if (u->head[0] != LDAP_SEQUENCE)
        return PREFIX_NO;
    if (u->n_head < 2)
        return PREFIX_MAYBE;
    size_t more = u->head[1] & 0x80 ? u->head[1] & 0x7fu : 0;
    if (more > 4 || u->head[1] == 0x80)
        return PREFIX_NO;
    if (u->n_head < 2 + more + 1)
        return PREFIX_MAYBE;
    uint32_t length = u->head[1];
    for (size_t i = 0; i < more; i++)
        length = (i ? length << 8 : 0) | u->head[2 + i];
    u->n_head = 0;
    if (length == 0 || byte != LDAP_INTEGER)
        return PREFIX_NO;
    u->left = length - 1;
    return PREFIX_YES;
}

static bool between_messages(const struct upgrade *u)
{
    return u->n_head == 0 && u->left == 0;
}

/* Follows messages up to where TLS begins between two of them. Returns how many bytes they are. */
static size_t walk_ldap(struct upgrade *u, const uint8_t *data, size_t len)
{
    size_t at = 0;
    while (at < len && !u->no_ldap) {
        size_t n = MIN(len - at, (size_t)u->left);
        u->left -= (uint32_t)n;
        at += n;
        if (at == len || (between_messages(u) && data[at] == TLS_HANDSHAKE))
            break;
        u->no_ldap = take_ldap_header(u, data[at++]) == PREFIX_NO;
    }
    return at;
}

static enum upgrade_step client_ldap(struct upgrade *u, const uint8_t *data, size_t len,
                                     size_t *pass)
{
    if (between_messages(u) && (u->late || data[0] == TLS_HANDSHAKE))
        return u->answered && !u->late ? UPGRADE_TLS : UPGRADE_BAD;
    u->late = false;
    *pass = walk_ldap(u, data, len);
    passed(u, *pass);
    if (u->no_ldap)
        u->family = UPGRADE_NONE;
    return UPGRADE_PASS;
}

/* How many bytes come before something that could be a TLS record. */
static size_t before_tls(const struct upgrade *u, const uint8_t *data, size_t len)
{
    if (u->was_16 && data[0] == TLS_MAJOR)
        return 0;
    for (size_t i = 0; i + 1 < len; i++)
        if (data[i] == TLS_HANDSHAKE && data[i + 1] == TLS_MAJOR)
            return i;
    return len;
}

/* The client speaks first: its bytes go on, for the server may wait for them; but not what could be
 * TLS, until the server's first word says what it is that is spoken here. */
static enum upgrade_step client_undecided(struct upgrade *u, const uint8_t *data, size_t len,
                                          size_t *pass)
{
    if (u->passed == 0) {
        u->no_postgres = data[0] != 0;
        u->no_ldap = data[0] != LDAP_SEQUENCE;
    }
    if (!u->no_postgres) {
        enum upgrade_step step = client_postgres(u, data, len, pass);
        if (u->family != UPGRADE_NONE)
            return step;
        u->family = UPGRADE_UNDECIDED;
        u->no_postgres = true;
        u->n_head = 0;
    }
    *pass = before_tls(u, data, len);
    if (*pass == 0) {
        u->late = true;
        return UPGRADE_PASS;
    }
    if (!u->no_ldap && walk_ldap(u, data, *pass) < *pass && !u->no_ldap)
        u->late = true;
    u->was_16 = data[*pass - 1] == TLS_HANDSHAKE;
    passed(u, *pass);
    return u->passed > UPGRADE_UNANSWERED_MAX ? UPGRADE_OVER : UPGRADE_PASS;
}

enum upgrade_step upgrade_client(struct upgrade *u, const void *data, size_t len, size_t *pass)
{
    const uint8_t *bytes = data;
    *pass = 0;
    if (len == 0)
        return UPGRADE_PASS;
    switch (u->family) {
    case UPGRADE_UNDECIDED:
        return client_undecided(u, bytes, len, pass);
    case UPGRADE_TEXT:
        return client_text(u, bytes, len, pass);
    case UPGRADE_MYSQL:
        return client_mysql(u, bytes, len, pass);
    case UPGRADE_POSTGRES:
        return client_postgres(u, bytes, len, pass);
    case UPGRADE_LDAP:
        return client_ldap(u, bytes, len, pass);
    case UPGRADE_TLS_NEXT:
        return bytes[0] == TLS_HANDSHAKE ? UPGRADE_TLS : UPGRADE_BAD;
    case UPGRADE_NONE:
        break;
    }
    *pass = len;
    return UPGRADE_OVER;
}
