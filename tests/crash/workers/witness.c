/* The C witness of a change of host: `telpher-crash-witness URL NAME`. As witness.py. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <telpher.h>

enum { SENDS = 10, MOMENT_MS = 300, NAME_SIZE = 128, LINE_SIZE = 512 };

static telpher_hub hub;
static char held_queue[NAME_SIZE], work_queue[NAME_SIZE], sent_queue[NAME_SIZE], echo[NAME_SIZE];

static void say(const char *format, ...) {
    char line[LINE_SIZE];
    struct timespec now;
    va_list arguments;
    clock_gettime(CLOCK_MONOTONIC, &now);
    int size = snprintf(line, sizeof line, "%lld ", now.tv_sec * 1000000LL + now.tv_nsec / 1000);
    va_start(arguments, format);
    size += vsnprintf(line + size, sizeof line - (size_t)size - 1, format, arguments);
    va_end(arguments);
    line[size++] = '\n';
    if (write(1, line, (size_t)size) != size) {
        _exit(4);
    }
}

static void started(const char *what, telpher_status status) {
    if (status != TELPHER_OK) {
        say("fault %s %s", what, telpher_last_error());
        _exit(3);
    }
}

static telpher_event next(const char *what, telpher_id id) {
    telpher_event event = TELPHER_SIZED(telpher_event);
    started(what, telpher_wait(hub, id, 60000, &event));
    return event;
}

/* Says how an operation ended, with the word that it was started with. */
static void say_ending(const telpher_event *event, uint64_t word) {
    say("%s %s %d", (const char *)(uintptr_t)word, telpher_status_name(event->status),
        (int)event->maybe_executed);
}

static telpher_done saying(const char *word) {
    return (telpher_done){.size = sizeof(telpher_done),
                          .kind = TELPHER_DONE_CALLBACK,
                          .user = (uint64_t)(uintptr_t)word,
                          .fn = say_ending};
}

static void notice(const telpher_event *event, uint64_t user) {
    static const char *const NAMES[] = {"", "DISCONNECTED", "RESUMED", "HUB_CHANGED"};
    (void)user;
    if (event->kind == TELPHER_EVENT_NOTICE) {
        say("notice %s %d", NAMES[event->notice], (int)event->memory_lost);
    }
}

/* Takes and acknowledges whatever comes. */
static void take(const telpher_event *event, uint64_t user) {
    static char bodies[64][LINE_SIZE / 4];
    static unsigned count;
    (void)user;
    if (event->kind == TELPHER_EVENT_DELIVERY) {
        char *word = bodies[count++ % 64];
        say("took %.*s", (int)event->body_size, (const char *)event->body);
        snprintf(word, sizeof bodies[0], "acknowledged %.*s", (int)event->body_size,
                 (const char *)event->body);
        telpher_done done = saying(word);
        telpher_id id;
        started("settle", telpher_settle(hub, event->token, TELPHER_ACKNOWLEDGE, NULL, &done, &id));
    }
}

static void answer(const telpher_event *event, uint64_t user) {
    (void)user;
    if (event->kind == TELPHER_EVENT_REQUEST) {
        telpher_reply(hub, event->token, &TELPHER_BODY(event->body, event->body_size), NULL, NULL,
                      NULL);
    }
}

static void send_some(void) {
    telpher_send_options options = TELPHER_SIZED(telpher_send_options);
    telpher_done done = saying("sent");
    options.timeout_ms = 20000;
    for (int number = 0; number < SENDS; number++) {
        telpher_id id;
        started("send", telpher_send(hub, sent_queue, &TELPHER_BODY(&number, sizeof number),
                                     &options, &done, &id));
    }
    telpher_flush(hub);
    say("sending");
}

static void ask(void) {
    telpher_send_options sending = TELPHER_SIZED(telpher_send_options);
    telpher_call_options calling = TELPHER_SIZED(telpher_call_options);
    telpher_id send, call;
    sending.timeout_ms = calling.timeout_ms = MOMENT_MS;
    started("send",
            telpher_send(hub, sent_queue, &TELPHER_BODY("asked", 5), &sending, NULL, &send));
    started("call", telpher_call(hub, echo, &TELPHER_BODY("asked", 5), &calling, NULL, &call));
    telpher_event sent = next("send", send), called = next("call", call);
    say("asked %s %d %s %d", telpher_status_name(sent.status), (int)sent.maybe_executed,
        telpher_status_name(called.status), (int)called.maybe_executed);
    telpher_events_release(&sent);
    telpher_events_release(&called);
}

static uint64_t hold(void) {
    telpher_id id;
    started("receive", telpher_receive(hub, held_queue, NULL, NULL, &id));
    telpher_event event = next("receive", id);
    uint64_t token = event.token;
    started("receive", event.status);
    telpher_events_release(&event);
    return token;
}

/* Consumes, serves and calls, in callbacks. */
static void begin(void) {
    telpher_done taking = saying(""), answering = saying(""), called = saying("called");
    telpher_call_options options = TELPHER_SIZED(telpher_call_options);
    telpher_id id;
    taking.fn = take;
    answering.fn = answer;
    options.timeout_ms = 60000;
    started("consume", telpher_consume(hub, work_queue, NULL, &taking, &id));
    started("serve", telpher_serve(hub, echo, NULL, &answering, &id));
    started("call", telpher_call(hub, "never", &TELPHER_BODY("", 0), &options, &called, &id));
    say("ready");
}

static void obey(uint64_t held) {
    char line[LINE_SIZE];
    while (fgets(line, sizeof line, stdin)) {
        if (strcmp(line, "send\n") == 0) {
            send_some();
        } else if (strcmp(line, "ask\n") == 0) {
            ask();
        } else if (strcmp(line, "settle\n") == 0) {
            telpher_id id;
            started("settle", telpher_settle(hub, held, TELPHER_ACKNOWLEDGE, NULL, NULL, &id));
            telpher_event event = next("settle", id);
            say_ending(&event, (uint64_t)(uintptr_t) "settled");
            telpher_events_release(&event);
        }
    }
}

int main(int count, char **arguments) {
    telpher_open_options options = TELPHER_SIZED(telpher_open_options);
    telpher_done notices = saying("");
    telpher_id id;
    if (count != 3) {
        fprintf(stderr, "usage: telpher-crash-witness URL NAME\n");
        return 2;
    }
    snprintf(held_queue, sizeof held_queue, "held.%s", arguments[2]);
    snprintf(work_queue, sizeof work_queue, "work.%s", arguments[2]);
    snprintf(sent_queue, sizeof sent_queue, "sent.%s", arguments[2]);
    snprintf(echo, sizeof echo, "echo.%s", arguments[2]);
    notices.fn = notice;
    options.notices = &notices;
    started("open", telpher_open(arguments[1], &options, NULL, &hub, &id));
    telpher_event event = next("open", id);
    started("open", event.status);
    telpher_events_release(&event);
    uint64_t held = hold();
    begin();
    obey(held);
    started("close", telpher_close(hub, 0));
    say("end");
    return 0;
}
