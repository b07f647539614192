/* Batches: all or nothing. */
#include "check.h"

static telpher_batch new_batch(void) {
    telpher_batch batch = 0;
    CHECK_OK(telpher_batch_new(&batch));
    CHECK(batch != 0);
    return batch;
}

static telpher_event submit(telpher_hub hub, telpher_batch batch) {
    telpher_id id;
    CHECK_OK(telpher_batch_submit(hub, batch, NULL, NULL, &id));
    return outcome(hub, id);
}

/* Submits a batch that must be done, with so many receipts. */
static void expect_done(telpher_hub hub, telpher_batch batch, size_t receipts) {
    telpher_event event = submit(hub, batch);
    CHECK_ENDED(event, TELPHER_OK);
    CHECK_EQUAL(event.receipts_count, receipts);
    CHECK_OK(telpher_events_release(&event));
}

/* Submits a batch that must be refused as a whole, for this part of it. */
static void expect_refused(telpher_hub hub, telpher_batch batch, telpher_status expected,
                           const char *part) {
    telpher_event event = submit(hub, batch);
    CHECK_ENDED(event, expected);
    CHECK(!event.maybe_executed);
    CHECK(event.receipts == NULL && event.receipts_count == 0);
    CHECK_CONTAINS(event.detail, part);
    CHECK_OK(telpher_events_release(&event));
}

TEST(a_batch_settles_and_sends_and_has_a_receipt_for_each_send_in_order) {
    telpher_hub hub = open_memory();
    telpher_batch batch = new_batch();
    declare_queue(hub, "raw");
    declare_queue(hub, "cut");
    send_text(hub, "raw", "plank");
    telpher_event job = receive_one(hub, "raw");
    CHECK_OK(telpher_batch_send(batch, "cut", &TEXT("half")));
    CHECK_OK(telpher_batch_settle(batch, job.token, TELPHER_ACKNOWLEDGE, NULL));
    CHECK_OK(telpher_batch_send(batch, "cut", &TEXT("other half")));
    telpher_event event = submit(hub, batch);
    CHECK_ENDED(event, TELPHER_OK);
    CHECK_EQUAL(event.receipts_count, 2);
    const char *const bodies[] = {"half", "other half"};
    for (int at = 0; at < 2; at++) {
        telpher_event cut = receive_one(hub, "cut");
        CHECK_BODY(cut, bodies[at]);
        CHECK_EQUAL(event.receipts[at].message_id, cut.message_id);
        CHECK_EQUAL(event.receipts[at].durability, TELPHER_DURABILITY_MEMORY);
        settle(hub, &cut, TELPHER_ACKNOWLEDGE, NULL);
    }
    CHECK_OK(telpher_events_release(&event));
    CHECK_OK(telpher_events_release(&job));
    CHECK_EQUAL(inspect(hub, "raw").acknowledged, 1);
    CHECK_OK(telpher_batch_free(batch));
    CHECK_OK(telpher_close(hub, 0));
}

TEST(a_batch_of_verdicts_alone_has_no_receipts) {
    telpher_hub hub = open_memory();
    telpher_settle_options why = TELPHER_SIZED(telpher_settle_options);
    telpher_batch batch = new_batch();
    declare_queue(hub, "jobs");
    send_text(hub, "jobs", "bad");
    send_text(hub, "jobs", "later");
    telpher_event bad = receive_one(hub, "jobs"), later = receive_one(hub, "jobs");
    why.reason = "torn";
    CHECK_OK(telpher_batch_settle(batch, bad.token, TELPHER_REJECT, &why));
    CHECK_OK(telpher_batch_settle(batch, later.token, TELPHER_RELEASE, NULL));
    expect_done(hub, batch, 0);
    CHECK_OK(telpher_events_release(&bad));
    CHECK_OK(telpher_events_release(&later));
    CHECK_EQUAL(inspect(hub, "jobs").ready, 1);
    CHECK_EQUAL(inspect(hub, "jobs").rejected, 1);
    telpher_event dead = receive_one(hub, "jobs.dead");
    const void *value;
    size_t size;
    CHECK_OK(telpher_header_get(&dead, "telpher.error", &value, &size));
    CHECK(size == 4 && memcmp(value, "torn", 4) == 0);
    settle(hub, &dead, TELPHER_ACKNOWLEDGE, NULL);
    CHECK_OK(telpher_batch_free(batch));
    CHECK_OK(telpher_close(hub, 0));
}

