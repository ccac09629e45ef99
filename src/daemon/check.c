#include "daemon/check.h"
#include "daemon/load.h"
#include "daemon/plugins.h"
#include "daemon/process.h"
#include "route/site.h"
#include <stdio.h>

enum { UNSEEN = 32 };

/* As the plugin's schema will see it. A secret that cannot be read here has some length. */
static int mask(struct px_arena *arena, const struct px_service_conf *conf, struct px_buf *to) {
    static const char unseen[UNSEEN];
    struct px_service_secret *secrets = px_arena_alloc(arena, (conf->n_secrets + 1) * sizeof *secrets);
    if (!secrets)
        return -ENOMEM;
    for (size_t i = 0; i < conf->n_secrets; i++) {
        secrets[i] = conf->secrets[i];
        if (!secrets[i].value.n)
            secrets[i].value = px_str_n(unseen, UNSEEN);
    }
    return px_service_config_mask(to, conf->config_json, secrets, conf->n_secrets);
}

/* A schema may also ask for the reference itself. */
static bool takes_references(const struct px_known_plugin *plugin, struct px_arena *arena,
                             const struct px_service_conf *conf) {
    struct px_schema_report found;
    const struct px_json *config;
    return conf->n_secrets && px_json_parse(arena, conf->config_json, NULL, &config, NULL, NULL) == 0 &&
           px_schema_validate(plugin->schema, config, &found) == 0;
}

static void check_config(const struct px_config_service *service, const struct px_known_plugin *plugin,
                         struct px_arena *arena, struct px_report *report) {
    struct px_schema_report found;
    const struct px_json *config;
    struct px_buf masked;
    char pointer[128];
    snprintf(pointer, sizeof pointer, "%.*s/config", (int)service->pointer.n, service->pointer.p);
    struct px_place place = px_config_place(service->file, px_str_of(pointer));
    px_buf_init(&masked, (size_t)64 << 20);
    if (!plugin->schema) {
        if (!px_str_is(service->conf.config_json, "{}"))
            px_report_error(report, &place, "plugin " PX_FMT " takes none", PX_ARG(plugin->name));
    } else if (mask(arena, &service->conf, &masked) < 0 ||
               px_json_parse(arena, px_buf_view(&masked), NULL, &config, NULL, NULL) < 0) {
        px_report_error(report, &place, "takes too much memory");
    } else if (px_schema_validate(plugin->schema, config, &found) < 0 &&
               !takes_references(plugin, arena, &service->conf)) {
        px_config_file_problems(service->file, place.pointer, &found, report);
    }
    px_buf_finish(&masked);
}

/* ---- what the plugin's api makes of it ---- */

struct binding {
    const struct px_service_conf *conf;
    const char *unseen; /* stands for a secret that cannot be read here */
};

static int secret_of(void *ctx, px_str pointer, px_str *ret) {
    const struct binding *b = ctx;
    for (size_t i = 0; i < b->conf->n_secrets; i++) {
        const struct px_service_secret *secret = &b->conf->secrets[i];
        if (!px_str_eq(secret->pointer, pointer))
            continue;
        *ret = secret->value.n ? secret->value : px_str_of(b->unseen);
        return 0;
    }
    return -ENOENT;
}

static const char *readable(const char *path) {
    return path && access(path, R_OK) == 0 ? path : NULL;
}

/* The site that a start would make; it reads what is there, and asks nobody. */
static int try_site(const struct px_api *api, const struct binding *b, struct px_err *err) {
    const struct px_service_conf *conf = b->conf;
    struct px_site *site;
    struct px_site_opts opts = {.api = api,
                                .service = conf->name,
                                .config_json = conf->config_json,
                                .secret = secret_of,
                                .secret_ctx = (void *)(uintptr_t)b,
                                .network = conf->network,
                                .auth_json = conf->auth_json};
    opts.network.ca_file = readable(conf->network.ca_file);
    opts.network.cert_file = readable(conf->network.cert_file);
    opts.network.key_file = readable(conf->network.key_file);
    if (!opts.network.cert_file || !opts.network.key_file)
        opts.network.cert_file = opts.network.key_file = NULL;
    int r = px_site_create(&opts, &site, err);
    if (r == 0)
        px_site_destroy(&site);
    return r;
}

/* A secret that is not seen may be an address or a word: what fails with both in its place, and with the same words, fails without it. It may
 * be a key, too, for which neither can stand. */
