/* Redis's side of streams, in its own protocol, with no library between.
 *
 *     redis_stream append ADDRESS SECONDS WINDOW BODY     WINDOW of XADD unconfirmed
 *     redis_stream read ADDRESS SECONDS RECORDS BODY      XRANGE from the start, over again
 *     redis_stream follow ADDRESS SECONDS BODY            XADD of one, and XREAD BLOCK has it; each
 *                                                         is a sample
 *
 * BODY is in bytes. What is appended is bounded as a stream is that removes its oldest: about
 * 200,000 entries. XRANGE asks for as many at once as fit into half of the buffer.
 */
#include "common.h"

enum { ENTRY_COST = 64 };

static char body[64 * 1024];

static void add(struct link *link, size_t size) {
    char head[160];
    int head_size = snprintf(head, sizeof head,
                             "*8\r\n$4\r\nXADD\r\n$6\r\nstream\r\n$6\r\nMAXLEN\r\n$1\r\n~\r\n"
                             "$6\r\n200000\r\n$1\r\n*\r\n$1\r\nb\r\n$%zu\r\n", size);
    link_put(link, head, (size_t)head_size);
    link_put(link, body, size);
    link_put(link, "\r\n", 2);
}

/* Where a reply ends that begins here, or NULL if it is not whole; an error ends the program. */
static const char *skip(const char *at, const char *end) {
    const char *line = memchr(at, '\n', (size_t)(end - at));
    if (line == NULL) return NULL;
    long number = atol(at + 1);
    if (*at == '-') fail(at);
    line++;
    if (*at == '$') return number < 0 ? line : line + number + 2 <= end ? line + number + 2 : NULL;
    if (*at != '*') return line;
    for (long i = 0; i < number && line != NULL; i++) line = skip(line, end);
    return line;
}

/* The next whole reply, waited for; it is valid until the next one is. */
static const char *reply(struct link *link) {
    for (;;) {
        const char *at = link->in + link->in_start, *end = link->in + link->in_end;
        const char *behind = at < end ? skip(at, end) : NULL;
        if (behind != NULL) {
            link->in_start = (size_t)(behind - link->in);
            return at;
        }
        if (link_fill(link) == 0) fail("closed");
    }
}

static void append_many(struct link *link, uint64_t count, uint64_t window, size_t size,
                        uint64_t until_ns, struct report *report) {
    uint64_t started = 0;
    while (report->count < count && now_ns() < until_ns) {
        for (; started < count && started - report->count < window; started++) add(link, size);
        link_flush(link);
        do {
            if (*reply(link) != '$') fail("no id");
            report->count++;
        } while (link->in_start < link->in_end &&
                 skip(link->in + link->in_start, link->in + link->in_end) != NULL);
    }
    /* What is left is confirmed, too, and counts for nothing. */
    for (uint64_t left = started - report->count; left > 0; left--) reply(link);
}

/* Reads everything once; how many entries that are. */
static uint64_t read_all(struct link *link, size_t size) {
    char from[64] = "-", command[160];
    uint64_t count = 0, most = BUFFER_SIZE / 2 / (size + ENTRY_COST);
    for (;;) {
        char number[24];
        snprintf(number, sizeof number, "%llu", (unsigned long long)most);
        int length = snprintf(command, sizeof command,
                              "*6\r\n$6\r\nXRANGE\r\n$6\r\nstream\r\n$%zu\r\n%s\r\n$1\r\n+\r\n"
                              "$5\r\nCOUNT\r\n$%zu\r\n%s\r\n",
                              strlen(from), from, strlen(number), number);
        link_put(link, command, (size_t)length);
        link_flush(link);
        const char *at = reply(link), *end = link->in + link->in_start;
        uint64_t found = (uint64_t)atoll(at + 1);
        const char *entry = (const char *)memchr(at, '\n', (size_t)(end - at)) + 1, *last = entry;
        for (uint64_t i = 0; i < found; i++) {
            last = entry;
            entry = skip(entry, end);
        }
        count += found;
        if (found < most) return count;
        /* `*2`, `$size` and the id: the next range begins behind it. */
        const char *id = strchr(strchr(last, '\n') + 1, '\n') + 1;
        snprintf(from, sizeof from, "(%.*s", (int)(strchr(id, '\r') - id), id);
    }
}

static void append(struct link *link, char **argv) {
    struct report report;
    report_start(&report);
    uint64_t until = report.start_ns + (uint64_t)(atof(argv[3]) * 1e9);
    append_many(link, UINT64_MAX, (uint64_t)atoll(argv[4]), (size_t)atoll(argv[5]), until, &report);
    report_end(&report);
}

static void read_over_again(struct link *link, char **argv) {
    uint64_t wanted = (uint64_t)atoll(argv[4]);
    size_t size = (size_t)atoll(argv[5]);
    struct report report = {0};
    if (read_all(link, size) == 0) append_many(link, wanted, 256, size, UINT64_MAX, &report);
    report_start(&report);
    uint64_t until = report.start_ns + (uint64_t)(atof(argv[3]) * 1e9);
    while (now_ns() < until) {
        if (read_all(link, size) != wanted) fail("another number of entries");
        report.count += wanted;
    }
    report_end(&report);
}

static void ask_for_next(struct link *reader) {
    static const char command[] = "*6\r\n$5\r\nXREAD\r\n$5\r\nBLOCK\r\n$5\r\n10000\r\n"
                                  "$7\r\nSTREAMS\r\n$6\r\nstream\r\n$1\r\n$\r\n";
    link_put(reader, command, sizeof command - 1);
    link_flush(reader);
}

/* Appends only when the server says that the reader waits. */
static void follow(struct link *link, const char *address, char **argv) {
    struct link *reader = link_new(open_socket(address, 0));
    size_t size = (size_t)atoll(argv[4]);
    struct report report;
    report_start(&report);
    uint64_t until = report.start_ns + (uint64_t)(atof(argv[3]) * 1e9);
    while (now_ns() < until) {
        long blocked = 0;
        ask_for_next(reader);
        while (blocked == 0) {
            static const char info[] = "*2\r\n$4\r\nINFO\r\n$7\r\nclients\r\n";
            link_put(link, info, sizeof info - 1);
            link_flush(link);
            blocked = atol(strstr(reply(link), "blocked_clients:") + 16);
        }
        uint64_t last = now_ns();
        add(link, size);
        link_flush(link);
        if (*reply(reader) != '*' || reader->in[reader->in_start - 1] != '\n') fail("no entry");
        report_sample(&report, now_ns() - last);
        reply(link);
        report.count++;
    }
    report_end(&report);
}

int main(int argc, char **argv) {
    const char *role = argc >= 5 ? argv[1] : "";
    struct link *link = argc >= 5 ? link_new(open_socket(argv[2], 0)) : NULL;
    if (strcmp(role, "append") == 0 && argc == 6) {
        append(link, argv);
    } else if (strcmp(role, "read") == 0 && argc == 6) {
        read_over_again(link, argv);
    } else if (strcmp(role, "follow") == 0) {
        follow(link, argv[2], argv);
    } else {
        fail("append|read|follow ADDRESS SECONDS ...");
    }
    return 0;
}