TEST(a_dead_letter_is_sent_back_by_one_batch) {
    telpher_hub hub = open_memory();
    telpher_batch batch = new_batch();
    declare_queue(hub, "jobs");
    send_text(hub, "jobs", "try me");
    telpher_event job = receive_one(hub, "jobs");
    settle(hub, &job, TELPHER_REJECT, "the printer is out of paper");
    telpher_event dead = receive_one(hub, "jobs.dead");
    CHECK_OK(telpher_batch_send(batch, "jobs", &TELPHER_BODY(dead.body, dead.body_size)));
    CHECK_OK(telpher_batch_settle(batch, dead.token, TELPHER_ACKNOWLEDGE, NULL));
    expect_done(hub, batch, 1);
    CHECK_OK(telpher_events_release(&dead));
    job = receive_one(hub, "jobs");
    CHECK_BODY(job, "try me");
    CHECK_EQUAL(job.failures, 0);
    settle(hub, &job, TELPHER_ACKNOWLEDGE, NULL);
    CHECK_EQUAL(inspect(hub, "jobs.dead").acknowledged, 1);
    CHECK_OK(telpher_batch_free(batch));
    CHECK_OK(telpher_close(hub, 0));
}

TEST(a_batch_with_one_wrong_part_changes_nothing_and_names_that_part) {
    telpher_hub hub = open_memory();
    telpher_batch batch = new_batch();
    declare_queue(hub, "jobs");
    send_text(hub, "jobs", "held");
    telpher_event job = receive_one(hub, "jobs");
    CHECK_OK(telpher_batch_send(batch, "jobs", &TEXT("never")));
    CHECK_OK(telpher_batch_settle(batch, job.token, TELPHER_ACKNOWLEDGE, NULL));
    CHECK_OK(telpher_batch_send(batch, "none", &TEXT("nowhere")));
    expect_refused(hub, batch, TELPHER_NOT_FOUND, "part 2 of the batch");
    CHECK_EQUAL(inspect(hub, "jobs").ready, 0);
    CHECK_EQUAL(inspect(hub, "jobs").held, 1);
    CHECK_EQUAL(inspect(hub, "jobs").sent, 1);
    uint64_t token = job.token;
    settle(hub, &job, TELPHER_ACKNOWLEDGE, NULL);
    CHECK_OK(telpher_batch_send(batch, "jobs", &TEXT("never")));
    CHECK_OK(telpher_batch_settle(batch, token, TELPHER_ACKNOWLEDGE, NULL));
    expect_refused(hub, batch, TELPHER_STALE, "part 1 of the batch");
    CHECK_EQUAL(inspect(hub, "jobs").sent, 1);
    CHECK_OK(telpher_batch_free(batch));
    CHECK_OK(telpher_close(hub, 0));
}

TEST(a_delivery_settled_twice_in_a_batch_is_stale_and_still_held) {
    telpher_hub hub = open_memory();
    telpher_batch batch = new_batch();
    declare_queue(hub, "jobs");
    send_text(hub, "jobs", "once");
    telpher_event job = receive_one(hub, "jobs");
    CHECK_OK(telpher_batch_settle(batch, job.token, TELPHER_ACKNOWLEDGE, NULL));
    CHECK_OK(telpher_batch_settle(batch, job.token, TELPHER_REJECT, NULL));
    expect_refused(hub, batch, TELPHER_STALE, "part 1 of the batch");
    settle(hub, &job, TELPHER_ACKNOWLEDGE, NULL);
    CHECK_EQUAL(inspect(hub, "jobs").acknowledged, 1);
    CHECK_OK(telpher_batch_free(batch));
    CHECK_OK(telpher_close(hub, 0));
}

TEST(a_lost_lease_refuses_the_whole_batch) {
    telpher_hub hub = open_memory();
    telpher_declare_options options = TELPHER_SIZED(telpher_declare_options);
    telpher_batch batch = new_batch();
    options.ack_deadline_ms = 20;
    options.backoff_min_ms = 1;
    options.backoff_max_ms = 1;
    declare_as(hub, "jobs", &options);
    declare_queue(hub, "results");
    send_text(hub, "jobs", "slow");
    telpher_event late = receive_one(hub, "jobs"), again = receive_one(hub, "jobs");
    CHECK_OK(telpher_batch_send(batch, "results", &TEXT("too late")));
    CHECK_OK(telpher_batch_settle(batch, late.token, TELPHER_ACKNOWLEDGE, NULL));
    expect_refused(hub, batch, TELPHER_LEASE_LOST, "part 1 of the batch");
    CHECK_EQUAL(inspect(hub, "results").sent, 0);
    CHECK_OK(telpher_events_release(&late));
    CHECK_OK(telpher_events_release(&again));
    CHECK_OK(telpher_batch_free(batch));
    CHECK_OK(telpher_close(hub, 0));
}

