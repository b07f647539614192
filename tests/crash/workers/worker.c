/* The C program of the crash loop: `telpher-crash-worker URL NAME SEED ROLE...`. As worker.py, with
 * a thread for each role. */
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "worker.h"

enum { KEPT_MAX = 2, HELD_MAX = 16, PACE_MS = 2 };

static const struct {
    const char *name;
    uint32_t durability;
} QUEUES[] = {
    {"disk.in", TELPHER_DURABILITY_DISK}, {"os.in", TELPHER_DURABILITY_OS},
    {"disk.out", TELPHER_DURABILITY_DISK}, {"os.out", TELPHER_DURABILITY_OS},
    {"late", TELPHER_DURABILITY_DISK}, {"spice", TELPHER_DURABILITY_MEMORY},
    {"disk.both", TELPHER_DURABILITY_DISK}, {"os.both", TELPHER_DURABILITY_OS},
    {"poison", TELPHER_DURABILITY_DISK},
};
enum { QUEUES_COUNT = 8, LATE = 4, SPICE = 5, LEASE_MS = 80 };
enum { DECLARED_COUNT = sizeof QUEUES / sizeof QUEUES[0] };

telpher_hub hub;
const char *own_name;
atomic_bool ends;

void say(const char *format, ...) {
    char line[LINE_SIZE];
    struct timespec now;
    va_list arguments;
    clock_gettime(CLOCK_MONOTONIC, &now);
    int size = snprintf(line, sizeof line, "%lld ",
                        now.tv_sec * 1000000LL + now.tv_nsec / 1000);
    va_start(arguments, format);
    size += vsnprintf(line + size, sizeof line - (size_t)size - 1, format, arguments);
    va_end(arguments);
    line[size++] = '\n';
    if (write(1, line, (size_t)size) != size) {
        _exit(4);
    }
}

void fault(const char *what, const char *words) {
    say("fault %s %s", what, words ? words : "");
    _exit(3);
}

void started(const char *what, telpher_status status) {
    if (status != TELPHER_OK) {
        fault(what, telpher_last_error());
    }
}

telpher_event next(const char *what, telpher_id id) {
    telpher_event event = TELPHER_SIZED(telpher_event);
    started(what, telpher_wait(hub, id, 60000, &event));
    return event;
}

uint64_t draw(uint64_t *state, uint64_t below) {
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (*state >> 33) % below;
}

void done(const char *what, telpher_id id) {
    telpher_event event = next(what, id);
    if (event.status != TELPHER_OK) {
        fault(what, event.detail);
    }
    telpher_events_release(&event);
}

size_t fill(const char *number, size_t size, char *body) {
    unsigned long count = strtoul(strrchr(number, '-') + 1, NULL, 10);
    size_t head = (size_t)snprintf(body, NUMBER_SIZE + 1, "%s:", number);
    memset(body + head, (char)('a' + count % 26), size);
    return head + size;
}

size_t body_of(const char *number, char *body) {
    unsigned long count = strtoul(strrchr(number, '-') + 1, NULL, 10);
    size_t size = count % 90;
    if (count % 17 == 0) {
        size = 70000;
    } else if (count % 5 == 0) {
        size = count * 37 % 6000;
    }
    return fill(number, size, body);
}

void number_of(const telpher_event *event, char *number) {
    const char *colon = event->body ? memchr(event->body, ':', event->body_size) : NULL;
    size_t size = colon ? (size_t)(colon - (const char *)event->body) : 0;
    if (size == 0 || size >= NUMBER_SIZE) {
        fault("number_of", "a body without a number");
    }
    memcpy(number, event->body, size);
    number[size] = '\0';
}

const char *ending(const telpher_event *event) {
    static _Thread_local char text[64];
    snprintf(text, sizeof text, "%s %d", telpher_status_name(event->status),
             (int)event->maybe_executed);
    return text;
}

static void declare(int queue) {
    telpher_declare_options options = TELPHER_SIZED(telpher_declare_options);
    telpher_id id;
    options.durability = QUEUES[queue].durability;
    options.length_max = 300;
    options.max_attempts = 3;
    options.backoff_min_ms = 5;
    options.backoff_max_ms = 50;
    options.ack_deadline_ms = queue == LATE ? LEASE_MS : 0;
    started("declare", telpher_declare(hub, QUEUES[queue].name, &options, NULL, &id));
    done("declare", id);
}

static void sent(const char *number, int queue, telpher_id id) {
    telpher_event event = next("send", id);
    bool gone = event.status == TELPHER_NOT_FOUND && queue == SPICE;
    say("sent %s %s %llu", number, ending(&event), (unsigned long long)event.message_id);
    telpher_events_release(&event);
    if (gone) {
        declare(queue);
    }
}

