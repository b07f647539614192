/* The limit of a stream. Appends that are confirmed when they are written: a batch comes over a
 * socket, its checksum is looked at, it is written to a file, and that is said. Reading: a batch is
 * read from the file, its checksum is looked at, it goes over the socket, and again is looked at.
 *
 *     limit_stream serve ADDRESS FOLDER
 *     limit_stream append ADDRESS SECONDS WINDOW BODY    WINDOW records a batch, one on its way
 *     limit_stream read ADDRESS SECONDS RECORDS BODY     again and again from the first
 *
 * The program copies each record behind a header and adds the checksum, as one must. The file has
 * room from the start and is removed when that is used up, so that the disk has nothing to do.
 */
#include "common.h"

#include <fcntl.h>

enum { FILE_SIZE = 64 << 20, BATCH_MAX = 16 << 20, READ_SIZE = 64 << 10, RECORD_HEADER = 16 };
enum { BATCH_RECORDS = 256 }; /* of what is read */

struct batch {
    uint32_t size, count, crc, rest; /* `size` of all of it, `count` of the records */
    char records[];
};

#if defined(__x86_64__)
#include <nmmintrin.h>
/* CRC-32C in three lanes, which the processor works at side by side; they are just mixed. */
__attribute__((target("sse4.2"))) static uint32_t crc_of(const char *bytes, size_t size) {
    uint64_t lanes[3] = {0xffffffffu, 0xffffffffu, 0xffffffffu}, words[3];
    size_t lane = size / 24 * 8, rest = size - 3 * lane;
    for (size_t at = 0; at < lane; at += 8) {
        for (size_t i = 0; i < 3; i++) memcpy(&words[i], bytes + i * lane + at, 8);
        for (size_t i = 0; i < 3; i++) lanes[i] = _mm_crc32_u64(lanes[i], words[i]);
    }
    uint64_t crc = _mm_crc32_u64(_mm_crc32_u64(lanes[0], lanes[1]), lanes[2]);
    for (bytes += 3 * lane; rest > 0; rest--, bytes++) {
        crc = _mm_crc32_u8((uint32_t)crc, (uint8_t)*bytes);
    }
    return ~(uint32_t)crc;
}
#else
static uint32_t crc_of(const char *bytes, size_t size) {
    static uint32_t table[256];
    uint32_t crc = 0xffffffffu;
    for (uint32_t at = 0; table[1] == 0 && at < 256; at++) {
        uint32_t entry = at;
        for (int bit = 0; bit < 8; bit++) entry = entry >> 1 ^ (entry & 1 ? 0x82f63b78u : 0);
        table[at] = entry;
    }
    for (; size > 0; size--, bytes++) crc = crc >> 8 ^ table[(crc ^ (uint8_t)*bytes) & 0xff];
    return ~crc;
}
#endif

static int file_begin(const char *folder) {
    char path[4096];
    snprintf(path, sizeof path, "%s/batches", folder);
    unlink(path);
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0) fail(path);
    if ((errno = posix_fallocate(fd, 0, FILE_SIZE)) != 0) fail("room");
    return fd;
}

/* Receives until `size` bytes are there; 0 at the end. */
static int receive(int fd, char *bytes, size_t have, size_t size) {
    while (have < size) {
        ssize_t n = recv(fd, bytes + have, size - have < READ_SIZE ? size - have : READ_SIZE, 0);
        if (n <= 0) return 0;
        have += (size_t)n;
    }
    return 1;
}

/* Goes from record to record: as many as are stated, and nothing behind them. */
static void check_records(const struct batch *batch) {
    uint64_t header[RECORD_HEADER / 8];
    size_t at = 0, size = batch->size - sizeof *batch;
    for (uint32_t i = 0; i < batch->count; i++) {
        if (size - at < RECORD_HEADER) fail("a record");
        memcpy(header, batch->records + at, RECORD_HEADER);
        if (header[0] > size - at - RECORD_HEADER) fail("a record");
        at += RECORD_HEADER + header[0];
    }
    if (at != size) fail("records");
}

static void send_all(int fd, const void *bytes, size_t size) {
    for (size_t sent = 0; sent < size;) {
        ssize_t n = send(fd, (const char *)bytes + sent, size - sent, MSG_NOSIGNAL);
        if (n <= 0) fail("send");
        sent += (size_t)n;
    }
}

/* Sends all batches of a file, and a header of nothing. */
static void send_file(int fd, int file, off_t end, struct batch *batch) {
    for (off_t at = 0; at < end; at += (off_t)batch->size) {
        if (pread(file, batch, sizeof *batch, at) != sizeof *batch) fail("read");
        ssize_t rest = (ssize_t)(batch->size - sizeof *batch);
        if (pread(file, batch->records, (size_t)rest, at + (off_t)sizeof *batch) != rest) {
            fail("read");
        }
        if (crc_of(batch->records, (size_t)rest) != batch->crc) fail("a checksum");
        send_all(fd, batch, batch->size);
    }
    struct batch none = {.size = sizeof none};
    send_all(fd, &none, sizeof none);
}