TEST(a_full_queue_refuses_a_batch_at_once_also_where_sends_wait) {
    telpher_hub hub = open_memory();
    telpher_declare_options options = TELPHER_SIZED(telpher_declare_options);
    telpher_batch_options patient = TELPHER_SIZED(telpher_batch_options);
    telpher_batch batch = new_batch();
    telpher_id id;
    options.length_max = 2;
    declare_as(hub, "jobs", &options);
    send_text(hub, "jobs", "1");
    CHECK_OK(telpher_batch_send(batch, "jobs", &TEXT("2")));
    CHECK_OK(telpher_batch_send(batch, "jobs", &TEXT("3")));
    patient.timeout_ms = 100000;
    CHECK_OK(telpher_batch_submit(hub, batch, &patient, NULL, &id));
    telpher_event event = outcome(hub, id);
    CHECK_ENDED(event, TELPHER_FULL);
    CHECK_CONTAINS(event.detail, "part 1 of the batch");
    CHECK_OK(telpher_events_release(&event));
    CHECK_EQUAL(inspect(hub, "jobs").ready, 1);
    CHECK_EQUAL(inspect(hub, "jobs").sends_waiting, 0);
    CHECK_OK(telpher_batch_free(batch));
    CHECK_OK(telpher_close(hub, 0));
}

TEST(a_submitted_batch_is_empty_and_serves_again) {
    telpher_hub hub = open_memory();
    telpher_batch batch = new_batch();
    telpher_id ids[3];
    declare_queue(hub, "jobs");
    for (int at = 0; at < 3; at++) {
        CHECK_OK(telpher_batch_send(batch, "jobs", &TEXT("one")));
        CHECK_OK(telpher_batch_submit(hub, batch, NULL, NULL, &ids[at]));
    }
    CHECK_STATUS(telpher_batch_submit(hub, batch, NULL, NULL, NULL), TELPHER_INVALID);
    CHECK_LAST_ERROR("the number of parts of a batch is 0; allowed are 1 to 1024");
    CHECK_OK(telpher_batch_free(batch));
    for (int at = 0; at < 3; at++) {
        expect_ok(hub, ids[at]);
    }
    CHECK_EQUAL(inspect(hub, "jobs").ready, 3);
    CHECK_OK(telpher_close(hub, 0));
}

TEST(a_batch_that_cannot_start_is_as_it_was_and_is_submitted_again) {
    telpher_hub hub, closed = open_memory();
    telpher_open_options opening = TELPHER_SIZED(telpher_open_options);
    telpher_batch_options wrong = TELPHER_SIZED(telpher_batch_options);
    telpher_event event = TELPHER_SIZED(telpher_event);
    telpher_batch batch = new_batch();
    telpher_id opened, receiving, id;
    opening.in_flight_max = 1;
    CHECK_OK(telpher_open(fresh_memory_url(), &opening, NULL, &hub, &opened));
    expect_ok(hub, opened);
    declare_queue(hub, "jobs");
    declare_queue(hub, "empty");
    CHECK_OK(telpher_batch_send(batch, "jobs", &TEXT("1")));
    CHECK_OK(telpher_batch_send(batch, "jobs", &TEXT("2")));
    CHECK_OK(telpher_close(closed, 0));
    CHECK_STATUS(telpher_batch_submit(closed, batch, NULL, NULL, &id), TELPHER_CLOSED);
    CHECK_STATUS(telpher_batch_submit(0, batch, NULL, NULL, &id), TELPHER_INVALID);
    wrong.timeout_ms = -7;
    CHECK_STATUS(telpher_batch_submit(hub, batch, &wrong, NULL, &id), TELPHER_INVALID);
    CHECK_LAST_ERROR("timeout_ms is -7");
    wrong.timeout_ms = TELPHER_FOREVER;
    CHECK_STATUS(telpher_batch_submit(hub, batch, &wrong, NULL, &id), TELPHER_INVALID);
    CHECK_OK(telpher_receive(hub, "empty", NULL, NULL, &receiving));
    CHECK_STATUS(telpher_batch_submit(hub, batch, NULL, NULL, &id), TELPHER_FULL);
    CHECK_EQUAL(id, 0);
    CHECK_OK(telpher_cancel(hub, receiving));
    expect_ended(hub, receiving, TELPHER_CANCELLED);
    CHECK_OK(telpher_wait(hub, 0, 0, &event));
    CHECK_OK(telpher_events_release(&event));
    expect_done(hub, batch, 2);
    CHECK_EQUAL(inspect(hub, "jobs").ready, 2);
    CHECK_OK(telpher_batch_free(batch));
    CHECK_OK(telpher_close(hub, 0));
}

