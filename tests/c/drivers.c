/* The three destinations and the three drivers. */
#include "check.h"

#include <poll.h>
#include <signal.h>
#include <time.h>

static void serve_and_call_by_events(const char *url, uint32_t drive) {
    telpher_hub hub = 0;
    telpher_open_options options = TELPHER_SIZED(telpher_open_options);
    telpher_done done = TELPHER_SIZED(telpher_done);
    telpher_event events[8];
    int fd, answered = 0, opened = 0, started = 0;
    size_t count;
    options.drive = drive;
    done.kind = TELPHER_DONE_EVENT;
    done.user = 1;
    CHECK_OK(telpher_open(url, &options, &done, &hub, NULL));
    CHECK_OK(telpher_fd(hub, &fd));
    done.user = 2;
    CHECK_OK(telpher_serve(hub, "double", NULL, &done, NULL));
    struct pollfd readable = {.fd = fd, .events = POLLIN};
    while (answered < 3) {
        CHECK_OK(telpher_poll(hub, events, sizeof *events, 8, &count, 0));
        if (count == 0) {
            CHECK(poll(&readable, 1, 30000) == 1);
            continue;
        }
        for (size_t at = 0; at < count; at++) {
            telpher_event *event = &events[at];
            if (event->kind == TELPHER_EVENT_REQUEST) {
                CHECK_EQUAL(event->user, 2);
                CHECK_OK(telpher_reply(hub, event->token,
                                       &TELPHER_BODY(event->body, event->body_size), NULL, NULL,
                                       NULL));
            } else if (event->kind == TELPHER_EVENT_STARTED) {
                started++;
                for (done.user = 10; done.user < 13; done.user++) {
                    CHECK_OK(telpher_call(hub, "double", &TEXT("x"), NULL, &done, NULL));
                }
            } else if (event->user == 1) {
                CHECK_ENDED(*event, TELPHER_OK);
                CHECK(event->hub_info != NULL && event->hub_info->memory_only);
                opened++;
            } else {
                CHECK_ENDED(*event, TELPHER_OK);
                CHECK(event->user >= 10 && event->user < 13);
                CHECK_BODY(*event, "x");
                answered++;
            }
        }
        CHECK_OK(telpher_flush(hub));
        CHECK_OK(telpher_events_release(events));
    }
    CHECK_EQUAL(opened, 1);
    CHECK_EQUAL(started, 1);
    CHECK_OK(telpher_close(hub, 0));
}

TEST(a_caller_driven_handle_is_turned_by_its_descriptor_in_a_poll_loop) {
    serve_and_call_by_events(fresh_memory_url(), TELPHER_DRIVE_CALLER);
}

TEST(an_inline_hub_is_turned_by_its_descriptor_in_a_poll_loop) {
    serve_and_call_by_events(fresh_memory_url(), TELPHER_DRIVE_INLINE);
}

TEST(an_inline_hub_on_a_unix_socket_is_turned_in_a_poll_loop) {
    serve_and_call_by_events(fresh_unix_url(), TELPHER_DRIVE_INLINE);
}

TEST(an_inline_hub_on_a_tcp_port_is_turned_in_a_poll_loop) {
    serve_and_call_by_events(fresh_tcp_url(), TELPHER_DRIVE_INLINE);
}

TEST(a_caller_driven_handle_is_turned_by_its_waits) {
    telpher_hub hub = open_hub(fresh_memory_url(), TELPHER_DRIVE_CALLER);
    telpher_id service = serve_waiting(hub, "echo", 1), id;
    CHECK_OK(telpher_call(hub, "echo", &TEXT("x"), NULL, NULL, &id));
    telpher_event asked = outcome(hub, service);
    CHECK_EQUAL(asked.kind, TELPHER_EVENT_REQUEST);
    CHECK_OK(telpher_reply(hub, asked.token, &TEXT("y"), NULL, NULL, NULL));
    expect_ok(hub, id);
    CHECK_OK(telpher_events_release(&asked));
    CHECK_OK(telpher_close(hub, 0));
}

struct counter {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    telpher_hub hub;
    int requests, answers, closes;
    telpher_status within, last;
};

