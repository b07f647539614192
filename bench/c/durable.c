/* Telpher's side where messages are on disk, on its C interface. Every URL is a directory's.
 *
 *     durable host URL                            hosts the directory until it is killed
 *     durable wait URL                            takes over when the host is gone
 *     durable send URL host|join SECONDS WINDOW SIZE [DURABILITY]
 *                                                 WINDOW sends of SIZE bytes unconfirmed
 *     durable fill URL COUNT SIZE                 leaves COUNT messages of SIZE bytes waiting
 *     durable takeover URL SIZE PID               kills the host PID; how long until a send is
 *                                                 confirmed by another
 *     durable count URL                           how many messages wait
 *
 * With `host` the sender hosts the hub itself, with `join` it never does.
 */
#include "handle.h"

#include <signal.h>

enum { FILL_WINDOW = 1000 };

static telpher_hub open_hub(const char *url, uint32_t host, uint32_t drive) {
    telpher_open_options options = TELPHER_SIZED(telpher_open_options);
    telpher_done notices = TELPHER_SIZED(telpher_done);
    telpher_hub hub;
    telpher_id opened;
    notices.kind = TELPHER_DONE_EVENT;
    options.host = host;
    options.drive = drive;
    options.notices = &notices;
    check(telpher_open(url, &options, NULL, &hub, &opened));
    await(hub, opened);
    return hub;
}

static telpher_hub join(const char *url) {
    return open_hub(url, TELPHER_HOST_NEVER, TELPHER_DRIVE_CALLER);
}

static struct sends sends_of(size_t size, uint32_t durability) {
    void *body = calloc(1, size);
    if (body == NULL) fail("memory");
    return (struct sends){.message = TELPHER_BODY(body, size), .durability = durability,
                          .count = UINT64_MAX, .until_ns = UINT64_MAX};
}

static void send_for(telpher_hub hub, double seconds, struct sends *sends) {
    struct report report;
    declare(hub, sends->durability);
    send_one(hub, sends); /* what a first message makes, a file for instance, is made */
    report_start(&report);
    uint64_t last = report.start_ns, until = last + (uint64_t)(seconds * 1e9);
    sends->until_ns = until;
    if (sends->window > 1) send_many(hub, sends, &report);
    while (sends->window == 1 && last < until) {
        send_one(hub, sends);
        uint64_t now = now_ns();
        report.count++;
        report_sample(&report, now - last);
        last = now;
    }
    report_end(&report);
}

static void fill(telpher_hub hub, uint64_t count, struct sends *sends) {
    struct report report;
    declare(hub, sends->durability);
    sends->count = count;
    sends->window = FILL_WINDOW;
    report_start(&report);
    send_many(hub, sends, &report);
    report_end(&report);
}

/* Whether the handle has heard of another host. */
static int hub_changed(telpher_hub hub) {
    size_t count;
    int changed = 0;
    check(telpher_poll(hub, events, sizeof *events, BATCH, &count, 0));
    for (size_t i = 0; i < count; i++) changed |= events[i].notice == TELPHER_NOTICE_HUB_CHANGED;
    if (count > 0) check(telpher_events_release(events));
    return changed;
}

static void take_over(telpher_hub hub, pid_t host, const struct sends *sends) {
    struct report report;
    declare(hub, sends->durability);
    send_one(hub, sends);
    report_start(&report);
    if (kill(host, SIGKILL) != 0) fail("kill");
    send_one(hub, sends);
    report.count = 1;
    report_end(&report);
    if (!hub_changed(hub)) fail("confirmed by the host that was killed");
}

static void count_waiting(telpher_hub hub) {
    telpher_event event = TELPHER_SIZED(telpher_event);
    struct report report;
    telpher_id id;
    report_start(&report);
    check(telpher_inspect(hub, queue, NULL, &id));
    check(telpher_wait(hub, id, 0, &event));
    check_end(&event);
    report.count = event.queue_info->ready;
    check(telpher_events_release(&event));
    report_end(&report);
}

int main(int argc, char **argv) {
    const char *role = argc >= 3 ? argv[1] : "";
    uint32_t disk = TELPHER_DURABILITY_DISK;
    if (strcmp(role, "host") == 0 || strcmp(role, "wait") == 0) {
        int hosting = strcmp(role, "host") == 0;
        open_hub(argv[2], hosting ? TELPHER_HOST_ALWAYS : TELPHER_HOST_AUTO, TELPHER_DRIVE_LIBRARY);
        say_ready();
        for (;;) pause();
    } else if (strcmp(role, "send") == 0 && argc >= 7) {
        uint32_t host = strcmp(argv[3], "host") == 0 ? TELPHER_HOST_ALWAYS : TELPHER_HOST_NEVER;
        uint32_t durability = argc > 7 ? durability_of(argv[7]) : disk;
        struct sends sends = sends_of((size_t)atoll(argv[6]), durability);
        telpher_hub hub = open_hub(argv[2], host, TELPHER_DRIVE_CALLER);
        sends.window = (uint64_t)atoll(argv[5]);
        send_for(hub, atof(argv[4]), &sends);
    } else if (strcmp(role, "fill") == 0 && argc == 5) {
        struct sends sends = sends_of((size_t)atoll(argv[4]), disk);
        fill(join(argv[2]), (uint64_t)atoll(argv[3]), &sends);
    } else if (strcmp(role, "takeover") == 0 && argc == 5) {
        struct sends sends = sends_of((size_t)atoll(argv[3]), disk);
        take_over(join(argv[2]), (pid_t)atol(argv[4]), &sends);
    } else if (strcmp(role, "count") == 0) {
        count_waiting(join(argv[2]));
    } else {
        fail("host|wait|send|fill|takeover|count URL ...");
    }
    return 0;
}
