/* plexusd: which of the things it can be was asked for. */
#include "daemon/check.h"
#include "daemon/daemon.h"
#include "daemon/process.h"
#include "state/state.h"
#include <stdio.h>

int main(int argc, char **argv) {
    struct px_options options;
    struct px_err err = {0};
    if (px_options_read(argc, argv, &options, &err) < 0) {
        fprintf(stderr, "plexusd: %s\nplexusd --help says more.\n", err.msg);
        return 2;
    }
    switch (options.mode) {
    case PX_MODE_HELP: fputs(px_options_help, stdout); return 0;
    case PX_MODE_VERSION: puts("plexusd " PX_VERSION); return 0;
    case PX_MODE_VET: return px_plugin_vet(options.file);
    case PX_MODE_WORKER: return px_plugin_worker();
    case PX_MODE_QUICK_CHECK: return px_state_quick_check_main(options.file);
    case PX_MODE_CHECK: px_process_prepare(options.allow_core); return px_check_main(&options);
    default: px_process_prepare(options.allow_core); return px_daemon_main(&options);
    }
}
