/* SPDX-License-Identifier: MIT
 * Sockets that are used again. connect(2) to AF_UNSPEC takes a socket that chose no port itself out
 * of the kernel's table (__udp_disconnect), and the next connect binds it to one that is drawn at
 * random, as for a new socket (inet_autobind, udp_lib_get_port). */
#include "dns/ports.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <sys/queue.h>
#include <sys/socket.h>

#include "base/fd.h"

enum {
    SPARE_MAX = 32,
    /* A datagram whose socket was looked up just before the socket left its port may still arrive
     * afterwards. It is found and thrown away before the next use, which does not come at once; if
     * it should come later still, it is a forgery like any other: id and question do not fit. */
    REST_MS = 2,
};

struct port {
    STAILQ_ENTRY(port) link; /* while it rests */
    struct ports *ports;
    int fd;
    struct event *event; /* added from its first port_wait on, so that epoll is told once */
    port_ready *ready;   /* NULL: it rests */
    void *context;
    int64_t rests_since;
};

struct ports {
    struct event_base *base;
    STAILQ_HEAD(resting, port) spare; /* the one that has rested longest first */
    unsigned n_spare;
};

struct ports *ports_new(struct event_base *base)
{
    struct ports *p = calloc(1, sizeof(*p));
    if (!p)
        return NULL;
    p->base = base;
    STAILQ_INIT(&p->spare);
    return p;
}

static void port_free(struct port *p)
{
    if (p->event)
        event_free(p->event);
    fd_close(&p->fd);
    free(p);
}

/* The one that has rested longest; there is one. */
static struct port *take_oldest(struct ports *p)
{
    struct port *port = STAILQ_FIRST(&p->spare);
    STAILQ_REMOVE_HEAD(&p->spare, link);
    p->n_spare--;
    return port;
}

void ports_free(struct ports *p)
{
    while (p && !STAILQ_EMPTY(&p->spare))
        port_free(take_oldest(p));
    free(p);
}

static void on_event(evutil_socket_t fd, short what, void *arg)
{
    struct port *p = arg;
    (void)fd;
    if (p->ready) {
        p->ready(p->context, what);
        return;
    }
    /* Somebody sent to the port that it has left. */
    STAILQ_REMOVE(&p->ports->spare, p, port, link);
    p->ports->n_spare--;
    port_free(p);
}

static int port_new(struct ports *ports, struct port **out)
{
    struct port *p = calloc(1, sizeof(*p));
    if (!p)
        return -ENOMEM;
    p->ports = ports;
    p->fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int r = p->fd < 0 ? -errno : 0;
    if (!r) {
        p->event = event_new(ports->base, p->fd, EV_READ | EV_PERSIST, on_event, p);
        r = p->event ? 0 : -ENOMEM;
    }
    if (r)
        port_free(p);
    else
        *out = p;
    return r;
}

/* One that has rested, with nothing left in it; NULL: none. */
static struct port *take_spare(struct ports *ports, int64_t now_ms)
{
    char scrap;
    struct port *p;
    while ((p = STAILQ_FIRST(&ports->spare)) && now_ms - p->rests_since >= REST_MS) {
        take_oldest(ports);
        if (recv(p->fd, &scrap, sizeof(scrap), MSG_DONTWAIT) < 0 && errno == EAGAIN)
            return p;
        port_free(p);
    }
    return NULL;
}

int port_take(struct ports *ports, int64_t now_ms, port_ready *ready, void *context,
              struct port **out)
{
    struct port *p = take_spare(ports, now_ms);
    int r = p ? 0 : port_new(ports, &p);
    if ((r == -EMFILE || r == -ENFILE) && !STAILQ_EMPTY(&ports->spare)) {
        port_free(take_oldest(ports));
        r = port_new(ports, &p);
    }
    if (r)
        return r;
    p->ready = ready;
    p->context = context;
    *out = p;
    return 0;
}

int port_fd(const struct port *p)
{
    return p->fd;
}

int port_wait(struct port *p, int64_t ms)
{
    const struct timeval tv = {.tv_sec = ms / 1000, .tv_usec = ms % 1000 * 1000};
    return event_add(p->event, &tv) ? -ENOMEM : 0;
}

void port_give(struct port *p, int64_t now_ms)
{
    static const struct sockaddr nobody = {.sa_family = AF_UNSPEC};
    if (!p)
        return;
    p->ready = NULL;
    if (p->ports->n_spare == SPARE_MAX || !event_pending(p->event, EV_READ, NULL) ||
        event_remove_timer(p->event) || connect(p->fd, &nobody, sizeof(nobody))) {
        port_free(p);
        return;
    }
    p->rests_since = now_ms;
    STAILQ_INSERT_TAIL(&p->ports->spare, p, link);
    p->ports->n_spare++;
}
