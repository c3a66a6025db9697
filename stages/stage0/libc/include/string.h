// string.h: bytes and texts.
#ifndef STRING_H
#define STRING_H

#include <stddef.h>

void *memchr(const void *memory, int c, size_t count);
int memcmp(const void *a, const void *b, size_t count);
void *memcpy(void *to, const void *from, size_t count);
void *memmove(void *to, const void *from, size_t count);
void *memset(void *to, int c, size_t count);

char *strcat(char *to, const char *from);
char *strchr(const char *text, int c);
int strcmp(const char *a, const char *b);
char *strcpy(char *to, const char *from);
size_t strlen(const char *text);
int strncmp(const char *a, const char *b, size_t count);
char *strncpy(char *to, const char *from, size_t count);
char *strrchr(const char *text, int c);
char *strstr(const char *text, const char *part);

#endif