#define COUNTER {.lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER}

static void counted(struct counter *counter, int *number) {
    pthread_mutex_lock(&counter->lock);
    ++*number;
    pthread_cond_broadcast(&counter->changed);
    pthread_mutex_unlock(&counter->lock);
}

static void await_count(struct counter *counter, const int *number, int expected) {
    pthread_mutex_lock(&counter->lock);
    while (*number < expected) {
        pthread_cond_wait(&counter->changed, &counter->lock);
    }
    pthread_mutex_unlock(&counter->lock);
}

static void on_request(const telpher_event *event, uint64_t user) {
    struct counter *counter = (struct counter *)(uintptr_t)user;
    if (event->kind == TELPHER_EVENT_REQUEST) {
        telpher_reply(counter->hub, event->token, &TELPHER_BODY(event->body, event->body_size),
                      NULL, NULL, NULL);
        counted(counter, &counter->requests);
    }
}

static void on_answer(const telpher_event *event, uint64_t user) {
    struct counter *counter = (struct counter *)(uintptr_t)user;
    telpher_event nested = TELPHER_SIZED(telpher_event);
    telpher_id id;
    if (telpher_call(counter->hub, "echo", &TEXT("nested"), NULL, NULL, &id) == TELPHER_OK) {
        counter->within = telpher_wait(counter->hub, id, 0, &nested);
        telpher_detach(counter->hub, id);
    }
    counter->last = event->status;
    counted(counter, &counter->answers);
}

TEST(callbacks_run_on_the_driver_and_may_start_but_not_wait) {
    struct counter counter = COUNTER;
    telpher_done done = TELPHER_SIZED(telpher_done);
    counter.hub = open_memory();
    done.kind = TELPHER_DONE_CALLBACK;
    done.user = (uintptr_t)&counter;
    done.fn = on_request;
    CHECK_OK(telpher_serve(counter.hub, "echo", NULL, &done, NULL));
    declare_queue(counter.hub, "after-the-service");
    done.fn = on_answer;
    CHECK_OK(telpher_call(counter.hub, "echo", &TEXT("x"), NULL, &done, NULL));
    await_count(&counter, &counter.answers, 1);
    await_count(&counter, &counter.requests, 2);
    CHECK_EQUAL(counter.last, TELPHER_OK);
    CHECK_EQUAL(counter.within, TELPHER_WOULD_DEADLOCK);
    CHECK_OK(telpher_close(counter.hub, 0));
}

static void on_last(const telpher_event *event, uint64_t user) {
    struct counter *counter = (struct counter *)(uintptr_t)user;
    counter->last = event->status;
    counter->within = telpher_close(counter->hub, 1000);
    counted(counter, &counter->closes);
}

TEST(a_handle_may_be_closed_in_its_own_callback) {
    for (uint32_t drive = TELPHER_DRIVE_LIBRARY; drive <= TELPHER_DRIVE_INLINE; drive++) {
        struct counter counter = COUNTER;
        telpher_done done = TELPHER_SIZED(telpher_done);
        telpher_event event = TELPHER_SIZED(telpher_event);
        telpher_counters counters = TELPHER_SIZED(telpher_counters);
        size_t count;
        counter.hub = open_hub(fresh_memory_url(), drive);
        done.kind = TELPHER_DONE_CALLBACK;
        done.user = (uintptr_t)&counter;
        done.fn = on_last;
        CHECK_OK(telpher_call(counter.hub, "nobody", &TEXT("x"), NULL, &done, NULL));
        while (drive != TELPHER_DRIVE_LIBRARY && counter.closes == 0) {
            telpher_status status =
                telpher_poll(counter.hub, &event, sizeof event, 1, &count, 100);
            CHECK(status == TELPHER_OK || status == TELPHER_CLOSED);
        }
        await_count(&counter, &counter.closes, 1);
        CHECK_EQUAL(counter.last, TELPHER_NO_SERVICE);
        CHECK_EQUAL(counter.within, TELPHER_OK);
        CHECK_STATUS(telpher_stats(counter.hub, &counters), TELPHER_CLOSED);
    }
}