TEST(a_cancelled_batch_is_done_whole_or_not_at_all_and_its_job_is_not_lost) {
    telpher_hub hub = open_memory();
    telpher_batch batch = new_batch();
    int rounds = check_many(50), done = 0;
    declare_queue(hub, "raw");
    declare_queue(hub, "cut");
    for (int at = 0; at < rounds; at++) {
        telpher_id id;
        send_text(hub, "raw", "plank");
        telpher_event job = receive_one(hub, "raw");
        CHECK_OK(telpher_batch_settle(batch, job.token, TELPHER_ACKNOWLEDGE, NULL));
        CHECK_OK(telpher_batch_send(batch, at % 2 ? "cut" : "nowhere", &TEXT("half")));
        CHECK_OK(telpher_batch_submit(hub, batch, NULL, NULL, &id));
        telpher_status cancelled = telpher_cancel(hub, id);
        CHECK(cancelled == TELPHER_OK || cancelled == TELPHER_STALE);
        telpher_event event = outcome(hub, id);
        telpher_queue_info raw = inspect(hub, "raw"), cut = inspect(hub, "cut");
        done += at % 2;
        bool is_refused = event.status != TELPHER_OK && !event.maybe_executed;
        if (event.status != TELPHER_CANCELLED) {
            CHECK_EQUAL(event.status, at % 2 ? TELPHER_OK : TELPHER_NOT_FOUND);
        }
        done -= is_refused && at % 2;
        CHECK_EQUAL(cut.ready, done);
        CHECK_EQUAL(raw.acknowledged, cut.ready);
        if (is_refused) {
            settle(hub, &job, TELPHER_RELEASE, NULL);
        } else {
            CHECK_OK(telpher_events_release(&job));
        }
        CHECK_OK(telpher_events_release(&event));
    }
    /* What was not done came back, whether its program was told so or not. */
    for (int at = done; at < rounds; at++) {
        telpher_event again = receive_one(hub, "raw");
        settle(hub, &again, TELPHER_ACKNOWLEDGE, NULL);
    }
    telpher_queue_info raw = inspect(hub, "raw");
    CHECK_EQUAL(raw.ready + raw.held, 0);
    CHECK_OK(telpher_batch_free(batch));
    CHECK_OK(telpher_close(hub, 0));
}

struct filler {
    telpher_hub hub;
    telpher_batch batch;
    pthread_t thread;
    int sends;
    size_t receipts;
};

/* Fills a batch that others fill, too, and submits it now and then. */
static void *fill_and_submit(void *argument) {
    struct filler *filler = argument;
    telpher_event event = TELPHER_SIZED(telpher_event);
    telpher_id id;
    for (int at = 0; at < filler->sends; at++) {
        CHECK_OK(telpher_batch_send(filler->batch, "jobs", &TEXT("x")));
        if (at % 10 != 9) {
            continue;
        }
        telpher_status status = telpher_batch_submit(filler->hub, filler->batch, NULL, NULL, &id);
        if (status == TELPHER_INVALID) {
            /* Another thread was quicker: nothing was left. */
            continue;
        }
        CHECK_OK(status);
        CHECK_OK(telpher_wait(filler->hub, id, 0, &event));
        CHECK_ENDED(event, TELPHER_OK);
        filler->receipts += event.receipts_count;
        CHECK_OK(telpher_events_release(&event));
    }
    return NULL;
}

TEST(a_batch_that_several_threads_fill_and_submit_loses_and_repeats_nothing) {
    enum { FILLERS = 4 };
    telpher_hub hub = open_memory();
    telpher_batch batch = new_batch();
    struct filler fillers[FILLERS];
    size_t sends = 0, receipts = 0;
    declare_queue(hub, "jobs");
    for (int at = 0; at < FILLERS; at++) {
        fillers[at] = (struct filler){.hub = hub, .batch = batch, .sends = check_many(1000)};
        CHECK(pthread_create(&fillers[at].thread, NULL, fill_and_submit, &fillers[at]) == 0);
    }
    for (int at = 0; at < FILLERS; at++) {
        CHECK(pthread_join(fillers[at].thread, NULL) == 0);
        sends += (size_t)fillers[at].sends;
        receipts += fillers[at].receipts;
    }
    CHECK_EQUAL(receipts, sends);
    CHECK_EQUAL(inspect(hub, "jobs").ready, sends);
    CHECK_OK(telpher_batch_free(batch));
    CHECK_OK(telpher_close(hub, 0));
}
