/* SPDX-License-Identifier: MIT
 * dns_say ADDRESS udp|tcp: says a table of DNS messages to port 53 of ADDRESS, good and bad ones,
 * and prints for each what should come of it, what did, and which name to look for at the resolver:
 *
 *     WANTED GOT MARK what it was
 *
 * A message is built from words; % in a name is the mark, a label that no other message has. */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* What comes of a message. forwarded: an answer of the resolver; empty, nxdomain, refused: ours,
 * and nothing left; dropped: no answer at all. */
static const struct {
    const char *want, *what, *words;
} messages[] = {
#include "dns_messages.h"
};

struct message {
    size_t len;
    uint8_t data[70000];
};

static void put(struct message *m, const void *data, size_t len)
{
    if (len > sizeof m->data - m->len)
        abort();
    memcpy(m->data + m->len, data, len);
    m->len += len;
}

static void put16(struct message *m, unsigned v)
{
    put(m, (uint8_t[]){(uint8_t)(v >> 8), (uint8_t)v}, 2);
}

static void put_hex(struct message *m, const char *hex)
{
    for (unsigned byte; sscanf(hex, "%2x", &byte) == 1; hex += 2)
        put(m, (uint8_t[]){(uint8_t)byte}, 1);
}

static void put_label(struct message *m, const char *label, size_t len, const char *mark)
{
    bool is_mark = len == 1 && *label == '%';
    uint8_t n = (uint8_t)(is_mark ? strlen(mark) : len);
    put(m, &n, 1);
    put(m, is_mark ? mark : label, n);
}

static void put_labels(struct message *m, const char *name, const char *mark)
{
    while (*name) {
        size_t len = strcspn(name, ".");
        put_label(m, name, len, mark);
        name += len + (name[len] == '.');
    }
}

/* hFLAGS,QD,AN,NS,AR a header (else 0100,1,0,0,0); nNAME labels and the root; lNAME labels alone;
 * aN a label of N letters; pN a pointer; wN sixteen bits; xHEX bytes; qTYPE a question for the mark
 * below wild.example; oHEX an OPT of 1232 bytes with these options; OHEX one whose TTL comes first
 */
static void put_word(struct message *m, const char *word, const char *mark)
{
    char letters[256];
    unsigned n[5];
    switch (*word) {
    case 'h':
        if (sscanf(word + 1, "%x,%u,%u,%u,%u", &n[0], &n[1], &n[2], &n[3], &n[4]) != 5)
            abort();
        m->len = 2;
        for (int i = 0; i < 5; i++)
            put16(m, n[i]);
        break;
    case 'n':
    case 'l':
        put_labels(m, word + 1, mark);
        if (*word == 'n')
            put(m, "", 1);
        break;
    case 'a':
        n[0] = (unsigned)atoi(word + 1);
        memset(letters, 'a', sizeof letters);
        put(m, (uint8_t[]){(uint8_t)n[0]}, 1);
        put(m, letters, n[0]);
        break;
    case 'p':
        put16(m, 0xc000u | (unsigned)atoi(word + 1));
        break;
    case 'w':
        put16(m, (unsigned)atoi(word + 1));
        break;
    case 'x':
        put_hex(m, word + 1);
        break;
    case 'q':
        put_labels(m, "%.wild.example", mark);
        put(m, "", 1);
        put16(m, (unsigned)atoi(word + 1));
        put16(m, 1);
        break;
    case 'o':
    case 'O':
        m->data[11]++;
        put_hex(m, "00002904d0");
        if (*word == 'o')
            put_hex(m, "00000000");
        else
            put(m, "", 0), put_hex(m, (char[]){word[1], word[2], word[3], word[4], word[5], word[6],
                                               word[7], word[8], '\0'});
        put16(m, (unsigned)(strlen(word + (*word == 'o' ? 1 : 9)) / 2));
        put_hex(m, word + (*word == 'o' ? 1 : 9));
        break;
    default:
        abort();
    }
}

