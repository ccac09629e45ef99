/* client.h: one conversation with the host: a request, its answer, and what comes in between. Blocking, with poll.
 * Speaks MCP's modern era (2026-07-28) and the host's own methods; nothing here knows a command. */
#ifndef PX_CLI_CLIENT_H
#define PX_CLI_CLIENT_H

#include "base/lines.h"
#include "cli/cli.h"
#include "json/write.h"

enum { PX_CLIENT_LINE_MAX = 64 << 20 };

/** Returns false to end the wait: px_client_request gives -ECANCELED. */
typedef bool (*px_client_notify)(void *user, px_str method, px_str params);

struct px_client {
    struct px_cli *cli;
    const char *path;
    int fd;
    struct px_lines in;
    struct px_buf answer; /* the line of the last answer */
    uint64_t last_id;
    px_client_notify notify; /* may be NULL: notifications are dropped */
    void *user;
    const char *lost; /* what to do when no answer comes; NULL: nothing is lost by asking again */
};

struct px_answer {
    px_str result; /* absent when the host answered with an error */
    px_str error;  /* the JSON-RPC error object */
};

/** Connect and, when a token or a profile is wanted, begin the session. Prints what fails; an exit code. */
PX_MUSTCHECK int px_client_open(struct px_client *c, struct px_cli *cli);
void px_client_close(struct px_client *c);

/** Send a request and wait for its answer, which lives until the next one. `params`: a JSON object. timeout_ms 0: none.
 *  -EINTR, -ECANCELED: interrupted, by a signal (after px_interrupt_catch) or by notify (c->last_id is still
 *  being worked on); -ETIMEDOUT; -EPIPE: the host is gone; -EBADMSG: what came is not
 *  JSON-RPC; -EMSGSIZE. */
PX_MUSTCHECK int px_client_request(struct px_client *c, const char *method, px_str params,
                                   uint64_t timeout_ms, struct px_answer *ret);
/** Tell the host that c->last_id is no longer wanted. Does not wait. */
void px_client_cancel(struct px_client *c);

/** The two halves of it, for a command that waits for other things, too: send a request, whose id is c->last_id then; and see what has
 *  come. 1: *ret is the next message, which lives until anything else is called here; 0: nothing yet, poll c->fd; -errno as above. */
struct px_client_message {
    px_str method, params; /* a notification */
    uint64_t id;           /* or an answer: of that request */
    struct px_answer answer;
};
PX_MUSTCHECK int px_client_send(struct px_client *c, const char *method, px_str params);
PX_MUSTCHECK int px_client_take(struct px_client *c, struct px_client_message *ret);

/** The same as px_client_request for commands that have nothing to say about an error: prints it. An exit code. */
PX_MUSTCHECK int px_client_ask(struct px_client *c, const char *method, px_str params, px_str *ret_result);
/** Print why a request failed (r from px_client_request); an exit code. */
int px_client_failed(struct px_client *c, int r);
/** Print a JSON-RPC error; an exit code: forbidden and unauthorized are PX_EXIT_REFUSED. */
int px_client_refused(struct px_client *c, px_str error);

/** Write the member "_meta" that every modern request carries, open: add to it, then end the object. */
void px_client_meta(struct px_jw *w);

#endif
