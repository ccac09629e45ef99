/* What libFuzzer does with files, and no more: give each file of a folder to the target once. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static int replay(const char *path) {
    struct stat status;
    FILE *file = fopen(path, "rb");
    if (!file || fstat(fileno(file), &status)) {
        perror(path);
        exit(1);
    }
    /* Exactly as large as the file, so that a read past its end is seen. */
    size_t n = (size_t)status.st_size;
    uint8_t *data = malloc(n ? n : 1);
    if (!data || fread(data, 1, n, file) != n)
        exit(1);
    fclose(file);
    int r = LLVMFuzzerTestOneInput(data, n);
    free(data);
    return r;
}

int main(int argc, char **argv) {
    unsigned files = 0;
    for (int i = 1; i < argc; i++) {
        DIR *dir = opendir(argv[i]);
        for (struct dirent *entry; dir && (entry = readdir(dir));) {
            char path[4096];
            if (entry->d_name[0] == '.')
                continue;
            snprintf(path, sizeof path, "%s/%s", argv[i], entry->d_name);
            replay(path);
            files++;
        }
        if (dir)
            closedir(dir);
    }
    printf("%u files\n", files);
    return files ? 0 : 1;
}
