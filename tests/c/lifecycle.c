/* Handles: closing, forking, many of them; bodies that are handed over. */
#include "check.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int open_descriptors(void) {
    DIR *directory = opendir("/proc/self/fd");
    int count = 0;
    while (readdir(directory) != NULL) {
        count++;
    }
    closedir(directory);
    return count;
}

TEST(ten_thousand_handles_leave_nothing_behind) {
    telpher_close(open_memory(), 0);
    int before = open_descriptors();
    telpher_hub last = 0;
    for (int at = 0; at < check_many(10000); at++) {
        telpher_hub hub = open_memory();
        CHECK(hub != last);
        CHECK_OK(telpher_close(hub, 0));
        last = hub;
    }
    CHECK_EQUAL(open_descriptors(), before);
}

TEST(a_closed_handle_is_refused_for_ever) {
    telpher_hub hub = open_memory();
    telpher_event event = TELPHER_SIZED(telpher_event);
    telpher_id id = 7;
    int fd;
    CHECK_OK(telpher_close(hub, 0));
    CHECK_STATUS(telpher_close(hub, 0), TELPHER_CLOSED);
    telpher_hub next = open_memory();
    CHECK(next != hub);
    CHECK_STATUS(telpher_call(hub, "a", &TEXT("x"), NULL, NULL, &id), TELPHER_CLOSED);
    CHECK_EQUAL(id, 0);
    CHECK_STATUS(telpher_wait(hub, 1, 0, &event), TELPHER_CLOSED);
    CHECK_STATUS(telpher_fd(hub, &fd), TELPHER_CLOSED);
    CHECK_LAST_ERROR("closed");
    CHECK_OK(telpher_close(next, 0));
}

struct waiter {
    telpher_hub hub;
    telpher_id id;
    pthread_t thread;
    telpher_status status;
};

static void *wait_for_ever(void *argument) {
    struct waiter *waiter = argument;
    telpher_event event = TELPHER_SIZED(telpher_event);
    waiter->status = telpher_wait(waiter->hub, waiter->id, TELPHER_FOREVER, &event);
    if (waiter->status == TELPHER_OK) {
        waiter->status = event.status;
        telpher_events_release(&event);
    }
    return NULL;
}

TEST(closing_wakes_every_waiter_with_closed) {
    enum { WAITERS = 4 };
    telpher_hub hub = open_memory();
    telpher_id service = serve_waiting(hub, "silent", WAITERS);
    struct waiter waiters[WAITERS];
    for (int at = 0; at < WAITERS; at++) {
        waiters[at].hub = hub;
        CHECK_OK(telpher_call(hub, "silent", &TEXT("x"), NULL, NULL, &waiters[at].id));
        CHECK(pthread_create(&waiters[at].thread, NULL, wait_for_ever, &waiters[at]) == 0);
        telpher_event asked = outcome(hub, service);
        CHECK_OK(telpher_events_release(&asked));
    }
    CHECK_OK(telpher_close(hub, 0));
    for (int at = 0; at < WAITERS; at++) {
        CHECK(pthread_join(waiters[at].thread, NULL) == 0);
        CHECK_EQUAL(waiters[at].status, TELPHER_CLOSED);
    }
}

struct caller {
    telpher_hub hub;
    pthread_t thread;
    int calls;
};

static void *call_until_closed(void *argument) {
    struct caller *caller = argument;
    telpher_event event = TELPHER_SIZED(telpher_event);
    for (telpher_id id;;) {
        telpher_status status = telpher_call(caller->hub, "reverse", &TEXT("x"), NULL, NULL, &id);
        if (status == TELPHER_OK) {
            status = telpher_wait(caller->hub, id, 0, &event);
        }
        if (status == TELPHER_OK) {
            CHECK(event.status == TELPHER_OK || event.status == TELPHER_CLOSED);
            CHECK_OK(telpher_events_release(&event));
            caller->calls++;
            continue;
        }
        CHECK_STATUS(status, TELPHER_CLOSED);
        return NULL;
    }
}

TEST(closing_in_the_middle_of_everything_crashes_nobody) {
    enum { CALLERS = 4 };
    for (int round = 0; round < 20; round++) {
        telpher_hub hub = open_memory();
        struct caller callers[CALLERS];
        struct reverser reverser;
        struct timespec moment = {0, (round % 10) * 1000000L};
        reverser_start(&reverser, hub, "reverse", 8);
        for (int at = 0; at < CALLERS; at++) {
            callers[at] = (struct caller){.hub = hub};
            CHECK(pthread_create(&callers[at].thread, NULL, call_until_closed, &callers[at]) == 0);
        }
        nanosleep(&moment, NULL);
        CHECK_OK(telpher_close(hub, 0));
        for (int at = 0; at < CALLERS; at++) {
            CHECK(pthread_join(callers[at].thread, NULL) == 0);
        }
        CHECK(pthread_join(reverser.thread, NULL) == 0);
    }
}