static void produce(uint64_t *chance) {
    static const int TARGETS[] = {0, 0, 1, 1, LATE, SPICE};
    static char body[BODY_SIZE_MAX];
    char numbers[WINDOW][NUMBER_SIZE];
    int queues[WINDOW];
    telpher_id ids[WINDOW];
    telpher_send_options options = TELPHER_SIZED(telpher_send_options);
    unsigned long first = 0, count = 0;
    options.timeout_ms = TIMEOUT_MS;
    while (!ends || first < count) {
        if (ends || count - first == WINDOW) {
            sent(numbers[first % WINDOW], queues[first % WINDOW], ids[first % WINDOW]);
            first++;
            continue;
        }
        char *number = numbers[count % WINDOW];
        int queue = queues[count % WINDOW] = TARGETS[draw(chance, 6)];
        snprintf(number, NUMBER_SIZE, "%s-s-%lu", own_name, count + 1);
        say("send %s %s", number, QUEUES[queue].name);
        size_t size = body_of(number, body);
        started("send", telpher_send(hub, QUEUES[queue].name, &TELPHER_BODY(body, size), &options,
                                     NULL, &ids[count % WINDOW]));
        count++;
    }
}

void settle(const char *queue, const job *held, uint32_t verdict) {
    static const char *const NAMES[] = {"", "acknowledge", "reject", "requeue", "release"};
    telpher_id id;
    say("settle %s %llu %s %s", queue, (unsigned long long)held->id, held->number, NAMES[verdict]);
    started("settle", telpher_settle(hub, held->token, verdict, NULL, NULL, &id));
    telpher_event event = next("settle", id);
    say("settled %s %llu %s %s %s", queue, (unsigned long long)held->id, held->number,
        NAMES[verdict], ending(&event));
    telpher_events_release(&event);
}

/* Says what was delivered, and keeps what is needed to settle it. */
static job got(const char *queue, const telpher_event *event) {
    char expected[BODY_SIZE_MAX];
    job held = {.token = event->token, .id = event->message_id};
    number_of(event, held.number);
    bool whole = body_of(held.number, expected) == event->body_size &&
                 memcmp(expected, event->body, event->body_size) == 0;
    say("got %s %llu %s %u %d %s", queue, (unsigned long long)held.id, held.number,
        (unsigned)event->failures, (int)event->redelivered, whole ? "whole" : "damaged");
    return held;
}

/* Takes from a consumer until it or the program ends, or for some turns. True if the queue is
 * gone. */
static bool take(uint64_t *chance, const char *queue, telpher_id consumer, bool is_poisonous) {
    job kept[HELD_MAX];
    int count = 0;
    bool gone = false;
    for (int turn = 0; !ends && !gone && (is_poisonous || turn < TURNS); turn++) {
        telpher_event event = TELPHER_SIZED(telpher_event);
        telpher_status status = telpher_wait(hub, consumer, MOMENT_MS, &event);
        if (status == TELPHER_PENDING) {
            turn += IDLE;
            while (count > 0) {
                settle(queue, &kept[--count], TELPHER_ACKNOWLEDGE);
            }
            continue;
        }
        started("consume", status);
        gone = event.kind == TELPHER_EVENT_DONE;
        if (gone && event.status != TELPHER_NOT_FOUND) {
            fault("consume", event.detail);
        }
        if (event.kind == TELPHER_EVENT_DELIVERY) {
            job held = got(queue, &event);
            uint64_t drawn = draw(chance, 100);
            if (is_poisonous && strstr(held.number, "poison")) {
                say("dies");
                kill(getpid(), SIGKILL);
            }
            if (is_poisonous || (drawn < 8 && count < KEPT_MAX)) {
                kept[count++] = held;
            } else {
                settle(queue, &held, drawn < 22   ? TELPHER_REQUEUE
                                     : drawn < 26 ? TELPHER_REJECT
                                     : drawn < 33 ? TELPHER_RELEASE
                                                  : TELPHER_ACKNOWLEDGE);
            }
        }
        telpher_events_release(&event);
    }
    while (count > 0) {
        settle(queue, &kept[--count], TELPHER_ACKNOWLEDGE);
    }
    return gone;
}

static void consume_from(uint64_t *chance, const char *queue, uint32_t prefetch, bool poisonous) {
    telpher_consume_options options = TELPHER_SIZED(telpher_consume_options);
    telpher_id consumer;
    options.prefetch = prefetch;
    started("consume", telpher_consume(hub, queue, &options, NULL, &consumer));
    if (take(chance, queue, consumer, poisonous)) {
        say("gone %s", queue);
        return;
    }
    started("detach", telpher_detach(hub, consumer));
    for (uint32_t kind = 0; kind != TELPHER_EVENT_DONE;) {
        telpher_event event = next("detach", consumer);
        kind = event.kind;
        if (kind == TELPHER_EVENT_DELIVERY) {
            started("release", telpher_settle(hub, event.token, TELPHER_RELEASE, NULL, NULL, NULL));
        }
        telpher_events_release(&event);
    }
}

