/* Queues. */
#include "check.h"

TEST(a_message_is_sent_received_and_acknowledged) {
    telpher_hub hub = open_memory();
    telpher_id id;
    declare_queue(hub, "jobs");
    send_text(hub, "jobs", "paint it");
    telpher_event job = receive_one(hub, "jobs");
    CHECK_BODY(job, "paint it");
    CHECK(job.message_id != 0 && !job.redelivered);
    CHECK_EQUAL(job.failures, 0);
    CHECK_OK(telpher_settle(hub, job.token, TELPHER_ACKNOWLEDGE, NULL, NULL, &id));
    expect_ok(hub, id);
    CHECK_OK(telpher_settle(hub, job.token, TELPHER_ACKNOWLEDGE, NULL, NULL, &id));
    expect_ended(hub, id, TELPHER_STALE);
    CHECK_OK(telpher_events_release(&job));
    CHECK_OK(telpher_close(hub, 0));
}

TEST(a_requeued_message_comes_again_as_failed_and_a_released_one_as_untouched) {
    telpher_hub hub = open_memory();
    declare_queue(hub, "jobs");
    send_text(hub, "jobs", "again");
    telpher_event job = receive_one(hub, "jobs");
    settle(hub, &job, TELPHER_RELEASE, NULL);
    job = receive_one(hub, "jobs");
    CHECK_EQUAL(job.failures, 0);
    CHECK(job.redelivered);
    settle(hub, &job, TELPHER_REQUEUE, NULL);
    job = receive_one(hub, "jobs");
    CHECK_EQUAL(job.failures, 1);
    settle(hub, &job, TELPHER_REJECT, NULL);
    telpher_queue_info info = inspect(hub, "jobs");
    CHECK_EQUAL(info.ready, 0);
    CHECK_EQUAL(info.held, 0);
    CHECK_EQUAL(info.sent, 1);
    CHECK_EQUAL(info.rejected, 1);
    CHECK_EQUAL(info.requeued, 1);
    CHECK_OK(telpher_close(hub, 0));
}

TEST(inspect_purge_and_delete_tell_how_many) {
    telpher_hub hub = open_memory();
    telpher_id id;
    declare_queue(hub, "jobs");
    for (int at = 0; at < 3; at++) {
        send_text(hub, "jobs", "12345");
    }
    telpher_event job = receive_one(hub, "jobs");
    telpher_queue_info info = inspect(hub, "jobs");
    CHECK_EQUAL(info.ready, 2);
    CHECK_EQUAL(info.held, 1);
    CHECK_EQUAL(info.bytes, 15);
    CHECK_EQUAL(info.sends_waiting, 0);
    CHECK_EQUAL(info.consumers, 0);
    CHECK_EQUAL(info.acknowledged, 0);
    CHECK_EQUAL(info.length_max, 1000000);
    CHECK_EQUAL(info.bytes_max, 256 * 1024 * 1024);
    CHECK_EQUAL(info.overflow, TELPHER_OVERFLOW_WAIT);
    CHECK_EQUAL(info.durability, TELPHER_DURABILITY_MEMORY);
    CHECK_OK(telpher_purge(hub, "jobs", NULL, &id));
    telpher_event event = outcome(hub, id);
    CHECK_ENDED(event, TELPHER_OK);
    CHECK_EQUAL(event.count, 2);
    CHECK_OK(telpher_events_release(&event));
    CHECK_OK(telpher_delete(hub, "jobs", NULL, &id));
    event = outcome(hub, id);
    CHECK_ENDED(event, TELPHER_OK);
    CHECK_EQUAL(event.count, 1);
    CHECK_OK(telpher_events_release(&event));
    CHECK_OK(telpher_events_release(&job));
    CHECK_OK(telpher_close(hub, 0));
}

