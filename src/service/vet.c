/* `plexusd --vet`: load a plugin in a process that may crash or hang, and say what it is. */
#include "base/buf.h"
#include "service/private.h"
#include "json/write.h"
#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>

static void put_abi(struct px_jw *w) {
    char text[24];
    snprintf(text, sizeof text, "%u.%u", PX_ABI_MAJOR, PX_ABI_MINOR);
    px_jw_text(w, text);
}

enum { PROBLEMS_MAX = 20 };

/* What is wrong with it; the first is said alone, too. */
struct problems {
    struct px_err list[PROBLEMS_MAX];
    size_t n, more;
};

static void note(struct problems *problems, const struct px_err *err) {
    if (problems->n < PROBLEMS_MAX)
        problems->list[problems->n++] = *err;
    else
        problems->more++;
}

/* Every tool, so that one look shows what is to be done. */
static void check_tools(const struct px_lib *lib, struct px_jw *w, struct problems *problems) {
    px_jw_key(w, "tools");
    px_jw_array(w);
    for (uint32_t i = 0; i < lib->vtable.n_tools; i++) {
        struct px_tool tool;
        struct px_item *item;
        struct px_err err;
        px_sized_copy(&tool, sizeof tool, (const char *)lib->vtable.tools + (size_t)i * lib->vtable.tool_size,
                      lib->vtable.tool_size);
        if (px_item_of_tool(&tool, px_str_of(lib->vtable.name), lib->api, false, &item, &err)) {
            note(problems, &err);
            continue;
        }
        px_jw_str(w, item->name);
        px_item_unref(item);
    }
    px_jw_array_end(w);
}

static void look(const char *file, struct px_jw *w, struct problems *problems) {
    struct px_err err;
    uint64_t hash[4];
    int memfd = 3;
    struct px_lib *lib;
    int r = file ? px_plugin_file_open(file, &memfd, hash, &err) : px_plugin_elf_check(memfd, &err);
    if (!r)
        r = px_lib_load(memfd, file ? file : "the plugin", false, &lib, &err);
    if (r) {
        note(problems, &err);
        return;
    }
    px_jw_object(w);
    px_jw_key(w, "ok");
    px_jw_bool(w, true);
    px_jw_key(w, "name");
    px_jw_text(w, lib->vtable.name);
    px_jw_key(w, "version");
    px_jw_text(w, lib->vtable.version ? lib->vtable.version : "");
    px_jw_key(w, "summary");
    px_jw_text(w, lib->vtable.summary ? lib->vtable.summary : "");
    px_jw_key(w, "abi");
    put_abi(w);
    px_jw_key(w, "worker");
    px_jw_bool(w, lib->has_worker);
    px_jw_key(w, "config_schema");
    px_jw_str(w, px_str_of(lib->vtable.config_schema)); /* as text: absent is null */
    px_jw_key(w, "api");
    px_jw_str(w, px_str_of(lib->vtable.api));
    check_tools(lib, w, problems);
    px_jw_object_end(w);
    px_lib_free(lib);
}

static void put_problems(struct px_jw *w, const struct problems *problems) {
    px_jw_object(w);
    px_jw_key(w, "ok");
    px_jw_bool(w, false);
    px_jw_key(w, "error");
    px_jw_text(w, problems->list[0].msg);
    px_jw_key(w, "problems");
    px_jw_array(w);
    for (size_t i = 0; i < problems->n; i++)
        px_jw_text(w, problems->list[i].msg);
    px_jw_array_end(w);
    if (problems->more) {
        px_jw_key(w, "more");
        px_jw_u64(w, problems->more);
    }
    px_jw_object_end(w);
}

/* A constructor that waits for something must not make us wait: what ends us says why. Only what is safe in a handler. */
static void on_alarm(int sig) {
    static_assert(PX_VET_SECONDS == 15, "the words below say it");
    static const char words[] =
        "\n{\"ok\":false,\"error\":\"loading it took more than 15 s: does a constructor wait for "
        "something?\"}\n";
    (void)sig;
    _exit(write(STDOUT_FILENO, words, sizeof words - 1) < 0 ? 2 : 1);
}

int px_plugin_vet(const char *file) {
    static struct problems problems;
    struct px_buf out;
    struct px_jw w;
    px_buf_init(&out, (size_t)8 << 20);
    px_jw_init(&w, &out);
    if (!file)
        prctl(PR_SET_PDEATHSIG, SIGKILL);
    signal(SIGALRM, on_alarm);
    alarm(PX_VET_SECONDS);
    problems = (struct problems){0};
    look(file, &w, &problems);
    alarm(0);
    if (!problems.n && out.failed) {
        struct px_err err;
        px_err_errno(&err, out.failed, "its tools");
        note(&problems, &err);
    }
    if (problems.n) {
        px_buf_clear(&out, 0);
        px_jw_init(&w, &out);
        put_problems(&w, &problems);
    }
    /* What the plugin printed is not ours: the answer is the last line. */
    printf("\n%s\n", out.p ? out.p : "{\"ok\":false,\"error\":\"no memory\"}");
    fflush(stdout);
    px_buf_finish(&out);
    return problems.n ? 1 : 0;
}
