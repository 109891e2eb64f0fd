/* SPDX-License-Identifier: MIT
 * Plaintext protocols that may turn into TLS: where in the client's bytes that happens, so that the
 * ClientHello is judged like any other. STARTTLS of SMTP (RFC 3207), IMAP and POP3 (RFC 2595), FTP
 * (RFC 4217), ManageSieve (RFC 5804), XMPP (RFC 6120) and LDAP (RFC 4511 section 4.14), SSLRequest
 * of PostgreSQL and MySQL. Pure: told what each side says, in any cut. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attrib.h"

enum upgrade_family {
    UPGRADE_UNDECIDED, /* the server has not said enough */
    UPGRADE_TEXT,      /* lines of text, or XML: 0x16 is in none of them, and begins a TLS record */
    UPGRADE_MYSQL,     /* one packet, which says whether TLS follows it */
    UPGRADE_POSTGRES,  /* 8 bytes, one byte of answer */
    UPGRADE_LDAP,      /* messages with lengths */
    UPGRADE_TLS_NEXT,  /* whatever comes next must be TLS */
    UPGRADE_NONE,      /* nothing of the kind */
};

#define UPGRADE_GREETING_MAX 16
/* What a client may say before the server says anything, and be watched. */
#define UPGRADE_UNANSWERED_MAX 65536

struct upgrade {
    enum upgrade_family family;
    bool answered; /* the server spoke after the client's newest bytes */
    bool late;     /* something that looks like TLS was said before the server's first word */
    bool was_16;   /* the last byte that passed, while undecided, was 0x16 */
    uint8_t greeting[UPGRADE_GREETING_MAX];
    uint8_t n_greeting;
    uint8_t head[8]; /* of the client's message, as far as its form needs it */
    uint8_t n_head;
    bool no_postgres, no_ldap; /* what the client said first is no such message */
    uint32_t left;             /* bytes to the end of the client's message */
    uint32_t passed;           /* bytes of the client's that passed; stops at its largest value */
};

enum upgrade_step {
    UPGRADE_PASS, /* so many bytes may go on; others wait for more, or for the server */
    UPGRADE_TLS,  /* a ClientHello begins at the first byte */
    UPGRADE_OVER, /* it will not become TLS any more: all may go on, unread */
    UPGRADE_BAD,  /* TLS where no honest client begins it */
};

/* The server said this; len 0 is the end of its stream. An all-zero struct is ready for use. */
void upgrade_server(struct upgrade *u, const void *data, size_t len) NONNULL(1);
/* What of the client's bytes, which follow those that passed, may go on; only these are taken as
 * said. May be called again for the rest while *pass > 0. */
enum upgrade_step upgrade_client(struct upgrade *u, const void *data, size_t len,
                                 size_t *pass) NODISCARD NONNULL(1, 4);
/* Whether the server's first word came too late for a client whose bytes went on unread. */
bool upgrade_was_hidden(const struct upgrade *u) NONNULL(1);