TEST(an_unknown_queue_is_not_found) {
    telpher_hub hub = open_memory();
    telpher_id ids[5];
    CHECK_OK(telpher_send(hub, "none", &TEXT("x"), NULL, NULL, &ids[0]));
    CHECK_OK(telpher_receive(hub, "none", NULL, NULL, &ids[1]));
    CHECK_OK(telpher_inspect(hub, "none", NULL, &ids[2]));
    CHECK_OK(telpher_purge(hub, "none", NULL, &ids[3]));
    CHECK_OK(telpher_delete(hub, "none", NULL, &ids[4]));
    for (int at = 0; at < 5; at++) {
        telpher_event event = outcome(hub, ids[at]);
        CHECK_ENDED(event, TELPHER_NOT_FOUND);
        CHECK_CONTAINS(event.detail, "none");
        CHECK_OK(telpher_events_release(&event));
    }
    CHECK_OK(telpher_close(hub, 0));
}

TEST(another_declaration_of_a_queue_is_a_mismatch_that_names_the_difference) {
    telpher_hub hub = open_memory();
    telpher_declare_options options = TELPHER_SIZED(telpher_declare_options);
    telpher_id id;
    declare_queue(hub, "jobs");
    declare_queue(hub, "jobs");
    options.length_max = 5;
    CHECK_OK(telpher_declare(hub, "jobs", &options, NULL, &id));
    telpher_event event = outcome(hub, id);
    CHECK_ENDED(event, TELPHER_MISMATCH);
    CHECK_CONTAINS(event.detail, "length_max");
    CHECK_OK(telpher_events_release(&event));
    CHECK_OK(telpher_close(hub, 0));
}

TEST(a_durability_that_the_hub_lacks_is_unsupported) {
    telpher_hub hub = open_memory();
    telpher_declare_options options = TELPHER_SIZED(telpher_declare_options);
    telpher_id id;
    options.durability = TELPHER_DURABILITY_DISK;
    CHECK_OK(telpher_declare(hub, "jobs", &options, NULL, &id));
    telpher_event event = outcome(hub, id);
    CHECK_ENDED(event, TELPHER_UNSUPPORTED);
    CHECK_CONTAINS(event.detail, "disk");
    CHECK_OK(telpher_events_release(&event));
    CHECK_OK(telpher_close(hub, 0));
}

TEST(a_full_queue_refuses_at_once_or_at_the_senders_deadline) {
    telpher_hub hub = open_memory();
    telpher_declare_options options = TELPHER_SIZED(telpher_declare_options);
    telpher_send_options sending = TELPHER_SIZED(telpher_send_options);
    telpher_id id;
    options.length_max = 1;
    options.overflow = TELPHER_OVERFLOW_REJECT;
    declare_as(hub, "strict", &options);
    options.overflow = TELPHER_OVERFLOW_WAIT;
    declare_as(hub, "patient", &options);
    send_text(hub, "strict", "1");
    send_text(hub, "patient", "1");
    sending.timeout_ms = check_limit_ms();
    const char *const queues[] = {"strict", "patient"};
    for (int at = 0; at < 2; at++) {
        CHECK_OK(telpher_send(hub, queues[at], &TEXT("2"), &sending, NULL, &id));
        telpher_event event = outcome(hub, id);
        CHECK_ENDED_IN_TIME(event, TELPHER_FULL);
        CHECK(event.status != TELPHER_FULL || !event.maybe_executed);
        CHECK_OK(telpher_events_release(&event));
    }
    CHECK_OK(telpher_close(hub, 0));
}

TEST(a_receive_with_nothing_to_receive_ends_at_its_deadline) {
    telpher_hub hub = open_memory();
    telpher_receive_options options = TELPHER_SIZED(telpher_receive_options);
    telpher_id id;
    declare_queue(hub, "empty");
    options.timeout_ms = check_limit_ms();
    CHECK_OK(telpher_receive(hub, "empty", &options, NULL, &id));
    telpher_event event = outcome(hub, id);
    CHECK_EQUAL(event.kind, TELPHER_EVENT_DONE);
    CHECK_ENDED_IN_TIME(event, TELPHER_EXPIRED);
    CHECK_OK(telpher_events_release(&event));
    CHECK_OK(telpher_close(hub, 0));
}

