/* Replays the stream `flights` from a date on, and says what the flights since then come to.
 *
 *     replay URL DATE          e.g.  replay ./data 2001/03/01
 *
 * A stream finds by itself what was appended at a time or later, but here the date is that of the
 * flights. Where in each partition a day begins stands in the stream `calendar`; the group `replay`
 * is put to the place of DATE, or to the last day before it if the stream has not come so far yet,
 * and reads on from there until each partition has ended. Started again, it does all that again. */

#include <inttypes.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <telpher.h>

enum { PARTITIONS_MAX = 16, TEXT_SIZE = 512, COMMIT_EVERY = 10, CLOSE_MS = 5000 };

static telpher_hub hub;

struct places {
    uint64_t offsets[PARTITIONS_MAX];
    size_t count;
};

struct sum {
    uint64_t flights;
    int64_t delay_minutes;
    uint64_t earlier;
};

static void fail(const char *what, const char *why) {
    fprintf(stderr, "%s: %s\n", what, why ? why : "");
    exit(1);
}

static void check(const char *what, telpher_status status) {
    if (status != TELPHER_OK) {
        fail(what, telpher_last_error());
    }
}

/* The next event of what was started as `id`; to be released. A failure ends the program. */
static telpher_event next(const char *what, telpher_id id) {
    telpher_event event = TELPHER_SIZED(telpher_event);
    check(what, telpher_wait(hub, id, TELPHER_FOREVER, &event));
    if (event.kind == TELPHER_EVENT_DONE && event.status != TELPHER_OK) {
        fail(what, event.detail);
    }
    return event;
}

/* Waits until what was started as `id` has ended, and passes over what comes before that. */
static void finish(const char *what, telpher_id id) {
    for (bool ended = false; !ended;) {
        telpher_event event = next(what, id);
        ended = event.kind == TELPHER_EVENT_DONE;
        telpher_events_release(&event);
    }
}

static void open_hub(const char *url) {
    telpher_id id;
    check("open", telpher_open(url, NULL, NULL, &hub, &id));
    finish("open", id);
}

static size_t count_partitions(void) {
    telpher_id id;
    check("inspect `flights`", telpher_stream_inspect(hub, "flights", NULL, &id));
    telpher_event event = next("inspect `flights`", id);
    size_t count = event.stream_info->partitions_count;
    telpher_events_release(&event);
    if (count > PARTITIONS_MAX) {
        fail("flights", "more partitions than this program is made for");
    }
    return count;
}

/* What was appended, as a text. */
static void copy_text(const telpher_event *record, char text[TEXT_SIZE]) {
    size_t size = record->body_size < TEXT_SIZE ? record->body_size : TEXT_SIZE - 1;
    memcpy(text, record->body, size);
    text[size] = '\0';
}

/* True if the day of a line of `calendar` is later than the date; its end is later than any. */
static bool is_after(const telpher_event *line, const char *date) {
    size_t size = strlen(date);
    int order = memcmp(line->key, date, line->key_size < size ? line->key_size : size);
    return order > 0;
}

/* Where the last day begins that is not after the date; if there is none, at the beginning. */
static struct places find(const char *date) {
    struct places found = {.count = count_partitions()};
    telpher_id calendar;
    check("read `calendar`", telpher_read(hub, "calendar", NULL, NULL, &calendar));
    for (bool ended = false; !ended;) {
        telpher_event event = next("read `calendar`", calendar);
        ended = event.kind == TELPHER_EVENT_DONE;
        if (event.kind == TELPHER_EVENT_RECORD && !is_after(&event, date)) {
            char line[TEXT_SIZE], *at = line;
            copy_text(&event, line);
            for (size_t partition = 0; partition < found.count; partition++) {
                found.offsets[partition] = strtoull(at, &at, 10);
            }
        }
        telpher_events_release(&event);
    }
    return found;
}

static telpher_id join(void) {
    telpher_read_options options = TELPHER_SIZED(telpher_read_options);
    telpher_id reader;
    options.group = "replay";
    check("read `flights`", telpher_read(hub, "flights", &options, NULL, &reader));
    return reader;
}

/* Puts the group to a place. It is made by its first reader, so there is one before. */
static void put(const struct places *places) {
    telpher_id first = join();
    telpher_event started = next("read `flights`", first);
    telpher_events_release(&started);
    check("leave the group", telpher_detach(hub, first));
    finish("leave the group", first);
    for (size_t partition = 0; partition < places->count; partition++) {
        telpher_group_reset_options options = TELPHER_SIZED(telpher_group_reset_options);
        telpher_id id;
        options.has_partition = 1;
        options.partition = (uint32_t)partition;
        options.start = TELPHER_START_OFFSET;
        options.start_at = places->offsets[partition];
        check("reset the group",
              telpher_group_reset(hub, "flights", "replay", &options, NULL, &id));
        finish("reset the group", id);
    }
}

/* Counts a flight, if it did not leave before the date. */
static void count(const telpher_event *record, const char *date, struct sum *sum) {
    char text[TEXT_SIZE], left[11];
    int delay_minutes;
    copy_text(record, text);
    if (sscanf(text, "{\"date\":\"%10s %*5s\",\"delay\":%d", left, &delay_minutes) != 2) {
        fail("not a flight", text);
    }
    if (strcmp(left, date) < 0) {
        sum->earlier++;
        return;
    }
    sum->flights++;
    sum->delay_minutes += delay_minutes;
}

/* Says that all is done up to this record. */
static void commit(telpher_id reader, const telpher_event *record) {
    telpher_id id;
    check("commit", telpher_commit(hub, reader, record->partition, record->generation,
                                   record->offset + 1, NULL, &id));
    finish("commit", id);
}

/* Reads what comes, until an empty record has ended each partition. */
static struct sum replay(const char *date, size_t partitions) {
    struct sum sum = {0};
    telpher_id reader = join();
    while (partitions > 0) {
        telpher_event event = next("read `flights`", reader);
        if (event.kind == TELPHER_EVENT_RECORD) {
            bool is_end = event.body_size == 0;
            partitions -= is_end;
            if (!is_end) {
                count(&event, date, &sum);
            }
            if (is_end || event.offset % COMMIT_EVERY == COMMIT_EVERY - 1) {
                commit(reader, &event);
            }
        }
        telpher_events_release(&event);
    }
    return sum;
}

/* True for a text like 2001/03/01. */
static bool is_date(const char *text) {
    int year, month, day, size = 0;
    return sscanf(text, "%4d/%2d/%2d%n", &year, &month, &day, &size) == 3 && size == 10 &&
           text[size] == '\0';
}

int main(int argument_count, char **arguments) {
    if (argument_count != 3 || !is_date(arguments[2])) {
        fprintf(stderr, "usage: replay URL DATE, as in 2001/03/01\n");
        return 2;
    }
    const char *date = arguments[2];
    setvbuf(stdout, NULL, _IOLBF, 0);
    open_hub(arguments[1]);
    struct places places = find(date);
    put(&places);
    printf("ready: replaying from %s\n", date);
    struct sum sum = replay(date, places.count);
    check("close", telpher_close(hub, CLOSE_MS));
    printf("since %s: %" PRIu64 " flights, %" PRId64 " minutes of delay; %" PRIu64
           " earlier flights passed over\n",
           date, sum.flights, sum.delay_minutes, sum.earlier);
    return 0;
}