static void serve(int fd, struct batch *batch, const char *folder) {
    int file = file_begin(folder);
    off_t at = 0;
    while (receive(fd, (char *)batch, 0, sizeof *batch)) {
        if (batch->size == sizeof *batch) { /* of nothing: everything is to be read */
            send_file(fd, file, at, batch);
            continue;
        }
        if (batch->size < sizeof *batch || batch->size > BATCH_MAX) fail("a batch");
        if (!receive(fd, (char *)batch, sizeof *batch, batch->size)) break;
        if (crc_of(batch->records, batch->size - sizeof *batch) != batch->crc) fail("a checksum");
        check_records(batch);
        if (at + (off_t)batch->size > FILE_SIZE) {
            close(file);
            file = file_begin(folder);
            at = 0;
        }
        if (pwrite(file, batch, batch->size, at) != (ssize_t)batch->size) fail("write");
        at += (off_t)batch->size;
        if (send(fd, &batch->count, sizeof batch->count, MSG_NOSIGNAL) < 0) fail("send");
    }
    close(file);
    close(fd);
}

/* Packs so many records and sends them; the answer says that they are written. */
static uint32_t send_batch(int fd, struct batch *batch, uint32_t count, const char *body,
                           size_t size) {
    size_t each = RECORD_HEADER + size;
    uint32_t confirmed;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t header[RECORD_HEADER / 8] = {size, i};
        memcpy(batch->records + i * each, header, RECORD_HEADER);
        memcpy(batch->records + i * each + RECORD_HEADER, body, size);
    }
    batch->size = (uint32_t)(sizeof *batch + count * each);
    batch->count = count;
    batch->crc = crc_of(batch->records, count * each);
    send_all(fd, batch, batch->size);
    if (!receive(fd, (char *)&confirmed, 0, sizeof confirmed)) fail("closed");
    return confirmed;
}

static void append(int fd, double seconds, uint32_t window, size_t size) {
    struct batch *batch = malloc(BATCH_MAX);
    char *body = calloc(1, size);
    struct report report;
    if (window * (RECORD_HEADER + size) > FILE_SIZE / 8) fail("WINDOW");
    if (batch == NULL || body == NULL) fail("memory");
    report_start(&report);
    uint64_t until = report.start_ns + (uint64_t)(seconds * 1e9);
    while (now_ns() < until) report.count += send_batch(fd, batch, window, body, size);
    report_end(&report);
    free(body);
    free(batch);
}

/* Receives everything that there is; how many records. */
static uint64_t read_all(int fd, struct batch *batch) {
    struct batch all = {.size = sizeof all};
    uint64_t count = 0;
    send_all(fd, &all, sizeof all);
    for (;;) {
        if (!receive(fd, (char *)batch, 0, sizeof *batch)) fail("closed");
        if (batch->size == sizeof *batch) return count;
        if (batch->size > BATCH_MAX) fail("a batch");
        if (!receive(fd, (char *)batch, sizeof *batch, batch->size)) fail("closed");
        if (crc_of(batch->records, batch->size - sizeof *batch) != batch->crc) fail("a checksum");
        check_records(batch);
        count += batch->count;
    }
}

static void read_again(int fd, double seconds, uint64_t records, size_t size) {
    struct batch *batch = malloc(BATCH_MAX);
    char *body = calloc(1, size);
    struct report report;
    if (records * (RECORD_HEADER + size) > FILE_SIZE / 2) fail("RECORDS");
    if (batch == NULL || body == NULL) fail("memory");
    for (uint64_t left = records; left > 0;) {
        uint32_t count = left < BATCH_RECORDS ? (uint32_t)left : BATCH_RECORDS;
        left -= send_batch(fd, batch, count, body, size);
    }
    report_start(&report);
    uint64_t until = report.start_ns + (uint64_t)(seconds * 1e9);
    while (now_ns() < until) {
        uint64_t count = read_all(fd, batch);
        if (count != records) fail("records");
        report.count += count;
    }
    report_end(&report);
    free(body);
    free(batch);
}

int main(int argc, char **argv) {
    const char *role = argc >= 4 ? argv[1] : "";
    if (strcmp(role, "serve") == 0) {
        struct batch *batch = malloc(BATCH_MAX);
        int listener = open_socket(argv[2], 1);
        if (batch == NULL) fail("memory");
        for (;;) serve(accept_one(listener), batch, argv[3]);
    } else if (strcmp(role, "append") == 0 && argc == 6) {
        append(open_socket(argv[2], 0), atof(argv[3]), (uint32_t)atoi(argv[4]),
               (size_t)atoll(argv[5]));
    } else if (strcmp(role, "read") == 0 && argc == 6) {
        read_again(open_socket(argv[2], 0), atof(argv[3]), (uint64_t)atoll(argv[4]),
                   (size_t)atoll(argv[5]));
    } else {
        fail("serve ADDRESS FOLDER | append ADDRESS SECONDS WINDOW BODY | read ...");
    }
    return 0;
}