TEST(a_consumer_holds_no_more_than_its_prefetch_until_its_credit_changes) {
    telpher_hub hub = open_memory();
    telpher_consume_options options = TELPHER_SIZED(telpher_consume_options);
    telpher_event none = TELPHER_SIZED(telpher_event), jobs[4];
    telpher_id id;
    declare_queue(hub, "jobs");
    for (int at = 0; at < 4; at++) {
        send_text(hub, "jobs", "x");
    }
    options.prefetch = 2;
    telpher_id consumer = consume(hub, "jobs", &options);
    for (int at = 0; at < 2; at++) {
        jobs[at] = outcome(hub, consumer);
        CHECK_EQUAL(jobs[at].kind, TELPHER_EVENT_DELIVERY);
    }
    CHECK_STATUS(telpher_wait(hub, consumer, 20, &none), TELPHER_PENDING);
    CHECK_EQUAL(inspect(hub, "jobs").ready, 2);
    CHECK_OK(telpher_credit(hub, consumer, 4, NULL, &id));
    expect_ok(hub, id);
    for (int at = 2; at < 4; at++) {
        jobs[at] = outcome(hub, consumer);
        CHECK_EQUAL(jobs[at].kind, TELPHER_EVENT_DELIVERY);
    }
    for (int at = 0; at < 4; at++) {
        settle(hub, &jobs[at], TELPHER_ACKNOWLEDGE, NULL);
    }
    CHECK_EQUAL(inspect(hub, "jobs").acknowledged, 4);
    CHECK_OK(telpher_close(hub, 0));
}

TEST(a_detached_consumer_may_settle_what_it_was_handed_and_the_rest_goes_back) {
    telpher_hub hub = open_memory();
    telpher_consume_options options = TELPHER_SIZED(telpher_consume_options);
    declare_queue(hub, "jobs");
    for (int at = 0; at < 5; at++) {
        send_text(hub, "jobs", "job");
    }
    options.prefetch = 5;
    telpher_id consumer = consume(hub, "jobs", &options);
    telpher_event job = outcome(hub, consumer);
    uint64_t first = job.message_id;
    CHECK_OK(telpher_detach(hub, consumer));
    for (int going = 1, handed = 1; going;) {
        CHECK(handed <= 5);
        settle(hub, &job, TELPHER_ACKNOWLEDGE, NULL);
        job = outcome(hub, consumer);
        going = job.kind == TELPHER_EVENT_DELIVERY;
        handed += going;
    }
    CHECK_ENDED(job, TELPHER_OK);
    CHECK_OK(telpher_events_release(&job));
    while (inspect(hub, "jobs").acknowledged < 5) {
        job = receive_one(hub, "jobs");
        CHECK(job.message_id != first);
        settle(hub, &job, TELPHER_ACKNOWLEDGE, NULL);
    }
    CHECK_OK(telpher_close(hub, 0));
}

TEST(what_a_handle_held_goes_back_when_it_is_closed) {
    char url[256];
    snprintf(url, sizeof url, "%s", fresh_memory_url());
    telpher_hub stays = open_hub(url, TELPHER_DRIVE_LIBRARY);
    telpher_hub goes = open_hub(url, TELPHER_DRIVE_LIBRARY);
    declare_queue(stays, "jobs");
    send_text(stays, "jobs", "held");
    telpher_event job = receive_one(goes, "jobs");
    CHECK_OK(telpher_close(goes, 0));
    telpher_event again = receive_one(stays, "jobs");
    CHECK_EQUAL(again.message_id, job.message_id);
    CHECK_OK(telpher_events_release(&job));
    CHECK_OK(telpher_events_release(&again));
    CHECK_OK(telpher_close(stays, 0));
}

TEST(a_message_of_higher_priority_is_received_first) {
    telpher_hub hub = open_memory();
    telpher_message urgent = TEXT("urgent");
    telpher_id id;
    declare_queue(hub, "jobs");
    send_text(hub, "jobs", "usual");
    urgent.priority = 9;
    CHECK_OK(telpher_send(hub, "jobs", &urgent, NULL, NULL, &id));
    expect_ok(hub, id);
    telpher_event job = receive_one(hub, "jobs");
    CHECK_BODY(job, "urgent");
    settle(hub, &job, TELPHER_ACKNOWLEDGE, NULL);
    CHECK_OK(telpher_close(hub, 0));
}