TEST(an_open_call_ends_as_closed_in_its_callback) {
    struct counter counter = COUNTER;
    telpher_done done = TELPHER_SIZED(telpher_done);
    telpher_hub hub = counter.hub = open_memory();
    telpher_id service = serve_waiting(hub, "silent", 1);
    done.kind = TELPHER_DONE_CALLBACK;
    done.user = (uintptr_t)&counter;
    done.fn = on_answer;
    CHECK_OK(telpher_call(hub, "silent", &TEXT("x"), NULL, &done, NULL));
    telpher_event asked = outcome(hub, service);
    CHECK_OK(telpher_events_release(&asked));
    CHECK_OK(telpher_close(hub, 0));
    await_count(&counter, &counter.answers, 1);
    CHECK_EQUAL(counter.last, TELPHER_CLOSED);
}

TEST(nobody_hears_of_a_failure_that_nobody_asked_about_but_it_is_counted) {
    telpher_hub hub = open_memory();
    telpher_counters counters = TELPHER_SIZED(telpher_counters);
    telpher_done done = TELPHER_SIZED(telpher_done);
    done.kind = TELPHER_DONE_NONE;
    CHECK_OK(telpher_call(hub, "nobody", &TEXT("x"), NULL, &done, NULL));
    CHECK_OK(telpher_call(hub, "nobody", &TEXT("x"), NULL, NULL, NULL));
    declare_queue(hub, "afterwards");
    CHECK_OK(telpher_stats(hub, &counters));
    CHECK_EQUAL(counters.failed, 2);
    CHECK_EQUAL(counters.failed_unseen, 2);
    CHECK_EQUAL(counters.in_flight, 0);
    CHECK_EQUAL(counters.in_flight_bytes, 0);
    CHECK(counters.started >= 3);
    CHECK_EQUAL(counters.connects, 1);
    CHECK_OK(telpher_close(hub, 0));
}

TEST(one_batch_holds_many_events_and_is_released_by_any_of_them) {
    enum { MANY = 100 };
    telpher_hub hub = open_hub(fresh_memory_url(), TELPHER_DRIVE_CALLER);
    telpher_done done = TELPHER_SIZED(telpher_done);
    telpher_event events[MANY];
    size_t count, all = 0;
    done.kind = TELPHER_DONE_EVENT;
    for (done.user = 0; done.user < MANY; done.user++) {
        CHECK_OK(telpher_call(hub, "nobody", &TEXT("x"), NULL, &done, NULL));
    }
    while (all < MANY) {
        CHECK_OK(telpher_poll(hub, events, sizeof *events, MANY, &count, 10000));
        CHECK(count > 0);
        for (size_t at = 0; at < count; at++) {
            CHECK_ENDED(events[at], TELPHER_NO_SERVICE);
            CHECK_CONTAINS(events[at].detail, "nobody");
            CHECK_EQUAL(events[at].batch, events[0].batch);
            CHECK_EQUAL(events[at].user, all + at);
        }
        all += count;
        CHECK_OK(telpher_events_release(&events[count - 1]));
        CHECK_STATUS(telpher_events_release(&events[0]), TELPHER_STALE);
    }
    CHECK_OK(telpher_close(hub, 0));
}

TEST(a_full_handle_says_so_and_then_that_it_is_ready) {
    telpher_open_options options = TELPHER_SIZED(telpher_open_options);
    telpher_done notices = TELPHER_SIZED(telpher_done), done = TELPHER_SIZED(telpher_done);
    telpher_event events[8];
    telpher_hub hub;
    size_t count;
    int ready = 0, ended = 0, in_flight_max = 4;
    options.drive = TELPHER_DRIVE_CALLER;
    options.in_flight_max = (size_t)in_flight_max;
    options.notices = &notices;
    notices.kind = TELPHER_DONE_EVENT;
    notices.user = 99;
    done.kind = TELPHER_DONE_EVENT;
    CHECK_OK(telpher_open(fresh_memory_url(), &options, NULL, &hub, NULL));
    telpher_status status = TELPHER_OK;
    int started = 0;
    for (; started <= in_flight_max && status == TELPHER_OK; started++) {
        status = telpher_call(hub, "nobody", &TEXT("x"), NULL, &done, NULL);
    }
    CHECK_STATUS(status, TELPHER_FULL);
    CHECK_LAST_ERROR("4");
    started--;
    while (ready == 0 || ended < started) {
        CHECK_OK(telpher_poll(hub, events, sizeof *events, 8, &count, 10000));
        CHECK(count > 0);
        for (size_t at = 0; at < count; at++) {
            ready += events[at].kind == TELPHER_EVENT_READY && events[at].user == 99;
            ended += events[at].kind == TELPHER_EVENT_DONE;
        }
        CHECK_OK(telpher_events_release(events));
    }
    CHECK_EQUAL(ready, 1);
    CHECK_EQUAL(ended, started);
    CHECK_OK(telpher_call(hub, "nobody", &TEXT("x"), NULL, &done, NULL));
    CHECK_OK(telpher_close(hub, 0));
}

