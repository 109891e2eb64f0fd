/* SPDX-License-Identifier: MIT
 * Questions under way on a channel: each has a number, and its answer finds who asked. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/attrib.h"
#include "keeper/ipc.h"

struct requests;

/* m is NULL where the question could not be sent after all. */
typedef void request_done(void *context, const struct ipc_message *m);

struct requests *requests_new(struct ipc *ipc) NODISCARD NONNULL(1);
/* Forgets everything without calling back; accepts NULL. */
void requests_free(struct requests *r);

/* Sends a question. Returns its number, or 0 when it could not be sent. done is called once, later,
 * unless the request is cancelled. */
uint32_t request_send(struct requests *r, enum ipc_type type, const void *data, size_t len,
                      request_done *done, void *context) NODISCARD NONNULL(1, 5);
/* The asker has gone. Accepts 0. */
void request_cancel(struct requests *r, uint32_t id) NONNULL(1);
/* Hands an answer to who asked; one that nobody waits for is ignored. */
void requests_answer(struct requests *r, const struct ipc_message *m) NONNULL(1, 2);
