/* SPDX-License-Identifier: MIT
 * DNS messages: a query, and an answer to it. The input is the query's length in two bytes, the
 * query, and an answer from its flags on; id and question of the answer are put in, so that the
 * fuzzer need not guess them. What we write must read again, and say no more. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "dns/wire.h"
#include "dns/wire_form.h"
#include "dns/wire_name.h"

enum { ID = 0x5a5a };

static void check(int holds)
{
    if (!holds)
        abort();
}

/* No record of a kind that is withheld, and an OPT only for who speaks EDNS. */
static void check_records(const struct dns_question *q, struct dns_bytes message)
{
    size_t at = DNS_HEADER + q->question_len, n_opt = 0;
    size_t n = (size_t)dns_get16(message.data + 6) + dns_get16(message.data + 8) +
               dns_get16(message.data + 10);
    while (n-- > 0) {
        struct dns_record r;
        check(dns_record_read(message, &at, &r) == 0);
        check(r.type != DNS_AAAA && r.type != DNS_HTTPS && r.type != DNS_SVCB);
        n_opt += r.type == DNS_OPT;
    }
    check(n_opt == q->has_edns);
}

static void check_written(const struct dns_question *q, const void *query, const void *answer,
                          size_t len, const struct dns_answer *learnt, size_t limit)
{
    static uint8_t out[DNS_MESSAGE_MAX];
    struct dns_answer again;
    size_t n = dns_write_answer(q, query, answer, len, limit, out, sizeof(out));
    check(n <= limit);
    if (n == 0) {
        check(limit < DNS_HEADER + q->question_len + DNS_OPT_LEN);
        return;
    }
    check(dns_read_answer(out, n, q->id, q, query, &again, NULL) == 0);
    check_records(q, (struct dns_bytes){out, n});
    check(again.n_addresses <= learnt->n_addresses);
    if (again.truncated)
        return;
    check(again.n_addresses == learnt->n_addresses);
    for (size_t i = 0; i < again.n_addresses; i++)
        check(again.addresses[i].ip == learnt->addresses[i].ip &&
              again.addresses[i].ttl == learnt->addresses[i].ttl);
}

/* What we wrote, grown older, says the same, and no TTL has grown. */
static void check_age(const struct dns_question *q, const void *query, const void *answer,
                      size_t len)
{
    static uint8_t out[DNS_MESSAGE_MAX];
    struct dns_answer before, after;
    size_t n = dns_write_answer(q, query, answer, len, sizeof(out), out, sizeof(out));
    if (n == 0)
        return;
    check(dns_read_answer(out, n, q->id, q, query, &before, NULL) == 0);
    check(dns_age(out, n, 100) == 0);
    check(dns_read_answer(out, n, q->id, q, query, &after, NULL) == 0);
    check(after.n_addresses == before.n_addresses && after.ttl <= before.ttl);
    for (size_t i = 0; i < after.n_addresses; i++)
        check(after.addresses[i].ip == before.addresses[i].ip &&
              after.addresses[i].ttl <= before.addresses[i].ttl);
}

static void check_query(const struct dns_question *q, const void *query)
{
    uint8_t out[1024];
    struct dns_question again;
    check(strlen(q->text) < sizeof(q->text) && strlen(q->host) < sizeof(q->host));
    size_t n = dns_write_query(q, query, ID, out, sizeof(out));
    check(n > 0 && dns_read_query(out, n, &again, NULL) == 0);
    check(again.id == ID && again.type == q->type && again.is_host == q->is_host);
    check(strcasecmp(again.text, q->text) == 0 && strcmp(again.host, q->host) == 0);
    check(dns_write_reply(q, query, DNS_NXDOMAIN, DNS_EDE_BLOCKED, "why", out, sizeof(out)) > 0);
    if (q->is_host) {
        n = dns_write_query_name(q->host, ID, out, sizeof(out));
        check(n > 0 && dns_read_query(out, n, &again, NULL) == 0);
        check(strcmp(again.host, q->host) == 0);
    }
}

static void fuzz_answer(const struct dns_question *q, const uint8_t *query, const uint8_t *data,
                        size_t size)
{
    static uint8_t answer[DNS_MESSAGE_MAX];
    static const size_t limits[] = {40, 512, DNS_UDP_MAX, DNS_MESSAGE_MAX};
    enum { FLAGS_AND_COUNTS = 8 };
    struct dns_answer learnt;
    if (size < FLAGS_AND_COUNTS || size > sizeof(answer) - DNS_HEADER - q->question_len)
        return;
    dns_put16(answer, ID);
    memcpy(answer + 2, data, 2);
    dns_put16(answer + 4, 1);
    memcpy(answer + 6, data + 2, 6);
    memcpy(answer + DNS_HEADER, query + DNS_HEADER, q->question_len);
    size_t len = DNS_HEADER + q->question_len;
    memcpy(answer + len, data + FLAGS_AND_COUNTS, size - FLAGS_AND_COUNTS);
    len += size - FLAGS_AND_COUNTS;
    /* The exact size, so that one byte too far is seen. */
    uint8_t *exact = malloc(len);
    if (!exact)
        return;
    memcpy(exact, answer, len);
    if (dns_read_answer(exact, len, ID, q, query, &learnt, NULL) == 0) {
        for (size_t i = 0; i < sizeof(limits) / sizeof(*limits); i++)
            check_written(q, query, exact, len, &learnt, limits[i]);
        check_age(q, query, exact, len);
    }
    free(exact);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct dns_question q;
    uint8_t out[DNS_HEADER];
    if (size < 2)
        return 0;
    size_t len = dns_get16(data);
    data += 2;
    size -= 2;
    if (len > size)
        len = size;
    dns_write_error(data, len, DNS_FORMERR, out, sizeof(out));
    uint8_t *query = malloc(len + !len);
    if (!query)
        return 0;
    memcpy(query, data, len);
    const int has_form = dns_has_query_form(query, len);
    if (dns_read_query(query, len, &q, NULL) == 0) {
        check(has_form); /* what can be judged as DNS is never missed */
        check_query(&q, query);
        fuzz_answer(&q, query, data + len, size - len);
    }
    free(query);
    return 0;
}
