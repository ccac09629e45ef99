#include "daemon/daemon.h"
#include "base/log.h"

int px_daemon_main(const struct px_options *options) {
    struct px_daemon *d = calloc(1, sizeof *d);
    struct px_err err = {0};
    int status = 0;
    if (!d)
        return 1;
    d->options = *options;
    px_log(PX_LOG_INFO, "daemon", "starting", PX_KV("version", PX_VERSION), PX_KI("pid", getpid()),
           PX_KV("config", options->config));
    if (px_daemon_start(d, &err) < 0) {
        px_log(PX_LOG_CRITICAL, "daemon", "cannot start", PX_KV("why", err.msg));
        px_notify_send(&d->notify, "STATUS=Cannot start: %s", err.msg);
        status = 1;
    } else {
        int r = px_loop_run(d->loop);
        if (r < 0) {
            px_log(PX_LOG_CRITICAL, "daemon", "the loop failed", PX_KV("why", strerror(-r)));
            status = 1;
        }
    }
    px_daemon_finish(d);
    free(d);
    px_log(PX_LOG_NOTICE, "daemon", "stopped", PX_KI("status", status));
    return status;
}