/* Every function that takes a handle says FORKED in the child, and a handle of the child's own
 * works. The exit code is the number of the first line that is wrong. */
#define IN_CHILD(condition)  \
    do {                     \
        if (!(condition))    \
            _exit(__LINE__ % 200 + 1); \
    } while (0)

static void child(telpher_hub parents, telpher_event *held, telpher_batch batch) {
    telpher_event event = TELPHER_SIZED(telpher_event);
    telpher_counters counters = TELPHER_SIZED(telpher_counters);
    telpher_message message = TEXT("x");
    telpher_id id;
    size_t count;
    IN_CHILD(telpher_call(parents, "a", &message, NULL, NULL, &id) == TELPHER_FORKED);
    IN_CHILD(strstr(telpher_last_error(), "fork") != NULL);
    IN_CHILD(telpher_serve(parents, "a", NULL, NULL, &id) == TELPHER_FORKED);
    IN_CHILD(telpher_send(parents, "a", &message, NULL, NULL, &id) == TELPHER_FORKED);
    IN_CHILD(telpher_settle(parents, held->token, TELPHER_ACKNOWLEDGE, NULL, NULL, NULL) ==
             TELPHER_FORKED);
    IN_CHILD(telpher_extend(parents, held->token, 0, NULL, NULL) == TELPHER_FORKED);
    IN_CHILD(telpher_batch_send(batch, "jobs", &message) == TELPHER_FORKED);
    IN_CHILD(telpher_batch_submit(parents, batch, NULL, NULL, NULL) == TELPHER_FORKED);
    IN_CHILD(telpher_batch_free(batch) == TELPHER_FORKED);
    IN_CHILD(telpher_wait(parents, 1, 0, &event) == TELPHER_FORKED);
    IN_CHILD(telpher_poll(parents, &event, sizeof event, 1, &count, 0) == TELPHER_FORKED);
    IN_CHILD(telpher_flush(parents) == TELPHER_FORKED);
    IN_CHILD(telpher_stats(parents, &counters) == TELPHER_FORKED);
    IN_CHILD(telpher_events_release(held) == TELPHER_FORKED);
    IN_CHILD(telpher_close(parents, 0) == TELPHER_FORKED);
    telpher_hub own;
    telpher_batch another;
    IN_CHILD(telpher_batch_new(&another) == TELPHER_OK && another != batch);
    IN_CHILD(telpher_batch_free(another) == TELPHER_OK);
    IN_CHILD(telpher_open("mem://of-the-child", NULL, NULL, &own, &id) == TELPHER_OK);
    IN_CHILD(telpher_wait(own, id, 0, &event) == TELPHER_OK && event.status == TELPHER_OK);
    IN_CHILD(telpher_events_release(&event) == TELPHER_OK);
    IN_CHILD(telpher_call(own, "nobody", &message, NULL, NULL, &id) == TELPHER_OK);
    IN_CHILD(telpher_wait(own, id, 0, &event) == TELPHER_OK);
    IN_CHILD(event.status == TELPHER_NO_SERVICE);
    IN_CHILD(telpher_events_release(&event) == TELPHER_OK);
    IN_CHILD(telpher_close(own, 0) == TELPHER_OK);
    /* What the parent's threads held is lost here, and no leak of ours: valgrind is not to look. */
    execlp("true", "true", (char *)NULL);
    _exit(127);
}