static void build(struct message *m, unsigned id, const char *words, const char *mark)
{
    char copy[1024], *rest = NULL;
    static const uint8_t usual[] = {1, 0, 0, 1, 0, 0, 0, 0, 0, 0};
    m->len = 0;
    put16(m, id);
    put(m, usual, sizeof usual);
    snprintf(copy, sizeof copy, "%s", words);
    for (char *word = strtok_r(copy, " ", &rest); word; word = strtok_r(NULL, " ", &rest))
        put_word(m, word, mark);
}

static int open_to(const char *address, int type)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(53)};
    int fd = socket(AF_INET, type, 0);
    if (inet_pton(AF_INET, address, &to.sin_addr) != 1 || fd < 0 ||
        connect(fd, (struct sockaddr *)&to, sizeof to) < 0) {
        perror("dns_say");
        exit(2);
    }
    return fd;
}

/* 0 when nothing came within the time, or the other side closed. */
static size_t receive(int fd, uint8_t *out, size_t size)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    if (poll(&p, 1, 15000) <= 0)
        return 0;
    ssize_t n = recv(fd, out, size, 0);
    return n > 0 ? (size_t)n : 0;
}

static const char *word_for(const uint8_t *answer, size_t len)
{
    if (len < 12 || !(answer[2] & 0x80))
        return "nonsense";
    unsigned records = (unsigned)(answer[6] << 8 | answer[7]);
    switch (answer[3] & 15) {
    case 0:
        return records ? "records" : "empty";
    case 2:
        return "servfail";
    case 3:
        return "nxdomain";
    case 5:
        return "refused";
    default:
        return "other";
    }
}

/* A question that is denied, and so is answered by the filter itself after all before it. */
static void say_after(int fd, unsigned id, const char *mark)
{
    static struct message m;
    char words[64];
    snprintf(words, sizeof words, "n%s-after.denied.example w1 w1", mark);
    build(&m, id, words, mark);
    send(fd, m.data, m.len, 0);
}

static const char *ask_udp(const char *address, const struct message *m, unsigned id,
                           const char *mark, bool wants_none)
{
    uint8_t answer[4096];
    const char *got = "silence";
    int fd = open_to(address, SOCK_DGRAM);
    send(fd, m->data, m->len, 0);
    if (wants_none)
        say_after(fd, id ^ 0x8000, mark);
    for (size_t n; (n = receive(fd, answer, sizeof answer));) {
        unsigned of = (unsigned)(answer[0] << 8 | answer[1]);
        if (of == id)
            got = word_for(answer, n);
        else
            got = "dropped";
        break;
    }
    close(fd);
    return got;
}

static const char *ask_tcp(const char *address, const struct message *m)
{
    uint8_t answer[66000];
    size_t len = 0, n;
    int fd = open_to(address, SOCK_STREAM);
    send(fd, (uint8_t[]){(uint8_t)(m->len >> 8), (uint8_t)m->len}, 2, MSG_NOSIGNAL | MSG_MORE);
    send(fd, m->data, m->len, MSG_NOSIGNAL);
    while (len < 2 || len < 2 + ((size_t)answer[0] << 8 | answer[1])) {
        n = receive(fd, answer + len, sizeof answer - len);
        if (n == 0)
            break;
        len += n;
    }
    close(fd);
    return len < 2 ? "dropped" : word_for(answer + 2, len - 2);
}

int main(int argc, char **argv)
{
    static struct message m;
    if (argc != 3) {
        fprintf(stderr, "usage: dns_say ADDRESS udp|tcp\n");
        return 2;
    }
    bool tcp = strcmp(argv[2], "tcp") == 0;
    for (size_t i = 0; i < sizeof messages / sizeof *messages; i++) {
        char mark[32];
        unsigned id = 0x4000 + (unsigned)i;
        snprintf(mark, sizeof mark, "m%zu-%s", i, argv[2]);
        build(&m, id, messages[i].words, mark);
        bool none = strcmp(messages[i].want, "dropped") == 0;
        const char *got = tcp ? ask_tcp(argv[1], &m) : ask_udp(argv[1], &m, id, mark, none);
        printf("%s %s %s %s\n", messages[i].want, got, mark, messages[i].what);
        fflush(stdout);
    }
    return 0;
}
