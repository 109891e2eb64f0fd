/* SPDX-License-Identifier: MIT
 * One side of what `make bench` asks of servers: a connection, with TLS or without, straight or by
 * way of an HTTP proxy, and requests on it. */
#pragma once

#include <netinet/in.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>

/* How a server is reached. */
struct conn_way {
    struct sockaddr_in to;
    bool by_connect; /* to is an HTTP proxy, which is asked for NAME:443 */
    SSL_CTX *tls;
};

struct conn {
    int fd;
    SSL *ssl; /* NULL: without TLS */
};

/* A context that asks for a full handshake each time and trusts anybody. NULL on failure. */
SSL_CTX *conn_tls_new(void);

/* A connected socket of that type, whose calls wait for ten seconds at most; -1 on failure. */
int conn_dial(const struct conn_way *way, int type);
/* Opens; false on failure, and nothing is left to be closed then. */
bool conn_open_tls(struct conn *c, const struct conn_way *way, const char *name);
bool conn_open_plain(struct conn *c, const struct conn_way *way);
void conn_close(struct conn *c);

/* Bytes of the body of the answer to one request; 0 where it did not come whole, or with another
 * status than 200. The last one waits for the other side to close. */
size_t conn_request(struct conn *c, const char *url, const char *host, bool last);
