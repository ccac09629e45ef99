#include "daemon/options.h"
#include <string.h>

const char px_options_help[] =
    "plexusd: the Plexus agent host\n"
    "\n"
    "  plexusd [--config FILE]     serve planners (default: " PX_CONFIG_FILE ")\n"
    "  plexusd --check [FILE]      look at a configuration and the plugins it names: \"ok\" and 0, or what is wrong and 1\n"
    "  plexusd --vet FILE          look at a plugin file: one JSON line; 0 or 1\n"
    "  plexusd --version | --help\n"
    "\n"
    "  --allow-core                let a crash leave a core file, in which secrets stand\n"
    "\n"
    "Signals: HUP reads the configuration again; TERM or INT ends running calls and stops, a second one at once;\n"
    "USR1 writes the state of things to the log. What went wrong stands on stderr.\n"
    "(--worker and --quick-check are how the daemon starts children of its own.)\n";

struct flag {
    const char *name;
    enum px_mode mode;
};
static const struct flag modes[] = {
    {"--check", PX_MODE_CHECK},     {"--vet", PX_MODE_VET},
    {"--worker", PX_MODE_WORKER},   {"--quick-check", PX_MODE_QUICK_CHECK},
    {"--version", PX_MODE_VERSION}, {"--help", PX_MODE_HELP},
    {"-h", PX_MODE_HELP},
};

static bool mode_of(const char *word, enum px_mode *ret) {
    for (size_t i = 0; i < PX_COUNT(modes); i++) {
        if (strcmp(word, modes[i].name) == 0) {
            *ret = modes[i].mode;
            return true;
        }
    }
    return false;
}

/* What a word that is no option means depends on the mode. */
static int take_word(struct px_options *o, const char *word, const char **config, struct px_err *err) {
    const char **to = o->mode == PX_MODE_CHECK ? config : &o->file;
    if (o->mode != PX_MODE_CHECK && o->mode != PX_MODE_VET && o->mode != PX_MODE_QUICK_CHECK)
        return px_err_set(err, -EINVAL, "what is \"%s\"? A configuration is named with --config", word);
    if (*to)
        return px_err_set(err, -EINVAL, "one file at a time: \"%s\" is too many", word);
    *to = word;
    return 0;
}

int px_options_read(int argc, char **argv, struct px_options *ret, struct px_err *err) {
    struct px_options o = {.mode = PX_MODE_SERVE};
    const char *config = NULL;
    enum px_mode mode;
    for (int i = 1; i < argc; i++) {
        const char *word = argv[i];
        int r = 0;
        if (strcmp(word, "--config") == 0) {
            if (i + 1 == argc)
                return px_err_set(err, -EINVAL, "--config needs a file");
            config = argv[++i];
        } else if (strncmp(word, "--config=", 9) == 0) {
            config = word + 9;
        } else if (strcmp(word, "--allow-core") == 0) {
            o.allow_core = true;
        } else if (mode_of(word, &mode)) {
            if (o.mode != PX_MODE_SERVE && o.mode != mode)
                return px_err_set(err, -EINVAL, "%s cannot be combined with what stands before it", word);
            o.mode = mode;
        } else if (word[0] == '-') {
            return px_err_set(err, -EINVAL, "there is no option %s", word);
        } else {
            r = take_word(&o, word, &config, err);
        }
        if (r < 0)
            return r;
    }
    if (o.mode == PX_MODE_QUICK_CHECK && !o.file)
        return px_err_set(err, -EINVAL, "--quick-check needs a file");
    o.config = config ? config : PX_CONFIG_FILE;
    *ret = o;
    return 0;
}
