/* Plays plexusd for the two things the service room runs in children. */
#include "service/services.h"
#include <string.h>

int main(int argc, char **argv) {
    if (argc >= 2 && strcmp(argv[1], "--vet") == 0)
        return px_plugin_vet(argc > 2 ? argv[2] : NULL);
    if (argc == 2 && strcmp(argv[1], "--worker") == 0)
        return px_plugin_worker();
    return 2;
}