static void consume(uint64_t *chance) {
    static const uint32_t PREFETCH[] = {1, 4, 16};
    while (!ends) {
        int queue = (int)draw(chance, QUEUES_COUNT);
        consume_from(chance, QUEUES[queue].name, PREFETCH[draw(chance, 3)], false);
        if (queue == SPICE && !ends) {
            declare(queue);
        }
    }
}

static void poison(uint64_t *chance) {
    consume_from(chance, "poison", 8, true);
}

int receive(const char *queue, job *jobs, int wanted) {
    telpher_receive_options options = TELPHER_SIZED(telpher_receive_options);
    int count = 0;
    options.timeout_ms = MOMENT_MS / 2;
    while (count < wanted && !ends) {
        telpher_id id;
        started("receive", telpher_receive(hub, queue, &options, NULL, &id));
        telpher_event event = next("receive", id);
        if (event.status == TELPHER_OK) {
            jobs[count++] = got(queue, &event);
        } else if (event.status != TELPHER_EXPIRED && event.status != TELPHER_HOST_UNRESPONSIVE) {
            fault("receive", event.detail);
        } else {
            wanted = count;
        }
        telpher_events_release(&event);
    }
    return count;
}

/* Carries a batch out; true if it was refused, and all is as before. */
static bool submit(telpher_batch batch, const char *name, const char *parts) {
    telpher_batch_options options = TELPHER_SIZED(telpher_batch_options);
    char ids[NUMBER_SIZE] = "";
    size_t size = 0;
    telpher_id id;
    options.timeout_ms = TIMEOUT_MS;
    say("batch %s%s", name, parts);
    started("batch", telpher_batch_submit(hub, batch, &options, NULL, &id));
    telpher_event event = next("batch", id);
    for (size_t at = 0; at < event.receipts_count; at++) {
        size += (size_t)snprintf(ids + size, sizeof ids - size, " %llu",
                                 (unsigned long long)event.receipts[at].message_id);
    }
    say("batched %s %s%s", name, ending(&event), ids);
    bool refused = event.status != TELPHER_OK && !event.maybe_executed;
    telpher_events_release(&event);
    return refused;
}

static void move(uint64_t *chance) {
    static char body[BODY_SIZE_MAX];
    unsigned long fresh = 0;
    telpher_batch batch;
    started("batch", telpher_batch_new(&batch));
    for (unsigned long number = 1; !ends; number++) {
        const char *queue = QUEUES[draw(chance, 2)].name;
        const char *target = QUEUES[2 + draw(chance, 2)].name;
        char parts[LINE_SIZE / 2] = "", name[NUMBER_SIZE], sending[NUMBER_SIZE];
        job jobs[JOBS_MAX];
        size_t size = 0;
        int count = receive(queue, jobs, 1 + (int)draw(chance, JOBS_MAX));
        for (int at = 0; at < count && !ends; at++) {
            started("batch",
                    telpher_batch_settle(batch, jobs[at].token, TELPHER_ACKNOWLEDGE, NULL));
            size += (size_t)snprintf(parts + size, sizeof parts - size, " take:%s:%llu:%s", queue,
                                     (unsigned long long)jobs[at].id, jobs[at].number);
        }
        for (int sends = 1 + (int)draw(chance, 2); sends > 0 && count > 0; sends--) {
            snprintf(sending, sizeof sending, "%s-b-%lu", own_name, ++fresh);
            size_t body_size = body_of(sending, body);
            started("batch", telpher_batch_send(batch, target, &TELPHER_BODY(body, body_size)));
            size += (size_t)snprintf(parts + size, sizeof parts - size, " send:%s:%s", target,
                                     sending);
        }
        if (draw(chance, 20) == 0) {
            started("batch", telpher_batch_send(batch, "nowhere", &TELPHER_BODY("", 0)));
        }
        snprintf(name, sizeof name, "%s-x-%lu", own_name, number);
        if (count > 0 && submit(batch, name, parts)) {
            for (int at = 0; at < count; at++) {
                settle(queue, &jobs[at], TELPHER_RELEASE);
            }
        } else if (count == 0) {
            telpher_batch_free(batch);
            started("batch", telpher_batch_new(&batch));
        }
    }
    telpher_batch_free(batch);
}

static void answer(const telpher_event *request) {
    say("run %.*s", (int)request->body_size, (const char *)request->body);
    telpher_reply(hub, request->token, &TELPHER_BODY(request->body, request->body_size), NULL, NULL,
                  NULL);
}

