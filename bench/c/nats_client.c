/* NATS, with the C client that it offers (nats.c).
 *
 *     nats_client publish URL COUNT             publishes as fast as it can, then flushes
 *     nats_client subscribe URL COUNT FANOUT    FANOUT subscriptions, each to COUNT messages
 *
 * Messages come in callbacks, all on one thread: with a thread for each of a hundred subscriptions,
 * which it has if nothing is said, it does not come to an end. What a subscription keeps for its
 * callback has no limit, so that nothing is lost.
 */
#include <nats/nats.h>
#include <semaphore.h>
#include <stdatomic.h>

#include "common.h"

static const char *const subject = "bench.topic";
static atomic_ullong missing; /* messages that are still to come, to all subscriptions */
static sem_t all_are_here;

static void check(natsStatus status) {
    if (status == NATS_OK) return;
    fprintf(stderr, "%s\n", natsStatus_GetText(status));
    exit(1);
}

static void publish(natsConnection *connection, uint64_t count) {
    static const char body[BODY_SIZE];
    struct report report;
    report_start(&report);
    for (; report.count < count; report.count++) {
        check(natsConnection_Publish(connection, subject, body, sizeof body));
    }
    check(natsConnection_Flush(connection));
    report_end(&report);
}

static void take(natsConnection *connection, natsSubscription *subscription, natsMsg *message,
                 void *closure) {
    (void)connection;
    (void)subscription;
    (void)closure;
    natsMsg_Destroy(message);
    if (atomic_fetch_sub_explicit(&missing, 1, memory_order_relaxed) == 1) sem_post(&all_are_here);
}

static void subscribe(natsConnection *connection, uint64_t count, uint64_t fanout) {
    struct report report;
    atomic_store(&missing, count * fanout);
    sem_init(&all_are_here, 0, 0);
    for (uint64_t i = 0; i < fanout; i++) {
        natsSubscription *subscription;
        check(natsConnection_Subscribe(&subscription, connection, subject, take, NULL));
        check(natsSubscription_SetPendingLimits(subscription, -1, -1));
    }
    check(natsConnection_Flush(connection));
    report_start(&report);
    puts("ready");
    fflush(stdout);
    while (sem_wait(&all_are_here) != 0) continue;
    report.count = count;
    report_end(&report);
}

int main(int argc, char **argv) {
    natsConnection *connection;
    const char *role = argc > 3 ? argv[1] : "";
    if (strcmp(role, "publish") != 0 && (strcmp(role, "subscribe") != 0 || argc < 5)) {
        fail("publish|subscribe URL COUNT ...");
    }
    natsOptions *options;
    check(natsOptions_Create(&options));
    check(natsOptions_SetURL(options, argv[2]));
    check(natsOptions_UseGlobalMessageDelivery(options, true));
    check(natsConnection_Connect(&connection, options));
    uint64_t count = (uint64_t)atoll(argv[3]);
    if (strcmp(role, "publish") == 0) publish(connection, count);
    if (strcmp(role, "subscribe") == 0) subscribe(connection, count, (uint64_t)atoll(argv[4]));
    natsConnection_Destroy(connection);
    nats_Close();
    return 0;
}
