#include "cli/args.h"
#include "cli/cli.h"
#include <assert.h>

void px_args_init(struct px_args *args) {
    *args = (struct px_args){0};
}

void px_args_finish(struct px_args *args) {
    free(args->pos);
    *args = (struct px_args){0};
}

void px_args_allow(struct px_args *args, const struct px_opt *opts, size_t n) {
    for (size_t i = 0; i < n; i++) {
        assert(args->n_opts < PX_ARGS_OPTS);
        args->opts[args->n_opts++] = &opts[i];
    }
}

static int unknown(const struct px_args *args, px_str name, struct px_err *err) {
    const char *names[PX_ARGS_OPTS];
    for (size_t i = 0; i < args->n_opts; i++)
        names[i] = args->opts[i]->name;
    const char *near = px_cli_nearest(name, names, args->n_opts, sizeof names[0]);
    if (near)
        return px_err_set(err, -EINVAL, "unknown option --" PX_FMT "; did you mean --%s?", PX_ARG(name),
                          near);
    return px_err_set(err, -EINVAL, "unknown option --" PX_FMT, PX_ARG(name));
}

/* One option at argv[*i]; *i moves on when its value is the next word. */
static int read_option(struct px_args *args, int argc, char **argv, int *i, struct px_err *err) {
    const char *word = argv[*i];
    if (strcmp(word, "-h") == 0)
        word = "--help";
    if (word[1] != '-')
        return px_err_set(err, -EINVAL, "unknown option %s: options are written --name", word);
    const char *equals = strchr(word, '=');
    px_str name = px_str_n(word + 2, equals ? (size_t)(equals - word - 2) : strlen(word + 2));
    for (size_t o = 0; o < args->n_opts; o++) {
        const struct px_opt *opt = args->opts[o];
        if (!px_str_is(name, opt->name))
            continue;
        if (!opt->arg && equals)
            return px_err_set(err, -EINVAL, "--%s takes no value", opt->name);
        if (opt->arg && !equals && *i + 1 >= argc)
            return px_err_set(err, -EINVAL, "--%s needs a value: --%s %s", opt->name, opt->name, opt->arg);
        if (!opt->arg)
            args->values[o] = "";
        else
            args->values[o] = equals ? equals + 1 : argv[++*i];
        return 0;
    }
    return unknown(args, name, err);
}

int px_args_read(struct px_args *args, int argc, char **argv, int from, bool stop_at_word,
                 struct px_err *err) {
    if (!stop_at_word && !args->pos) {
        args->pos = calloc((size_t)argc + 1, sizeof *args->pos);
        if (!args->pos)
            return px_err_set(err, -ENOMEM, "out of memory");
    }
    for (int i = from; i < argc; i++) {
        const char *word = argv[i];
        if (!args->options_ended && strcmp(word, "--") == 0) {
            args->options_ended = true;
        } else if (!args->options_ended && word[0] == '-' && word[1]) {
            int r = read_option(args, argc, argv, &i, err);
            if (r)
                return r;
        } else if (stop_at_word) {
            return i;
        } else {
            args->pos[args->n_pos++] = word;
        }
    }
    return argc;
}

const char *px_args_get(const struct px_args *args, const char *name) {
    for (size_t i = 0; i < args->n_opts; i++)
        if (strcmp(args->opts[i]->name, name) == 0)
            return args->values[i];
    assert(false); /* an option that is in no table */
    return NULL;
}

static const struct {
    const char *unit;
    uint64_t ms;
} units[] = {{"ms", 1}, {"", 1000}, {"s", 1000}, {"m", 60000}, {"h", 3600000}, {"d", 86400000}};

int px_args_duration(const char *text, uint64_t *ret_ms) {
    size_t whole = strspn(text, "0123456789");
    size_t decimals = text[whole] == '.' ? strspn(text + whole + 1, "0123456789") : 0;
    const char *unit = text + whole + (text[whole] == '.' ? decimals + 1 : 0);
    uint64_t n, fraction = 0, scale = 1;
    if (px_str_u64(px_str_n(text, whole), &n) || (text[whole] == '.' && decimals == 0) || decimals > 3)
        return -EINVAL;
    for (size_t i = 0; i < decimals; i++) {
        fraction = fraction * 10 + (uint64_t)(text[whole + 1 + i] - '0');
        scale *= 10;
    }
    for (size_t i = 0; i < PX_COUNT(units); i++) {
        if (strcmp(unit, units[i].unit) != 0)
            continue;
        const uint64_t most = 3650ull * 86400000;
        if (n > most / units[i].ms)
            return -EINVAL;
        uint64_t ms = n * units[i].ms + fraction * units[i].ms / scale;
        if (ms == 0 || ms > most)
            return -EINVAL;
        *ret_ms = ms;
        return 0;
    }
    return -EINVAL;
}
