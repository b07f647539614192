/* Applies each payment of the queue `payments` to SQLite exactly once.
 *
 *     consumer URL DATABASE          e.g.  consumer ./data bank.db
 *
 * A queue delivers at least once. The message's id goes into SQLite in the transaction that changes
 * the balance, and only then is the message acknowledged; README.md says why that is enough.
 * A payment is text: an account, a space, a whole number. Stop it however you like, kill -9
 * included. */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sqlite3.h>
#include <telpher.h>

enum { BODY_SIZE_MAX = 60, HUB_ID_SIZE = 33, BUSY_MS = 5000 };

static const char *const SCHEMA =
    "CREATE TABLE IF NOT EXISTS accounts (name TEXT PRIMARY KEY, balance INTEGER NOT NULL);"
    "CREATE TABLE IF NOT EXISTS seen (hub TEXT, message INTEGER, PRIMARY KEY (hub, message));";
static const char *const APPLY =
    "INSERT INTO accounts VALUES (?, ?) "
    "ON CONFLICT (name) DO UPDATE SET balance = balance + excluded.balance";
static const char *const SEE = "INSERT INTO seen VALUES (?, ?) ON CONFLICT DO NOTHING";
static const char *const FORGET = "DELETE FROM seen WHERE hub = ? AND message = ?";

typedef struct {
    char account[33];
    long long amount;
} payment;

/* Whatever fails ends the program: its next start goes on where this one stopped. */
static void check(const char *what, bool is_fine, const char *why) {
    if (!is_fine) {
        fprintf(stderr, "%s: %s\n", what, why ? why : "");
        exit(1);
    }
}

static void check_sql(sqlite3 *database, int result) {
    check("SQLite", result == SQLITE_OK, sqlite3_errmsg(database));
}

/* Runs a statement with a text and a number; how many rows it has changed. */
static int run(sqlite3 *database, const char *sql, const char *text, int64_t number) {
    sqlite3_stmt *statement;
    check_sql(database, sqlite3_prepare_v2(database, sql, -1, &statement, NULL));
    check_sql(database, sqlite3_bind_text(statement, 1, text, -1, SQLITE_STATIC));
    check_sql(database, sqlite3_bind_int64(statement, 2, number));
    check("SQLite", sqlite3_step(statement) == SQLITE_DONE, sqlite3_errmsg(database));
    check_sql(database, sqlite3_finalize(statement));
    return sqlite3_changes(database);
}

/* Changes the balance, unless this message has done so before; tells whether it was new. Of `done`
 * the hub has confirmed that it left the queue, so its id is needed no more. */
static bool apply(sqlite3 *database, const char *hub, uint64_t message, const payment *paid,
                  uint64_t done) {
    check_sql(database, sqlite3_exec(database, "BEGIN IMMEDIATE", NULL, NULL, NULL));
    bool is_new = run(database, SEE, hub, (int64_t)message) == 1;
    if (is_new) {
        run(database, APPLY, paid->account, paid->amount);
    }
    run(database, FORGET, hub, (int64_t)done);
    check_sql(database, sqlite3_exec(database, "COMMIT", NULL, NULL, NULL));
    return is_new;
}

static bool parse(const telpher_event *job, payment *paid) {
    char text[BODY_SIZE_MAX + 1] = "", amount[17] = "";
    int size = -1;
    if (job->body_size == 0 || job->body_size > BODY_SIZE_MAX) {
        return false;
    }
    memcpy(text, job->body, job->body_size);
    sscanf(text, "%32[a-z]%*1[ ]%16[-0-9]%n", paid->account, amount, &size);
    const char *digits = amount[0] == '-' ? amount + 1 : amount;
    size_t length = strspn(digits, "0123456789");
    paid->amount = strtoll(amount, NULL, 10);
    return size == (int)job->body_size && digits[length] == '\0' && length > 0 && length <= 15;
}

static sqlite3 *open_database(const char *path) {
    sqlite3 *database;
    check(path, sqlite3_open(path, &database) == SQLITE_OK, sqlite3_errmsg(database));
    check_sql(database, sqlite3_busy_timeout(database, BUSY_MS));
    check_sql(database, sqlite3_exec(database, SCHEMA, NULL, NULL, NULL));
    return database;
}

/* Starting fails at once; everything else ends in its event. */
static void check_start(const char *what, telpher_status status) {
    check(what, status == TELPHER_OK, telpher_last_error());
}

static void finish(const char *what, telpher_hub hub, telpher_id id) {
    telpher_event end = TELPHER_SIZED(telpher_event);
    check_start(what, telpher_wait(hub, id, TELPHER_FOREVER, &end));
    check(what, end.status == TELPHER_OK, end.detail);
    check_start(what, telpher_events_release(&end));
}

/* Opens the hub; with its id as text, as in the other languages. */
static telpher_hub open_hub(const char *url, char id_out[HUB_ID_SIZE]) {
    telpher_event opened = TELPHER_SIZED(telpher_event);
    telpher_hub hub;
    telpher_id id;
    check_start("open", telpher_open(url, NULL, NULL, &hub, &id));
    check_start("open", telpher_wait(hub, id, TELPHER_FOREVER, &opened));
    check("open", opened.status == TELPHER_OK, opened.detail);
    for (int at = 0; at < 16; at++) {
        snprintf(id_out + 2 * at, 3, "%02x", opened.hub_info->hub_id[at]);
    }
    check_start("open", telpher_events_release(&opened));
    return hub;
}

static void settle(telpher_hub hub, uint64_t token, uint32_t verdict, const char *reason) {
    telpher_settle_options options = TELPHER_SIZED(telpher_settle_options);
    telpher_id id;
    options.reason = reason;
    check_start("settle", telpher_settle(hub, token, verdict, &options, NULL, &id));
    finish("settle", hub, id);
}

int main(int count, char **arguments) {
    telpher_event job = TELPHER_SIZED(telpher_event);
    char hub_id[HUB_ID_SIZE];
    uint64_t done = 0; /* no message has this id */
    telpher_id id;
    if (count != 3) {
        fprintf(stderr, "usage: consumer URL DATABASE\n");
        return 2;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    sqlite3 *database = open_database(arguments[2]);
    telpher_hub hub = open_hub(arguments[1], hub_id);
    check_start("declare", telpher_declare(hub, "payments", NULL, NULL, &id));
    finish("declare", hub, id);
    check_start("consume", telpher_consume(hub, "payments", NULL, NULL, &id));
    printf("ready\n");
    for (;;) {
        payment paid;
        check_start("consume", telpher_wait(hub, id, TELPHER_FOREVER, &job));
        check("consume", job.kind != TELPHER_EVENT_DONE, job.detail);
        if (job.kind == TELPHER_EVENT_DELIVERY && !parse(&job, &paid)) {
            settle(hub, job.token, TELPHER_REJECT, "not a payment");
        } else if (job.kind == TELPHER_EVENT_DELIVERY) {
            bool is_new = apply(database, hub_id, job.message_id, &paid, done);
            printf("%s %llu\n", is_new ? "applied" : "seen", (unsigned long long)job.message_id);
            /* After the commit; ends when the hub has written it down. */
            settle(hub, job.token, TELPHER_ACKNOWLEDGE, NULL);
            done = job.message_id;
        }
        check_start("consume", telpher_events_release(&job));
    }
}
