// string.c: bytes, texts and kinds of characters.

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

// ---- bytes ----

void *memchr(const void *memory, int c, size_t count)
{
    const unsigned char *at = memory;
    for (; count; count--) {
        if (*at == (unsigned char)c) {
            return (void *)at;
        }
        at++;
    }
    return NULL;
}

int memcmp(const void *a, const void *b, size_t count)
{
    const unsigned char *left = a;
    const unsigned char *right = b;
    for (; count; count--) {
        if (*left != *right) {
            return *left - *right;
        }
        left++;
        right++;
    }
    return 0;
}

void *memcpy(void *to, const void *from, size_t count)
{
    char *target = to;
    const char *source = from;
    for (; count; count--) {
        *target++ = *source++;
    }
    return to;
}

// As memcpy, but the two may overlap.
void *memmove(void *to, const void *from, size_t count)
{
    char *target = to;
    const char *source = from;
    if (target <= source) {
        return memcpy(to, from, count);
    }
    for (; count; count--) {
        target[count - 1] = source[count - 1];
    }
    return to;
}

void *memset(void *to, int c, size_t count)
{
    char *target = to;
    for (; count; count--) {
        *target++ = c;
    }
    return to;
}

// ---- texts ----

size_t strlen(const char *text)
{
    const char *end = text;
    while (*end) {
        end++;
    }
    return end - text;
}

char *strcpy(char *to, const char *from)
{
    memcpy(to, from, strlen(from) + 1);
    return to;
}

char *strncpy(char *to, const char *from, size_t count)
{
    size_t i;
    for (i = 0; i < count && from[i]; i++) {
        to[i] = from[i];
    }
    for (; i < count; i++) {
        to[i] = 0;
    }
    return to;
}

char *strcat(char *to, const char *from)
{
    strcpy(to + strlen(to), from);
    return to;
}

int strncmp(const char *a, const char *b, size_t count)
{
    for (; count; count--) {
        if (*a != *b || !*a) {
            return *(const unsigned char *)a - *(const unsigned char *)b;
        }
        a++;
        b++;
    }
    return 0;
}

int strcmp(const char *a, const char *b)
{
    return strncmp(a, b, 0xffffffff);
}

// The zero at the end can be looked for as well.
char *strchr(const char *text, int c)
{
    for (;;) {
        if (*text == (char)c) {
            return (char *)text;
        }
        if (!*text) {
            return NULL;
        }
        text++;
    }
}

char *strrchr(const char *text, int c)
{
    const char *found = NULL;
    for (;;) {
        if (*text == (char)c) {
            found = text;
        }
        if (!*text) {
            return (char *)found;
        }
        text++;
    }
}

char *strstr(const char *text, const char *part)
{
    size_t length = strlen(part);
    for (;;) {
        if (!strncmp(text, part, length)) {
            return (char *)text;
        }
        if (!*text) {
            return NULL;
        }
        text++;
    }
}

// ---- characters ----

int isdigit(int c)
{
    return c >= '0' && c <= '9';
}

int islower(int c)
{
    return c >= 'a' && c <= 'z';
}

int isupper(int c)
{
    return c >= 'A' && c <= 'Z';
}

int isalpha(int c)
{
    return islower(c) || isupper(c);
}

int isalnum(int c)
{
    return isalpha(c) || isdigit(c);
}

int isxdigit(int c)
{
    return isdigit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

int isspace(int c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

int isprint(int c)
{
    return c >= ' ' && c <= '~';
}

int tolower(int c)
{
    return isupper(c) ? c + 'a' - 'A' : c;
}

int toupper(int c)
{
    return islower(c) ? c + 'A' - 'a' : c;
}
