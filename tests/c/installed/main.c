/* A program of nothing but the installed header and library. */
#include <stdio.h>
#include <string.h>

#include <telpher.h>

static int failed(const char *what, const telpher_event *event) {
    fprintf(stderr, "%s: %s %s\n", what, telpher_last_error(), event->detail ? event->detail : "");
    return 1;
}

int main(void) {
    telpher_hub hub;
    telpher_id id;
    telpher_event event = TELPHER_SIZED(telpher_event);
    if (telpher_open("mem://installed", NULL, NULL, &hub, &id) != TELPHER_OK ||
        telpher_wait(hub, id, 0, &event) != TELPHER_OK || event.status != TELPHER_OK) {
        return failed("open", &event);
    }
    telpher_events_release(&event);
    if (telpher_call(hub, "nobody", &TELPHER_BODY("x", 1), NULL, NULL, &id) != TELPHER_OK ||
        telpher_wait(hub, id, 0, &event) != TELPHER_OK || event.status != TELPHER_NO_SERVICE) {
        return failed("call", &event);
    }
    telpher_events_release(&event);
    return telpher_close(hub, 0) == TELPHER_OK ? 0 : failed("close", &event);
}
