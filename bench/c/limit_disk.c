/* The limit of what is confirmed on disk: the bytes written, the file synced, nothing else done.
 *
 *     limit_disk send FILE SECONDS SIZE BATCH    BATCH records of SIZE bytes, one write, one sync
 *     limit_disk serve ADDRESS FILE SIZE         for the frames that one read has brought: a record
 *                                                each, one write, one sync, then the answers
 *
 * The file is filled with zeros and synced before, so that a sync has data to write and nothing
 * else; at its end it is begun anew. `limit_call call` is the client of `serve`.
 */
#include "common.h"

#include <fcntl.h>

enum { FILE_SIZE = 16 << 20 };

struct file {
    int fd;
    off_t at;
    char *bytes;
};

static struct file file_open(const char *path) {
    struct file file = {.fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600),
                        .bytes = calloc(1, FILE_SIZE)};
    if (file.fd < 0 || file.bytes == NULL) fail(path);
    if (pwrite(file.fd, file.bytes, FILE_SIZE, 0) != FILE_SIZE) fail("zeros");
    if (fsync(file.fd) != 0) fail("fsync");
    return file;
}

static void file_append(struct file *file, size_t size) {
    if (file->at + (off_t)size > FILE_SIZE) file->at = 0;
    memset(file->bytes, 'x', size);
    if (pwrite(file->fd, file->bytes, size, file->at) != (ssize_t)size) fail("write");
    if (fdatasync(file->fd) != 0) fail("fdatasync");
    file->at += (off_t)size;
}

static void send_for(struct file *file, double seconds, size_t size, size_t batch) {
    struct report report;
    file_append(file, size);
    report_start(&report);
    uint64_t last = report.start_ns, until = last + (uint64_t)(seconds * 1e9);
    while (last < until) {
        file_append(file, size * batch);
        uint64_t now = now_ns();
        report.count += batch;
        report_sample(&report, now - last);
        last = now;
    }
    report_end(&report);
}

static void serve(int fd, struct file *file, size_t size) {
    struct link *link = link_new(fd);
    const struct frame *frame;
    while (link_fill(link) != 0) {
        size_t count = 0;
        while ((frame = frame_next(link)) != NULL) {
            frame_put(link, 2, frame->sequence, frame->body, BODY_SIZE);
            count++;
        }
        if (count > 0) file_append(file, count * size);
        link_flush(link);
    }
    close(fd);
    free(link);
}

int main(int argc, char **argv) {
    const char *role = argc >= 5 ? argv[1] : "";
    if (strcmp(role, "send") == 0 && argc == 6) {
        struct file file = file_open(argv[2]);
        send_for(&file, atof(argv[3]), (size_t)atoll(argv[4]), (size_t)atoll(argv[5]));
    } else if (strcmp(role, "serve") == 0) {
        struct file file = file_open(argv[3]);
        int listener = open_socket(argv[2], 1);
        for (;;) serve(accept_one(listener), &file, (size_t)atoll(argv[4]));
    } else {
        fail("send FILE ... | serve ADDRESS ...");
    }
    return 0;
}
