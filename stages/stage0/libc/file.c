// file.c: files of stdio.h.  What is written is kept in a buffer; reading has none.

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct FILE {
    int descriptor;
    int failed;
    size_t used;
    size_t room;            // 0: each write goes to the system at once
    FILE *next;             // in the list of open files
    char buffer[BUFSIZ];
};

static FILE standard_input = { 0, 0, 0, 0, NULL };
static FILE standard_error = { 2, 0, 0, 0, NULL };
static FILE standard_output = { 1, 0, 0, BUFSIZ, NULL };

FILE *stdin = &standard_input;
FILE *stdout = &standard_output;
FILE *stderr = &standard_error;

// All files that have a buffer; fflush(NULL) and so exit write them.
static FILE *open_files = &standard_output;

// Writes all of it, however little the system takes at once.
static int write_all(FILE *file, const char *from, size_t count)
{
    ssize_t written;
    while (count) {
        written = write(file->descriptor, from, count);
        if (written <= 0) {
            file->failed = 1;
            return EOF;
        }
        from = from + written;
        count = count - written;
    }
    return 0;
}

int fflush(FILE *file)
{
    int result = 0;
    size_t count;
    if (!file) {
        for (file = open_files; file; file = file->next) {
            if (fflush(file)) {
                result = EOF;
            }
        }
        return result;
    }
    count = file->used;
    file->used = 0;
    return write_all(file, file->buffer, count);
}

FILE *fdopen(int descriptor, const char *mode)
{
    FILE *file = malloc(sizeof(FILE));
    if (!file) {
        return NULL;
    }
    file->descriptor = descriptor;
    file->failed = 0;
    file->used = 0;
    file->room = BUFSIZ;
    file->next = open_files;
    open_files = file;
    return file;
}

// The flags of open for a mode of fopen.
static int open_flags(const char *mode)
{
    int flags = strchr(mode, '+') ? O_RDWR : *mode == 'r' ? O_RDONLY : O_WRONLY;
    if (*mode == 'w') {
        flags = flags | O_CREAT | O_TRUNC;
    }
    if (*mode == 'a') {
        flags = flags | O_CREAT | O_APPEND;
    }
    return flags;
}

FILE *fopen(const char *name, const char *mode)
{
    FILE *file;
    int descriptor = open(name, open_flags(mode), 0666);
    if (descriptor < 0) {
        return NULL;
    }
    file = fdopen(descriptor, mode);
    if (!file) {
        close(descriptor);
    }
    return file;
}

int fclose(FILE *file)
{
    FILE **place = &open_files;
    int result;
    fflush(file);
    result = close(file->descriptor);
    if (file->failed) {
        result = EOF;
    }
    while (*place && *place != file) {
        place = &(*place)->next;
    }
    if (*place) {
        *place = file->next;
    }
    if (file != stdin && file != stdout && file != stderr) {
        free(file);
    }
    return result;
}

size_t fwrite(const void *from, size_t size, size_t count, FILE *file)
{
    size_t length = size * count;
    if (length > file->room - file->used) {
        if (fflush(file)) {
            return 0;
        }
        if (length > file->room) {
            return write_all(file, from, length) ? 0 : count;
        }
    }
    memcpy(file->buffer + file->used, from, length);
    file->used = file->used + length;
    return count;
}

int fputc(int c, FILE *file)
{
    char byte = c;
    return fwrite(&byte, 1, 1, file) ? (unsigned char)c : EOF;
}

int fputs(const char *text, FILE *file)
{
    return fwrite(text, strlen(text), 1, file) ? 0 : EOF;
}

int putchar(int c)
{
    return fputc(c, stdout);
}

int puts(const char *text)
{
    return fputs(text, stdout) ? EOF : putchar('\n');
}

size_t fread(void *to, size_t size, size_t count, FILE *file)
{
    char *target = to;
    size_t length = size * count;
    size_t done = 0;
    ssize_t got = 1;
    fflush(file);
    while (done < length && got > 0) {
        got = read(file->descriptor, target + done, length - done);
        if (got > 0) {
            done = done + got;
        }
    }
    return size ? done / size : 0;
}

int fgetc(FILE *file)
{
    unsigned char byte;
    return fread(&byte, 1, 1, file) ? byte : EOF;
}

int fseek(FILE *file, long offset, int whence)
{
    fflush(file);
    return lseek(file->descriptor, offset, whence) < 0 ? -1 : 0;
}

long ftell(FILE *file)
{
    fflush(file);
    return lseek(file->descriptor, 0, SEEK_CUR);
}
