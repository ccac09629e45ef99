/* Is this file a plugin? Everything here is done before any of its code runs. */
#include "base/str.h"
#include "service/private.h"
#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>

enum { FILE_MAX = 32 << 20, NOTES_MAX = 64 * 1024, HEADERS_MAX = 256, PATH_ROOM = 128 };

int px_owner_check(uint32_t uid, uint32_t mode, const char *what, struct px_err *err) {
    if (uid != 0 && uid != geteuid())
        return px_err_set(err, -EPERM, "%s belongs to uid %u: expected root or uid %u", what, uid, geteuid());
    if (mode & (S_IWGRP | S_IWOTH))
        return px_err_set(err, -EPERM, "%s can be written by others (mode %04o): chmod go-w", what,
                          mode & 07777);
    return 0;
}

static int write_all(int fd, const char *bytes, size_t n) {
    while (n) {
        ssize_t written = write(fd, bytes, n);
        if (written < 0 && errno != EINTR)
            return -errno;
        bytes += PX_MAX(written, 0);
        n -= (size_t)PX_MAX(written, 0);
    }
    return 0;
}

static int copy_sealed(int fd, size_t size, int *ret_memfd, uint64_t ret_hash[4], struct px_err *err) {
    static char bytes[256 * 1024];
    PX_AUTOCLOSE int memfd = memfd_create("plexus-plugin", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    crypto_generichash_state hash;
    if (memfd < 0)
        return px_err_errno(err, -errno, "memfd_create");
    crypto_generichash_init(&hash, NULL, 0, 32);
    size_t copied = 0;
    ssize_t n;
    while ((n = read(fd, bytes, sizeof bytes)) > 0 || (n < 0 && errno == EINTR)) {
        if (n < 0)
            continue;
        if ((copied += (size_t)n) > FILE_MAX)
            return px_err_set(err, -EAGAIN, "it grew while it was read");
        int r = write_all(memfd, bytes, (size_t)n);
        if (r)
            return px_err_errno(err, r, "cannot be copied");
        crypto_generichash_update(&hash, (const unsigned char *)bytes, (size_t)n);
    }
    if (n < 0)
        return px_err_errno(err, -errno, "cannot be read");
    if (copied != size)
        return px_err_set(err, -EAGAIN, "it changed while it was read");
    crypto_generichash_final(&hash, (unsigned char *)ret_hash, 32);
    if (fcntl(memfd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) < 0)
        return px_err_errno(err, -errno, "cannot seal the copy");
    *ret_memfd = px_take_fd(&memfd);
    return 0;
}

int px_plugin_file_open(const char *path, int *ret_memfd, uint64_t ret_hash[4], struct px_err *err) {
    struct stat st;
    PX_AUTOCLOSE int memfd = -1;
    /* O_NONBLOCK: opening a FIFO must not wait for a writer. */
    PX_AUTOCLOSE int fd = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return errno == ELOOP ? px_err_set(err, -ELOOP, "it is a symbolic link: put the file itself here")
                              : px_err_errno(err, -errno, "cannot be opened");
    if (fstat(fd, &st) < 0)
        return px_err_errno(err, -errno, "fstat");
    if (!S_ISREG(st.st_mode))
        return px_err_set(err, -EINVAL, "it is not a regular file");
    int r = px_owner_check(st.st_uid, st.st_mode, "it", err);
    if (r)
        return r;
    if (st.st_size > FILE_MAX)
        return px_err_set(err, -EFBIG, "it has %lld bytes: at most %d MiB", (long long)st.st_size,
                          FILE_MAX >> 20);
    r = copy_sealed(fd, (size_t)st.st_size, &memfd, ret_hash, err);
    if (!r)
        r = px_plugin_elf_check(memfd, err);
    if (!r)
        *ret_memfd = px_take_fd(&memfd);
    return r;
}

static int read_at(int fd, uint64_t at, void *to, size_t n) {
    char *p = to;
    while (n) {
        ssize_t got = pread(fd, p, n, (off_t)at);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return -EINVAL;
        p += got;
        at += (uint64_t)got;
        n -= (size_t)got;
    }
    return 0;
}

/* The first note of ours in a segment or section. */
static bool find_note(const char *notes, size_t n, struct px_note *ret) {
    size_t at = 0;
    while (n - at >= 12) {
        uint32_t name_size, desc_size, type;
        memcpy(&name_size, notes + at, 4);
        memcpy(&desc_size, notes + at + 4, 4);
        memcpy(&type, notes + at + 8, 4);
        if (name_size > n || desc_size > n)
            return false;
        size_t whole = 12 + ((size_t)name_size + 3) / 4 * 4 + ((size_t)desc_size + 3) / 4 * 4;
        if (whole > n - at)
            return false;
        if (type == PX_NOTE_TYPE && name_size == 8 && desc_size >= 8 &&
            memcmp(notes + at + 12, "Plexus", 7) == 0) {
            memcpy(ret, notes + at, sizeof *ret);
            return true;
        }
        at += whole;
    }
    return false;
}

static int check_abi(uint32_t major, uint32_t minor, struct px_err *err) {
    if (major == PX_ABI_MAJOR && minor >= PX_ABI_MINOR_OLDEST && minor <= PX_ABI_MINOR)
        return 0;
    return px_err_set(err, -ENOEXEC,
                      "it needs plugin ABI %u.%u, and this host has %u.%u: build it against our plugin.h",
                      major, minor, PX_ABI_MAJOR, PX_ABI_MINOR);
}

int px_plugin_elf_check(int memfd, struct px_err *err) {
    Elf64_Ehdr head;
    struct stat st;
    if (fstat(memfd, &st) < 0)
        return px_err_errno(err, -errno, "fstat");
    uint64_t size = (uint64_t)st.st_size;
    if (read_at(memfd, 0, &head, sizeof head) || memcmp(head.e_ident, ELFMAG, SELFMAG) != 0)
        return px_err_set(err, -ENOEXEC, "it is not an ELF file");
    if (head.e_ident[EI_CLASS] != ELFCLASS64 || head.e_ident[EI_DATA] != ELFDATA2LSB || head.e_type != ET_DYN)
        return px_err_set(err, -ENOEXEC, "it is not a 64-bit shared object");
#if defined(__x86_64__)
    const unsigned machine = EM_X86_64;
#elif defined(__aarch64__)
    const unsigned machine = EM_AARCH64;
#else
    const unsigned machine = head.e_machine;
#endif
    if (head.e_machine != machine)
        return px_err_set(err, -ENOEXEC, "it is built for another machine (ELF machine %u)", head.e_machine);
    if (head.e_phentsize != sizeof(Elf64_Phdr) || head.e_phnum == 0 || head.e_phnum > HEADERS_MAX)
        return px_err_set(err, -ENOEXEC, "its program headers are damaged");
    /* The section headers are not needed to load it, but they are at the end: without them, something was cut off. */
    uint64_t sections = (uint64_t)head.e_shnum * head.e_shentsize;
    if (head.e_shoff > size || sections > size - head.e_shoff)
        return px_err_set(err, -ENOEXEC, "it is truncated: its section headers are missing");
    bool noted = false;
    struct px_note note = {0};
    for (unsigned i = 0; i < head.e_phnum; i++) {
        Elf64_Phdr segment;
        if (read_at(memfd, head.e_phoff + i * sizeof segment, &segment, sizeof segment))
            return px_err_set(err, -ENOEXEC, "it is truncated");
        if (segment.p_type == PT_LOAD &&
            (segment.p_offset > size || segment.p_filesz > size - segment.p_offset))
            return px_err_set(err, -ENOEXEC, "it is truncated: a segment ends beyond the file");
        if (segment.p_type != PT_NOTE || noted || segment.p_filesz > NOTES_MAX)
            continue;
        PX_AUTOFREE char *notes = malloc(segment.p_filesz + 1);
        if (notes && read_at(memfd, segment.p_offset, notes, segment.p_filesz) == 0)
            noted = find_note(notes, segment.p_filesz, &note);
    }
    if (!noted)
        return px_err_set(err, -ENOEXEC,
                          "it is not a Plexus plugin: it has no Plexus note (see PX_PLUGIN in plugin.h)");
    return check_abi(note.abi_major, note.abi_minor_needed, err);
}

/* ---- loading ---- */

static bool good_plugin_name(const char *name) {
    size_t n = name ? strnlen(name, 33) : 0;
    if (n == 0 || n > 32 || name[0] < 'a' || name[0] > 'z')
        return false;
    return strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_") == n;
}

/* Without call() every tool has a route; what is set later is held against that, too. */
static int check_entries(const struct px_plugin *vtable, struct px_err *err) {
    if (!vtable->open && !vtable->api)
        return px_err_set(err, -ENOEXEC,
                          "px_plugin_v1: open must be there (or an api, and tools with routes)");
    if (!vtable->call && !vtable->api)
        return px_err_set(err, -ENOEXEC,
                          "px_plugin_v1: call must be there (or an api, and tools with routes)");
    for (uint32_t i = 0; !vtable->call && i < vtable->n_tools; i++) {
        struct px_tool tool;
        px_sized_copy(&tool, sizeof tool, (const char *)vtable->tools + (size_t)i * vtable->tool_size,
                      vtable->tool_size);
        if (!tool.route)
            return px_err_set(err, -ENOEXEC, "px_plugin_v1: call must be there: tool \"%.64s\" has no route",
                              tool.name ? tool.name : "");
    }
    return 0;
}

static int check_vtable(struct px_lib *lib, const struct px_plugin *theirs, bool vetted, struct px_err *err) {
    if (theirs->size < offsetof(struct px_plugin, cancel) || theirs->size > 4096)
        return px_err_set(err, -ENOEXEC, "px_plugin_v1 says it has %u bytes", theirs->size);
    px_sized_copy(&lib->vtable, sizeof lib->vtable, theirs, theirs->size);
    int r = check_abi(theirs->abi_major, theirs->abi_minor_needed, err);
    if (r)
        return r;
    if (!good_plugin_name(theirs->name))
        return px_err_set(err, -ENOEXEC,
                          "px_plugin_v1: name: expected [a-z][a-z0-9_]*, at most 32 characters");
    if (lib->vtable.n_tools > 2000 || (lib->vtable.n_tools && !lib->vtable.tools) ||
        (lib->vtable.n_tools && lib->vtable.tool_size < offsetof(struct px_tool, output_schema)))
        return px_err_set(err, -ENOEXEC,
                          "px_plugin_v1: tools: up to 2,000, with tool_size = sizeof(struct px_tool)");
    r = check_entries(&lib->vtable, err);
    if (r)
        return r;
    if (lib->vtable.config_schema) {
        r = px_schema_compile(px_str_of(lib->vtable.config_schema), NULL, &lib->config_schema, err);
        if (r)
            return px_err_prefix(err, r, "config_schema: ");
    }
    return lib->vtable.api ? px_api_compile(px_str_of(lib->vtable.api), vetted, &lib->api, err) : 0;
}

/* dlopen knows files by the text of their path, and descriptors' numbers come back: so each load spells the path of its
 * descriptor in a way of its own ("/./" and "//" for the bits of a counter). */
static void spell_path(int fd, char to[PATH_ROOM]) {
    static uint32_t loads;
    static const char folder[] = "/proc/self/fd";
    size_t n = sizeof folder - 1;
    memcpy(to, folder, n);
    for (uint32_t bits = ++loads; bits; bits >>= 1) {
        to[n++] = '/';
        if (bits & 1)
            to[n++] = '.';
    }
    snprintf(to + n, PATH_ROOM - n, "/%d", fd);
}

int px_lib_load(int memfd, const char *path, bool vetted, struct px_lib **ret, struct px_err *err) {
    char name[PATH_ROOM];
    struct px_lib *lib = calloc(1, sizeof *lib);
    if (!lib || !(lib->path = px_str_dup(px_str_of(path)))) {
        free(lib);
        return px_err_set(err, -ENOMEM, "no memory");
    }
    lib->memfd = -1;
    px_list_init(&lib->node);
    spell_path(memfd, name);
    lib->handle = dlopen(name, RTLD_NOW | RTLD_LOCAL);
    if (!lib->handle) {
        const char *why = dlerror();
        px_err_set(err, -ENOEXEC, "cannot be loaded: %.180s", why ? why : "?");
        px_lib_free(lib);
        return -ENOEXEC;
    }
    const struct px_plugin *vtable = dlsym(lib->handle, "px_plugin_v1");
    const struct px_worker *worker = dlsym(lib->handle, "px_worker_v1");
    lib->has_worker = worker != NULL;
    int r = vtable ? check_vtable(lib, vtable, vetted, err)
                   : px_err_set(err, -ENOEXEC, "it does not export px_plugin_v1 (see PX_PLUGIN in plugin.h)");
    if (r) {
        px_lib_free(lib);
        return r;
    }
    lib->memfd = memfd;
    *ret = lib;
    return 0;
}

void px_lib_free(struct px_lib *lib) {
    px_schema_destroy(lib->config_schema);
    px_api_destroy(lib->api);
    if (lib->memfd >= 0)
        close(lib->memfd);
    free(lib->path);
    free(lib);
}