static void *wake(void *argument) {
    telpher_hub hub = *(telpher_hub *)argument;
    CHECK_OK(telpher_wake(hub));
    return NULL;
}

TEST(a_poll_ends_when_it_is_woken_and_when_its_time_is_over) {
    telpher_hub hub = open_memory();
    telpher_event event = TELPHER_SIZED(telpher_event);
    pthread_t thread;
    size_t count = 7;
    CHECK_OK(telpher_poll(hub, &event, sizeof event, 1, &count, 0));
    CHECK_EQUAL(count, 0);
    CHECK_OK(telpher_poll(hub, &event, sizeof event, 1, &count, 10));
    CHECK_EQUAL(count, 0);
    CHECK(pthread_create(&thread, NULL, wake, &hub) == 0);
    CHECK_OK(telpher_poll(hub, &event, sizeof event, 1, &count, TELPHER_FOREVER));
    CHECK_EQUAL(count, 0);
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK_OK(telpher_close(hub, 0));
}

TEST(a_wait_for_id_0_ends_when_the_handle_is_ready_again) {
    telpher_open_options options = TELPHER_SIZED(telpher_open_options);
    telpher_event event = TELPHER_SIZED(telpher_event);
    telpher_hub hub;
    telpher_id first, second, opening;
    options.in_flight_max = 1;
    CHECK_OK(telpher_open(fresh_memory_url(), &options, NULL, &hub, &opening));
    expect_ok(hub, opening);
    telpher_id service = serve_waiting(hub, "slow", 1);
    CHECK_OK(telpher_call(hub, "slow", &TEXT("x"), NULL, NULL, &first));
    CHECK_STATUS(telpher_call(hub, "slow", &TEXT("x"), NULL, NULL, &second), TELPHER_FULL);
    CHECK_STATUS(telpher_wait(hub, 0, 1, &event), TELPHER_PENDING);
    telpher_event asked = outcome(hub, service);
    CHECK_OK(telpher_reply(hub, asked.token, &TEXT("y"), NULL, NULL, NULL));
    CHECK_OK(telpher_events_release(&asked));
    expect_ok(hub, first);
    CHECK_OK(telpher_wait(hub, 0, 0, &event));
    CHECK_EQUAL(event.kind, TELPHER_EVENT_READY);
    CHECK_OK(telpher_events_release(&event));
    CHECK_OK(telpher_call(hub, "slow", &TEXT("x"), NULL, NULL, &second));
    CHECK_OK(telpher_close(hub, 0));
}

TEST(a_withdrawn_request_is_an_event_of_its_service) {
    telpher_hub hub = open_hub(fresh_memory_url(), TELPHER_DRIVE_CALLER);
    telpher_done done = TELPHER_SIZED(telpher_done);
    telpher_event event = TELPHER_SIZED(telpher_event);
    telpher_id service, id = 0;
    uint64_t token = 0;
    size_t count;
    done.kind = TELPHER_DONE_EVENT;
    CHECK_OK(telpher_serve(hub, "slow", NULL, &done, &service));
    for (int withdrawn = 0; !withdrawn;) {
        CHECK_OK(telpher_poll(hub, &event, sizeof event, 1, &count, 30000));
        CHECK_EQUAL(count, 1);
        CHECK_EQUAL(event.id, service);
        if (event.kind == TELPHER_EVENT_STARTED) {
            CHECK_OK(telpher_call(hub, "slow", &TEXT("x"), NULL, NULL, &id));
        } else if (event.kind == TELPHER_EVENT_REQUEST) {
            token = event.token;
            CHECK_OK(telpher_cancel(hub, id));
        } else {
            CHECK_EQUAL(event.kind, TELPHER_EVENT_WITHDRAWN);
            CHECK_EQUAL(event.token, token);
            withdrawn = 1;
        }
        CHECK_OK(telpher_events_release(&event));
    }
    expect_ended(hub, id, TELPHER_CANCELLED);
    CHECK_OK(telpher_close(hub, 0));
}

