/* Offers tea at a price, in C: one instance of the service `offers`.
 *
 *     offers URL NAME PRICE        e.g.  offers ./data harbour 420
 *
 * A request is the name of a tea. The reply is the price in cents; NAME goes along, as the instance
 * states it. Requests come to `answer`, on the library's own thread. SIGINT or SIGTERM ends the
 * program. */
#define _POSIX_C_SOURCE 200809L

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <telpher.h>

enum { CLOSE_MS = 5000, PRICE_SIZE = 32 };

static const char *name;
static char price[PRICE_SIZE];

/* Everything that happens to the service comes here; `hub` is `user` of its telpher_done. */
static void answer(const telpher_event *event, uint64_t hub) {
    if (event->kind == TELPHER_EVENT_STARTED) {
        printf("ready: %s %s\n", name, price);
        fflush(stdout);
    } else if (event->kind == TELPHER_EVENT_REQUEST) {
        telpher_message reply = TELPHER_BODY(price, strlen(price));
        telpher_reply(hub, event->token, &reply, NULL, NULL, NULL);
    } else if (event->kind == TELPHER_EVENT_DONE && event->status != TELPHER_CLOSED) {
        fprintf(stderr, "the service ended: %s\n", event->detail ? event->detail : "");
        exit(1);
    }
}

static int failed(const char *what) {
    fprintf(stderr, "%s: %s\n", what, telpher_last_error());
    return 1;
}

int main(int count, char **arguments) {
    telpher_done done = TELPHER_SIZED(telpher_done);
    telpher_serve_options options = TELPHER_SIZED(telpher_serve_options);
    telpher_event event = TELPHER_SIZED(telpher_event);
    telpher_hub hub;
    telpher_id id;
    sigset_t ends;
    int signal;
    if (count != 4) {
        fprintf(stderr, "usage: offers URL NAME PRICE\n");
        return 2;
    }
    sigemptyset(&ends);
    sigaddset(&ends, SIGINT);
    sigaddset(&ends, SIGTERM);
    sigprocmask(SIG_BLOCK, &ends, NULL);
    name = arguments[2];
    snprintf(price, sizeof price, "%ld", strtol(arguments[3], NULL, 10));
    if (telpher_open(arguments[1], NULL, NULL, &hub, &id) != TELPHER_OK ||
        telpher_wait(hub, id, TELPHER_FOREVER, &event) != TELPHER_OK) {
        return failed("open");
    }
    if (event.status != TELPHER_OK) {
        fprintf(stderr, "open: %s\n", event.detail);
        return 1;
    }
    telpher_events_release(&event);
    done.kind = TELPHER_DONE_CALLBACK;
    done.fn = answer;
    done.user = hub;
    options.instance_name = name;
    if (telpher_serve(hub, "offers", &options, &done, NULL) != TELPHER_OK) {
        return failed("serve");
    }
    sigwait(&ends, &signal);
    return telpher_close(hub, CLOSE_MS) == TELPHER_OK ? 0 : failed("close");
}