static void serve(uint64_t *chance) {
    telpher_serve_options options = TELPHER_SIZED(telpher_serve_options);
    telpher_id service;
    uint32_t kind = 0;
    bool detached = false;
    options.concurrency = draw(chance, 2) ? 4 : 1;
    started("serve", telpher_serve(hub, "echo", &options, NULL, &service));
    while (kind != TELPHER_EVENT_DONE) {
        telpher_event event = TELPHER_SIZED(telpher_event);
        telpher_status status = telpher_wait(hub, service, MOMENT_MS, &event);
        if (ends && !detached) {
            started("detach", telpher_detach(hub, service));
            detached = true;
        }
        if (status == TELPHER_PENDING) {
            continue;
        }
        started("serve", status);
        kind = event.kind;
        if (kind == TELPHER_EVENT_REQUEST) {
            answer(&event);
        } else if (kind == TELPHER_EVENT_DONE && !detached) {
            fault("serve", event.detail);
        }
        telpher_events_release(&event);
    }
}

static void called(const char *number, telpher_id id) {
    telpher_event event = next("call", id);
    size_t size = strlen(number);
    bool same = event.body_size == size && memcmp(event.body, number, size) == 0;
    bool right = same || event.status != TELPHER_OK;
    say("called %s %s %s", number, ending(&event), right ? "right" : "wrong");
    telpher_events_release(&event);
}

static void call(uint64_t *chance) {
    enum { CALLS = WINDOW / 2 };
    char numbers[CALLS][NUMBER_SIZE];
    telpher_id ids[CALLS];
    telpher_call_options options = TELPHER_SIZED(telpher_call_options);
    unsigned long first = 0, count = 0;
    while (!ends || first < count) {
        if (ends || count - first == CALLS) {
            called(numbers[first % CALLS], ids[first % CALLS]);
            first++;
            continue;
        }
        char *number = numbers[count % CALLS];
        snprintf(number, NUMBER_SIZE, "%s-c-%lu", own_name, count + 1);
        options.timeout_ms = draw(chance, 2) ? 1000 : 5000;
        say("call %s", number);
        started("call", telpher_call(hub, "echo", &TELPHER_BODY(number, strlen(number)), &options,
                                     NULL, &ids[count % CALLS]));
        count++;
        poll(NULL, 0, PACE_MS);
    }
}

typedef struct {
    const char *name;
    void (*play)(uint64_t *chance);
    uint64_t chance;
} role;

static const role ROLES[] = {
    {"produce", produce, 0}, {"consume", consume, 0}, {"move", move, 0},
    {"serve", serve, 0},     {"call", call, 0},       {"poison", poison, 0},
    {"append", append, 0},   {"read", read_logs, 0},  {"publish", publish, 0},
    {"put", put, 0},         {"look", look, 0},
};

static void *play(void *argument) {
    role *own = argument;
    own->play(&own->chance);
    return NULL;
}

/* Starts the roles named, each on a thread, and waits for their ends. */
static void play_all(char **names, int count, uint64_t seed) {
    role roles[8];
    pthread_t threads[8];
    char ignored[64];
    for (int at = 0; at < count && at < 8; at++) {
        for (size_t which = 0; which < sizeof ROLES / sizeof ROLES[0]; which++) {
            if (strcmp(ROLES[which].name, names[at]) == 0) {
                roles[at] = ROLES[which];
            }
        }
        roles[at].chance = (seed * 100 + (uint64_t)at) * 2654435761u + 12345;
        if (pthread_create(&threads[at], NULL, play, &roles[at]) != 0) {
            fault("main", "no thread");
        }
    }
    while (read(0, ignored, sizeof ignored) > 0) {
    }
    ends = true;
    for (int at = 0; at < count && at < 8; at++) {
        pthread_join(threads[at], NULL);
    }
}

int main(int count, char **arguments) {
    telpher_id id;
    if (count < 5) {
        fprintf(stderr, "usage: telpher-crash-worker URL NAME SEED ROLE...\n");
        return 2;
    }
    own_name = arguments[2];
    started("open", telpher_open(arguments[1], NULL, NULL, &hub, &id));
    telpher_event event = next("open", id);
    if (event.status != TELPHER_OK) {
        fault("open", event.detail);
    }
    unsigned long long epoch = event.hub_info->epoch;
    telpher_events_release(&event);
    for (int queue = 0; queue < DECLARED_COUNT; queue++) {
        declare(queue);
    }
    declare_streams();
    say("open %llu", epoch);
    play_all(arguments + 4, count - 4, strtoull(arguments[3], NULL, 10));
    started("close", telpher_close(hub, 0));
    say("end");
    return 0;
}