TEST(after_a_fork_the_child_is_refused_and_the_parent_goes_on) {
    telpher_hub hub = open_memory();
    struct reverser reverser;
    telpher_id id;
    int status;
    telpher_batch batch;
    reverser_start(&reverser, hub, "reverse", 1);
    declare_queue(hub, "jobs");
    send_text(hub, "jobs", "x");
    telpher_event held = receive_one(hub, "jobs");
    CHECK_OK(telpher_batch_new(&batch));
    CHECK_OK(telpher_batch_settle(batch, held.token, TELPHER_ACKNOWLEDGE, NULL));
    pid_t forked = fork();
    CHECK(forked >= 0);
    if (forked == 0) {
        child(hub, &held, batch);
    }
    CHECK(waitpid(forked, &status, 0) == forked);
    CHECK_EQUAL(status, 0);
    CHECK_OK(telpher_call(hub, "reverse", &TEXT("diaper"), NULL, NULL, &id));
    telpher_event event = outcome(hub, id);
    CHECK_BODY(event, "repaid");
    CHECK_OK(telpher_batch_submit(hub, batch, NULL, NULL, &id));
    expect_ok(hub, id);
    CHECK_OK(telpher_batch_free(batch));
    CHECK_OK(telpher_events_release(&held));
    CHECK_OK(telpher_events_release(&event));
    reverser_stop(&reverser);
    CHECK_OK(telpher_close(hub, 0));
}

/* A body that is handed over, and how often it came back. */
struct lent {
    pthread_mutex_t lock;
    pthread_cond_t released;
    int releases;
    char *body;
};

static void take_back(void *argument) {
    struct lent *lent = argument;
    pthread_mutex_lock(&lent->lock);
    lent->releases++;
    free(lent->body);
    lent->body = NULL;
    pthread_cond_broadcast(&lent->released);
    pthread_mutex_unlock(&lent->lock);
}

static telpher_message lend(struct lent *lent, size_t size) {
    telpher_message message = TELPHER_SIZED(telpher_message);
    lent->releases = 0;
    lent->body = calloc(1, size + 1);
    memset(lent->body, 'b', size);
    message.body = lent->body;
    message.body_size = size;
    message.release = take_back;
    message.release_arg = lent;
    return message;
}

static void await_release(struct lent *lent) {
    pthread_mutex_lock(&lent->lock);
    while (lent->releases == 0) {
        pthread_cond_wait(&lent->released, &lent->lock);
    }
    pthread_mutex_unlock(&lent->lock);
}

#define LENT {.lock = PTHREAD_MUTEX_INITIALIZER, .released = PTHREAD_COND_INITIALIZER}

TEST(a_body_handed_over_is_released_once_when_nothing_needs_it_any_more) {
    static const size_t sizes[] = {0, 5, 100000};
    for (int at = 0; at < 3; at++) {
        struct lent lent = LENT;
        telpher_hub hub = open_memory();
        telpher_message message = lend(&lent, sizes[at]);
        telpher_id id;
        declare_queue(hub, "jobs");
        CHECK_OK(telpher_send(hub, "jobs", &message, NULL, NULL, &id));
        expect_ok(hub, id);
        telpher_event job = receive_one(hub, "jobs");
        CHECK_EQUAL(job.body_size, sizes[at]);
        for (size_t place = 0; place < sizes[at]; place++) {
            CHECK(((const char *)job.body)[place] == 'b');
        }
        CHECK_OK(telpher_settle(hub, job.token, TELPHER_ACKNOWLEDGE, NULL, NULL, NULL));
        CHECK_OK(telpher_events_release(&job));
        CHECK_OK(telpher_close(hub, 0));
        await_release(&lent);
        CHECK_EQUAL(lent.releases, 1);
    }
}

TEST(a_body_handed_over_is_released_once_also_on_failure) {
    struct lent lent = LENT;
    telpher_hub hub = open_memory(), closed = open_memory();
    telpher_send_options wrong = TELPHER_SIZED(telpher_send_options);
    telpher_message message;
    telpher_id id;
    CHECK_OK(telpher_close(closed, 0));
    message = lend(&lent, 5);
    CHECK_STATUS(telpher_send(closed, "jobs", &message, NULL, NULL, &id), TELPHER_CLOSED);
    CHECK_EQUAL(lent.releases, 1);
    message = lend(&lent, 5);
    CHECK_STATUS(telpher_send(0, "jobs", &message, NULL, NULL, &id), TELPHER_INVALID);
    CHECK_EQUAL(lent.releases, 1);
    message = lend(&lent, 5);
    CHECK_STATUS(telpher_send(hub, "a/b", &message, NULL, NULL, &id), TELPHER_INVALID);
    CHECK_EQUAL(lent.releases, 1);
    message = lend(&lent, 5);
    message.body_size = SIZE_MAX;
    CHECK_STATUS(telpher_call(hub, "jobs", &message, NULL, NULL, &id), TELPHER_TOO_LARGE);
    CHECK_EQUAL(lent.releases, 1);
    message = lend(&lent, 5);
    message.priority = 999;
    CHECK_STATUS(telpher_reply(hub, 1, &message, NULL, NULL, NULL), TELPHER_INVALID);
    CHECK_EQUAL(lent.releases, 1);
    message = lend(&lent, 5);
    message.key_size = 1;
    CHECK_STATUS(telpher_send(hub, "jobs", &message, NULL, NULL, &id), TELPHER_INVALID);
    CHECK_EQUAL(lent.releases, 1);
    message = lend(&lent, 5);
    wrong.timeout_ms = -7;
    CHECK_STATUS(telpher_send(hub, "jobs", &message, &wrong, NULL, &id), TELPHER_INVALID);
    CHECK_EQUAL(lent.releases, 1);
    message = lend(&lent, 5);
    CHECK_OK(telpher_reply(hub, 1, &message, NULL, NULL, &id));
    expect_ended(hub, id, TELPHER_LEASE_LOST);
    await_release(&lent);
    CHECK_EQUAL(lent.releases, 1);
    message = lend(&lent, 5);
    CHECK_OK(telpher_call(hub, "nobody", &message, NULL, NULL, &id));
    telpher_event event = outcome(hub, id);
    CHECK_ENDED(event, TELPHER_NO_SERVICE);
    CHECK_OK(telpher_events_release(&event));
    await_release(&lent);
    CHECK_OK(telpher_close(hub, 0));
    CHECK_EQUAL(lent.releases, 1);
}

