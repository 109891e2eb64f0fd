/* SPDX-License-Identifier: MIT
 * The one TLS record that is sent on connections which are not opened: the reason, in a form that
 * clients show to their users, for closing them. */
#include "tls/client_hello.h"

#include <string.h>

void tls_alert_write(enum tls_alert alert, uint8_t out[TLS_ALERT_LEN])
{
    enum { RECORD_ALERT = 21, LEVEL_FATAL = 2 };
    /* Before a version is agreed on, clients take any 3.x in the record. */
    const uint8_t record[TLS_ALERT_LEN] = {RECORD_ALERT, 3, 3, 0, 2, LEVEL_FATAL, (uint8_t)alert};
    memcpy(out, record, sizeof(record));
}
