/* Redis's side of a queue: the reliable list pattern, pipelined, with no library between.
 *
 *     redis produce ADDRESS COUNT WINDOW    LPUSH, WINDOW of them unconfirmed
 *     redis consume ADDRESS COUNT WINDOW    BRPOPLPUSH to a list of what is held, then LREM there
 *
 * A message is confirmed when LPUSH has answered, and acknowledged when LREM has removed it. The
 * consumer holds up to WINDOW: an LREM looks from the end where the oldest is.
 */
#include "common.h"

static void push(struct link *link, uint64_t sequence) {
    char command[160];
    int size = snprintf(command, sizeof command,
                        "*3\r\n$5\r\nLPUSH\r\n$5\r\nqueue\r\n$64\r\n%064llu\r\n",
                        (unsigned long long)sequence);
    link_put(link, command, (size_t)size);
}

static void pop(struct link *link) {
    static const char command[] = "*4\r\n$10\r\nBRPOPLPUSH\r\n"
                                  "$5\r\nqueue\r\n$4\r\nheld\r\n$2\r\n60\r\n";
    link_put(link, command, sizeof command - 1);
}

static void acknowledge(struct link *link, const char *body) {
    static const char command[] = "*4\r\n$4\r\nLREM\r\n$4\r\nheld\r\n$2\r\n-1\r\n$64\r\n";
    link_put(link, command, sizeof command - 1);
    link_put(link, body, BODY_SIZE);
    link_put(link, "\r\n", 2);
}

/* One whole reply: ':' with `*number`, or '$' with `*body`; 0 if none has arrived. */
static char reply_next(struct link *link, long *number, const char **body) {
    char *start = link->in + link->in_start;
    char *end = memchr(start, '\n', link->in_end - link->in_start);
    if (end == NULL) return 0;
    size_t size = (size_t)(end + 1 - start);
    char kind = *start;
    *number = atol(start + 1);
    if (kind == '$') {
        if (*number != BODY_SIZE) fail("an answer of another size");
        size += BODY_SIZE + 2;
        if (link->in_end - link->in_start < size) return 0;
        *body = end + 1;
    } else if (kind != ':') {
        fail(start);
    }
    link->in_start += size;
    return kind;
}

static void produce(struct link *link, uint64_t count, uint64_t window) {
    struct report report;
    uint64_t started = 0;
    long number;
    const char *body;
    report_start(&report);
    while (report.count < count) {
        while (started - report.count < window && started < count) push(link, started++);
        link_flush(link);
        if (link_fill(link) == 0) fail("closed");
        while (reply_next(link, &number, &body) != 0) report.count++;
    }
    report_end(&report);
}

static void consume(struct link *link, uint64_t count, uint64_t window) {
    struct report report;
    uint64_t asked = 0;
    long number;
    const char *body;
    report_start(&report);
    while (asked < window && asked < count) {
        pop(link);
        asked++;
    }
    link_flush(link);
    puts("ready");
    fflush(stdout);
    while (report.count < count && link_fill(link) != 0) {
        char kind;
        while ((kind = reply_next(link, &number, &body)) != 0) {
            if (kind == '$') {
                acknowledge(link, body);
                continue;
            }
            if (number != 1) fail("a message was not held");
            report.count++;
            if (asked < count) {
                pop(link);
                asked++;
            }
        }
        link_flush(link);
    }
    report_end(&report);
}

int main(int argc, char **argv) {
    if (argc < 5) fail("produce|consume ADDRESS COUNT WINDOW");
    struct link *link = link_new(open_socket(argv[2], 0));
    uint64_t count = (uint64_t)atoll(argv[3]), window = (uint64_t)atoll(argv[4]);
    if (strcmp(argv[1], "produce") == 0) produce(link, count, window);
    if (strcmp(argv[1], "consume") == 0) consume(link, count, window);
    return 0;
}