TEST(a_body_handed_over_is_released_once_when_its_handle_closes_before_it_is_sent) {
    struct lent lent = LENT;
    telpher_open_options options = TELPHER_SIZED(telpher_open_options);
    telpher_message message = lend(&lent, 50000);
    telpher_hub hub;
    telpher_id id;
    options.drive = TELPHER_DRIVE_CALLER;
    CHECK_OK(telpher_open(fresh_tcp_url(), &options, NULL, &hub, NULL));
    CHECK_OK(telpher_call(hub, "a", &message, NULL, NULL, &id));
    CHECK_EQUAL(lent.releases, 0);
    CHECK_OK(telpher_close(hub, 1000));
    await_release(&lent);
    CHECK_EQUAL(lent.releases, 1);
}

TEST(a_body_in_a_batch_is_released_once_whatever_becomes_of_the_batch) {
    struct lent lent = LENT, stored = LENT;
    telpher_hub hub = open_memory();
    telpher_message message = lend(&lent, 5);
    telpher_batch batch, freed;
    telpher_id id;
    declare_queue(hub, "jobs");
    CHECK_OK(telpher_batch_new(&freed));
    CHECK_OK(telpher_batch_new(&batch));
    CHECK_OK(telpher_batch_send(freed, "jobs", &message));
    CHECK_STATUS(telpher_batch_submit(0, freed, NULL, NULL, NULL), TELPHER_INVALID);
    CHECK_EQUAL(lent.releases, 0);
    CHECK_OK(telpher_batch_free(freed));
    CHECK_EQUAL(lent.releases, 1);
    message = lend(&lent, 5);
    CHECK_STATUS(telpher_batch_send(freed, "jobs", &message), TELPHER_STALE);
    CHECK_EQUAL(lent.releases, 1);
    message = lend(&lent, 5);
    CHECK_STATUS(telpher_batch_send(batch, "a/b", &message), TELPHER_INVALID);
    CHECK_EQUAL(lent.releases, 1);
    message = lend(&lent, 8 * 1024 * 1024);
    message.key = "k";
    message.key_size = 1;
    CHECK_STATUS(telpher_batch_send(batch, "jobs", &message), TELPHER_TOO_LARGE);
    CHECK_EQUAL(lent.releases, 1);
    message = lend(&stored, 100000);
    CHECK_OK(telpher_batch_send(batch, "jobs", &message));
    CHECK_OK(telpher_batch_submit(hub, batch, NULL, NULL, &id));
    expect_ok(hub, id);
    telpher_event job = receive_one(hub, "jobs");
    CHECK_EQUAL(job.body_size, 100000);
    settle(hub, &job, TELPHER_ACKNOWLEDGE, NULL);
    message = lend(&lent, 5);
    CHECK_OK(telpher_batch_send(batch, "none", &message));
    CHECK_OK(telpher_batch_submit(hub, batch, NULL, NULL, &id));
    expect_ended(hub, id, TELPHER_NOT_FOUND);
    CHECK_OK(telpher_batch_free(batch));
    CHECK_OK(telpher_close(hub, 0));
    await_release(&lent);
    await_release(&stored);
    CHECK_EQUAL(lent.releases + stored.releases, 2);
}