static int bind_api(const struct px_api *api, const struct px_service_conf *conf, struct px_err *err) {
    static const char key_words[] = "auth: private_key: ";
    struct px_err other = {0};
    bool all_seen = true;
    for (size_t i = 0; i < conf->n_secrets; i++)
        all_seen = all_seen && conf->secrets[i].value.n;
    int r = try_site(api, &(struct binding){conf, "https://unseen.example"}, err);
    if (r < 0 && !all_seen &&
        (strncmp(err->msg, key_words, strlen(key_words)) == 0 ||
         try_site(api, &(struct binding){conf, "unseen-unseen-unseen"}, &other) == 0 ||
         strcmp(err->msg, other.msg) != 0))
        r = 0;
    return r;
}

/* "auth: words" stands at auth, what is said of no member at the configuration. */
static void report_at(const struct px_config_service *service, const struct px_err *err,
                      struct px_report *report) {
    static const char *const members[] = {"auth", "limits"};
    const char *member = "config", *words = err->msg;
    char pointer[128];
    for (size_t i = 0; i < PX_COUNT(members); i++) {
        size_t n = strlen(members[i]);
        if (strncmp(err->msg, members[i], n) == 0 && strncmp(err->msg + n, ": ", 2) == 0) {
            member = members[i];
            words = err->msg + n + 2;
        }
    }
    snprintf(pointer, sizeof pointer, "%.*s/%s", (int)service->pointer.n, service->pointer.p, member);
    struct px_place place = px_config_place(service->file, px_str_of(pointer));
    px_report_error(report, &place, "%s", words);
}

static void check_api(const struct px_config_service *service, const struct px_known_plugin *plugin,
                      struct px_arena *arena, struct px_report *report) {
    struct px_limits limits;
    struct px_err err = {0};
    if (!plugin->api)
        return;
    if (bind_api(plugin->api, &service->conf, &err) < 0)
        report_at(service, &err, report);
    if (px_site_limits(plugin->api, service->conf.limits_json, arena, &limits, &err) < 0)
        report_at(service, &err, report);
}

static void check_service(const struct px_config_service *service, const struct px_known_plugins *plugins,
                          struct px_report *report) {
    char pointer[128];
    struct px_arena arena;
    const struct px_known_plugin *plugin = px_known_plugin_get(plugins, service->conf.plugin);
    if (!service->enabled)
        return;
    if (!plugin) {
        snprintf(pointer, sizeof pointer, "%.*s/plugin", (int)service->pointer.n, service->pointer.p);
        struct px_place place = px_config_place(service->file, px_str_of(pointer));
        px_report_warning(report, &place,
                          "no plugin \"" PX_FMT "\" in the plugin folders: the service waits for it",
                          PX_ARG(service->conf.plugin));
        return;
    }
    unsigned before = report->errors;
    px_arena_init(&arena, 64 << 20);
    check_config(service, plugin, &arena, report);
    if (report->errors == before)
        check_api(service, plugin, &arena, report);
    px_arena_finish(&arena);
}

static int check_services(const struct px_config *config, struct px_report *report, struct px_err *err) {
    const char *self;
    int r = px_process_self(&self, err);
    PX_AUTOFREE struct px_known_plugins *plugins = calloc(1, sizeof *plugins);
    if (r < 0 || !plugins)
        return r < 0 ? r : px_err_errno(err, -ENOMEM, "check");
    r = px_known_plugins_find(config->plugin_dirs, self, plugins, report, err);
    for (size_t i = 0; r == 0 && i < config->n_services; i++)
        check_service(&config->services[i], plugins, report);
    px_known_plugins_finish(plugins);
    return r;
}

static int cannot(const struct px_err *err) {
    fprintf(stderr, "plexusd: %s\n", err->msg);
    return 2;
}

int px_check_main(const struct px_options *options) {
    PX_AUTOFREE char *path = NULL;
    struct px_secrets *secrets = NULL;
    struct px_config *config = NULL;
    struct px_report report;
    struct px_err err = {0};
    px_log_set_level(PX_LOG_CRITICAL);
    if (px_config_enter(options->config, &path, &err) < 0 ||
        px_secrets_create(getenv("CREDENTIALS_DIRECTORY"), &secrets, &err) < 0)
        return cannot(&err);
    px_report_init(&report);
    int r = px_config_load(&(struct px_config_opts){path, options->config, {NULL, 0}, secrets, true}, &config,
                           &report);
    if (r == 0)
        r = check_services(config, &report, &err);
    int status = report.errors ? 1 : 0;
    fwrite(report.text.p ? report.text.p : "", 1, report.text.n, stderr);
    if (r < 0 && r != -EBADMSG)
        status = cannot(&err);
    else if (report.errors > 1)
        fprintf(stderr, "%u problems\n", report.errors);
    else if (!report.errors)
        puts("ok");
    px_config_destroy(&config);
    px_secrets_destroy(&secrets);
    px_report_finish(&report);
    return status;
}
