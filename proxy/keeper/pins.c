/* SPDX-License-Identifier: MIT
 * A hash of held process records. */
#include "keeper/pins.h"

#include <stdlib.h>

#define BUCKETS 1024

struct pin {
    struct pin *next;
    struct process *process;
};

struct pins {
    struct pin *buckets[BUCKETS];
};

static size_t bucket_of(const struct process_key *key)
{
    return (key->pid * 31u + key->exec_id) % BUCKETS;
}

static struct pin **find(const struct pins *pins, const struct process_id *id)
{
    struct pin **at = (struct pin **)&pins->buckets[bucket_of(&id->key)];
    while (*at && !process_is((*at)->process, id))
        at = &(*at)->next;
    return at;
}

struct pins *pins_new(void)
{
    return calloc(1, sizeof(struct pins));
}

static void remove_at(struct pin **at)
{
    struct pin *pin = *at;
    *at = pin->next;
    process_unref(pin->process);
    free(pin);
}

void pins_clear(struct pins *pins)
{
    for (size_t i = 0; i < BUCKETS; i++)
        while (pins->buckets[i])
            remove_at(&pins->buckets[i]);
}

void pins_free(struct pins *pins)
{
    if (pins)
        pins_clear(pins);
    free(pins);
}

void pins_hold(struct pins *pins, struct process *p)
{
    const struct process_id id = {p->key, process_state(p)};
    struct pin **at = find(pins, &id);
    if (*at)
        return;
    struct pin *pin = malloc(sizeof *pin);
    if (!pin)
        return; /* the record is found for as long as the table keeps it anyway */
    *pin = (struct pin){NULL, process_ref(p)};
    *at = pin;
}

struct process *pins_find(const struct pins *pins, const struct process_id *id)
{
    struct pin *pin = *find(pins, id);
    return pin ? pin->process : NULL;
}

void pins_let_go(struct pins *pins, const struct process_id *id)
{
    struct pin **at = find(pins, id);
    if (*at)
        remove_at(at);
}
