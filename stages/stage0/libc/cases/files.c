// files.c: files with and without buffers, and calls of the system.

#include "all.c"

static char big[10000];

static void write_file(const char *name, const char *mode, int count)
{
    FILE *file = fopen(name, mode);
    int i;
    for (i = 0; i < count; i++) {
        fputc('a' + i % 26, file);
    }
    fwrite(big, 1, sizeof(big), file);
    fputs("end\n", file);
    if (fclose(file)) {
        exit(10);
    }
}

int main(void)
{
    FILE *file;
    int descriptor;
    long length;
    memset(big, 'x', sizeof(big));
    write_file("/file", "wb", 5000);
    write_file("/file", "a", 1);
    file = fopen("/file", "r+");
    fseek(file, -4, SEEK_END);
    length = ftell(file);
    if (fread(big, 1, 100, file) != 4 || memcmp(big, "end\n", 4) || fgetc(file) != EOF) {
        return 1;
    }
    fseek(file, 1, SEEK_SET);
    fputs("BC", file);
    if (ftell(file) != 3 || fgetc(file) != 'd') {
        return 2;
    }
    if (fread(big, 3, 2, file) != 2 || memcmp(big, "efghij", 6)) {
        return 3;
    }
    fclose(file);
    if (fopen("/none/none", "w") || errno != ENOENT || fopen("/none", "r")) {
        return 4;
    }
    descriptor = open("/file", O_RDONLY);
    if (descriptor < 0 || read(descriptor, big, 4) != 4 || memcmp(big, "aBCd", 4)) {
        return 5;
    }
    if (lseek(descriptor, 0, SEEK_END) != length + 4 || close(descriptor) || !close(descriptor)) {
        return 6;
    }
    if (unlink("/file") || open("/file", O_RDONLY) >= 0 || !unlink("/file")) {
        return 7;
    }
    if (!getcwd(big, sizeof(big)) || strcmp(big, "/")) {
        return 8;
    }
    file = fdopen(open("/out", O_WRONLY | O_CREAT | O_TRUNC, 0600), "w");
    fprintf(file, "%ld bytes\n", length);
    // The end writes what is in the buffer.
    exit(0);
}
