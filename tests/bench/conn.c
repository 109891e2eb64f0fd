/* SPDX-License-Identifier: MIT
 * As little of TLS and HTTP as the bench's client needs; it knows its servers. */
#include "bench/conn.h"

#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum { CHUNK = 1 << 16, TIMEOUT_S = 10 };

SSL_CTX *conn_tls_new(void)
{
    SSL_CTX *tls = SSL_CTX_new(TLS_client_method());
    if (tls)
        SSL_CTX_set_session_cache_mode(tls, SSL_SESS_CACHE_OFF);
    return tls;
}

int conn_dial(const struct conn_way *way, int type)
{
    const struct timeval patience = {TIMEOUT_S, 0};
    int on = 1, fd = socket(AF_INET, type | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    if (type == SOCK_STREAM)
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (connect(fd, (const struct sockaddr *)&way->to, sizeof way->to) == 0)
        return fd;
    close(fd);
    return -1;
}

static bool ask_connect(int fd, const char *name)
{
    char text[1024];
    size_t len = 0;
    int n =
        snprintf(text, sizeof text, "CONNECT %s:443 HTTP/1.1\r\nHost: %s:443\r\n\r\n", name, name);
    if (send(fd, text, (size_t)n, MSG_NOSIGNAL) != n)
        return false;
    while (len < sizeof text - 1) {
        /* A byte at a time: what follows belongs to TLS. */
        if (recv(fd, text + len, 1, 0) != 1)
            return false;
        text[++len] = '\0';
        if (len >= 4 && memcmp(text + len - 4, "\r\n\r\n", 4) == 0)
            return strncmp(text, "HTTP/1.", 7) == 0 && strncmp(text + 8, " 200", 4) == 0;
    }
    return false;
}

bool conn_open_tls(struct conn *c, const struct conn_way *way, const char *name)
{
    *c = (struct conn){.fd = conn_dial(way, SOCK_STREAM)};
    if (c->fd < 0)
        return false;
    c->ssl = SSL_new(way->tls);
    if (c->ssl && (!way->by_connect || ask_connect(c->fd, name)) &&
        SSL_set_fd(c->ssl, c->fd) == 1 && SSL_set_tlsext_host_name(c->ssl, name) &&
        SSL_connect(c->ssl) == 1)
        return true;
    SSL_free(c->ssl);
    close(c->fd);
    return false;
}

bool conn_open_plain(struct conn *c, const struct conn_way *way)
{
    *c = (struct conn){.fd = conn_dial(way, SOCK_STREAM)};
    return c->fd >= 0;
}

void conn_close(struct conn *c)
{
    if (c->ssl)
        SSL_shutdown(c->ssl);
    SSL_free(c->ssl);
    close(c->fd);
}

static bool conn_put(struct conn *c, const char *data, int len)
{
    return c->ssl ? SSL_write(c->ssl, data, len) == len
                  : send(c->fd, data, (size_t)len, MSG_NOSIGNAL) == len;
}

static int conn_take(struct conn *c, char *data, size_t room)
{
    return c->ssl ? SSL_read(c->ssl, data, (int)room) : (int)recv(c->fd, data, room, 0);
}

/* The body's length by the head of an answer with status 200, and how much of the body has come
 * already; 0 where it is another answer. */
static size_t read_head(struct conn *c, char *answer, size_t room, size_t *come)
{
    size_t got = 0;
    const char *body = NULL;
    while (!body) {
        int n = conn_take(c, answer + got, room - 1 - got);
        if (n <= 0)
            return 0;
        got += (size_t)n;
        answer[got] = '\0';
        body = strstr(answer, "\r\n\r\n");
    }
    const char *field = strcasestr(answer, "\r\ncontent-length:");
    if (!field || field > body || strncmp(answer, "HTTP/1.1 200", 12) != 0)
        return 0;
    *come = got - (size_t)(body + 4 - answer);
    return strtoul(field + strlen("\r\ncontent-length:"), NULL, 10);
}

size_t conn_request(struct conn *c, const char *url, const char *host, bool last)
{
    static char piece[CHUNK];
    size_t come = 0;
    int n = snprintf(piece, sizeof piece, "GET %s HTTP/1.1\r\nHost: %s\r\n%s\r\n", url, host,
                     last ? "Connection: close\r\n" : "");
    if (!conn_put(c, piece, n))
        return 0;
    const size_t length = read_head(c, piece, sizeof piece, &come);
    while (come < length && (n = conn_take(c, piece, sizeof piece)) > 0)
        come += (size_t)n;
    if (come != length)
        return 0;
    while (last && conn_take(c, piece, sizeof piece) > 0)
        ;
    return length;
}