static void ignore_signal(int signal) {
    (void)signal;
}

/* Interrupts the main thread until it has said that it was interrupted. */
struct interrupter {
    pthread_t target;
    volatile int done;
};

static void *interrupt(void *argument) {
    struct interrupter *interrupter = argument;
    struct timespec moment = {0, 5000000};
    while (!interrupter->done) {
        pthread_kill(interrupter->target, SIGUSR1);
        nanosleep(&moment, NULL);
    }
    return NULL;
}

TEST(a_signal_ends_the_wait_of_an_interruptible_handle_and_of_no_other) {
    struct sigaction action;
    memset(&action, 0, sizeof action);
    action.sa_handler = ignore_signal;
    sigaction(SIGUSR1, &action, NULL);
    for (uint32_t interruptible = 0; interruptible < 2; interruptible++) {
        telpher_open_options options = TELPHER_SIZED(telpher_open_options);
        telpher_event event = TELPHER_SIZED(telpher_event);
        struct interrupter interrupter = {pthread_self(), 0};
        telpher_hub hub;
        telpher_id id;
        pthread_t thread;
        options.interruptible = interruptible;
        CHECK_OK(telpher_open(fresh_memory_url(), &options, NULL, &hub, &id));
        expect_ok(hub, id);
        telpher_id service = serve_waiting(hub, "silent", 1);
        CHECK(pthread_create(&thread, NULL, interrupt, &interrupter) == 0);
        telpher_status status =
            telpher_wait(hub, service, interruptible ? TELPHER_FOREVER : 100, &event);
        interrupter.done = 1;
        CHECK(pthread_join(thread, NULL) == 0);
        CHECK_STATUS(status, interruptible ? TELPHER_INTERRUPTED : TELPHER_PENDING);
        CHECK_OK(telpher_close(hub, 0));
    }
    signal(SIGUSR1, SIG_DFL);
}

struct worker {
    telpher_hub hub;
    pthread_t thread;
    int number;
};

static void *call_many(void *argument) {
    struct worker *worker = argument;
    char body[32], expected[32];
    for (int at = 0, many = check_many(1000); at < many; at++) {
        telpher_id id;
        int size = snprintf(body, sizeof body, "%d-%d", worker->number, at);
        for (int place = 0; place <= size; place++) {
            expected[place] = place < size ? body[size - 1 - place] : '\0';
        }
        CHECK_OK(telpher_call(worker->hub, "reverse", &TEXT(body), NULL, NULL, &id));
        telpher_event event = outcome(worker->hub, id);
        CHECK_ENDED(event, TELPHER_OK);
        CHECK_BODY(event, expected);
        CHECK_OK(telpher_events_release(&event));
    }
    return NULL;
}

TEST(many_threads_share_one_handle_and_each_gets_its_own_answers) {
    enum { WORKERS = 8 };
    struct worker workers[WORKERS];
    struct reverser reverser;
    telpher_hub hub = open_memory();
    reverser_start(&reverser, hub, "reverse", WORKERS);
    for (int at = 0; at < WORKERS; at++) {
        workers[at] = (struct worker){.hub = hub, .number = at};
        CHECK(pthread_create(&workers[at].thread, NULL, call_many, &workers[at]) == 0);
    }
    for (int at = 0; at < WORKERS; at++) {
        CHECK(pthread_join(workers[at].thread, NULL) == 0);
    }
    reverser_stop(&reverser);
    CHECK_OK(telpher_close(hub, 0));
}
