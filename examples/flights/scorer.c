/* Serves the call `score`: how bad a delay is, for the distance that was flown.
 *
 *     scorer URL          e.g.  scorer ./data
 *
 * A request is two 32-bit integers, little-endian: the delay in minutes and the distance in miles.
 * The reply is one: minutes lost for every thousand miles, rounded toward zero.
 *
 * Requests come to `answer`, on the library's own thread, as soon as they arrive; nothing is
 * polled. Scoring takes no time, so each is answered on the spot. SIGINT or SIGTERM ends the
 * program. */
#define _POSIX_C_SOURCE 200809L

#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <telpher.h>

enum { REQUEST_SIZE = 8, REPLY_SIZE = 4, CONCURRENCY = 4096, CLOSE_MS = 5000 };

static atomic_ulong answered;
static atomic_bool failed;

static int32_t read_i32(const uint8_t *at) {
    return (int32_t)(at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24);
}

static void write_i32(uint8_t *at, int32_t value) {
    for (int byte = 0; byte < REPLY_SIZE; byte++) {
        at[byte] = (uint8_t)((uint32_t)value >> (8 * byte));
    }
}

/* A failure is an answer too: the caller gets it as REMOTE, with this code and text. */
static void refuse(telpher_hub hub, uint64_t request, const char *text) {
    telpher_failure failure = TELPHER_SIZED(telpher_failure);
    failure.code = 1;
    failure.text = text;
    telpher_reply(hub, request, NULL, &failure, NULL, NULL);
}

static void score(telpher_hub hub, const telpher_event *request) {
    const uint8_t *body = request->body;
    uint8_t reply[REPLY_SIZE];
    if (request->body_size != REQUEST_SIZE) {
        refuse(hub, request->token, "a request has 8 bytes: delay and distance");
        return;
    }
    int64_t delay_minutes = read_i32(body);
    int32_t distance_miles = read_i32(body + 4);
    if (distance_miles <= 0) {
        refuse(hub, request->token, "the distance must be above 0 miles");
        return;
    }
    write_i32(reply, (int32_t)(delay_minutes * 1000 / distance_miles));
    telpher_reply(hub, request->token, &TELPHER_BODY(reply, sizeof reply), NULL, NULL, NULL);
    answered++;
}

/* Everything that happens to the service comes here; `hub` is `user` of its telpher_done. */
static void answer(const telpher_event *event, uint64_t hub) {
    if (event->kind == TELPHER_EVENT_REQUEST) {
        score(hub, event);
    } else if (event->kind == TELPHER_EVENT_STARTED) {
        printf("ready: serving the call `score`\n");
    } else if (event->kind == TELPHER_EVENT_DONE && event->status != TELPHER_CLOSED) {
        fprintf(stderr, "the service ended: %s\n", event->detail ? event->detail : "");
        failed = true;
        kill(getpid(), SIGTERM);
    }
}

static void check(const char *what, telpher_status status) {
    if (status != TELPHER_OK) {
        fprintf(stderr, "%s: %s\n", what, telpher_last_error());
        exit(1);
    }
}

/* Opening starts at once and ends as an event, as everything does; here we wait for it. */
static telpher_hub open_hub(const char *url) {
    telpher_event opened = TELPHER_SIZED(telpher_event);
    telpher_hub hub;
    telpher_id id;
    check("open", telpher_open(url, NULL, NULL, &hub, &id));
    check("open", telpher_wait(hub, id, TELPHER_FOREVER, &opened));
    if (opened.status != TELPHER_OK) {
        fprintf(stderr, "open: %s\n", opened.detail);
        exit(1);
    }
    check("open", telpher_events_release(&opened));
    return hub;
}

int main(int count, char **arguments) {
    telpher_serve_options options = TELPHER_SIZED(telpher_serve_options);
    telpher_done done = TELPHER_SIZED(telpher_done);
    sigset_t ends;
    int signal_number;
    if (count != 2) {
        fprintf(stderr, "usage: scorer URL\n");
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    /* Blocked before the library makes its thread, so that only sigwait below sees them. */
    sigemptyset(&ends);
    sigaddset(&ends, SIGINT);
    sigaddset(&ends, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &ends, NULL);

    telpher_hub hub = open_hub(arguments[1]);
    options.concurrency = CONCURRENCY;
    done.kind = TELPHER_DONE_CALLBACK;
    done.user = hub;
    done.fn = answer;
    check("serve", telpher_serve(hub, "score", &options, &done, NULL));

    sigwait(&ends, &signal_number);
    check("close", telpher_close(hub, CLOSE_MS));
    printf("answered %lu calls\n", answered);
    return failed ? 1 : 0;
}
