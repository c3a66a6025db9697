// number.c: whole numbers out of text, and sorting.

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

// A whole number as it is written.
struct whole {
    unsigned long long value;
    int negative;
    int too_large;
    const char *end;
};

// The value of a digit, or 99.
static int digit_value(int c)
{
    if (isdigit(c)) {
        return c - '0';
    }
    if (isalpha(c)) {
        return tolower(c) - 'a' + 10;
    }
    return 99;
}

// Whether `text` begins as a hex number, with 0x and a digit.
static int has_hex_prefix(const char *text)
{
    return text[0] == '0' && (text[1] == 'x' || text[1] == 'X') && isxdigit(text[2]);
}

// Reads blanks, a sign and digits.  `end` is `text` if there is no digit.
static void read_whole(struct whole *whole, const char *text, int base)
{
    const char *at = text;
    unsigned long long next;
    memset(whole, 0, sizeof(struct whole));
    whole->end = text;
    while (isspace(*at)) {
        at++;
    }
    if (*at == '-' || *at == '+') {
        whole->negative = *at == '-';
        at++;
    }
    if (base == 0) {
        base = has_hex_prefix(at) ? 16 : *at == '0' ? 8 : 10;
    }
    if (base == 16 && has_hex_prefix(at)) {
        at = at + 2;
    }
    while (digit_value(*at) < base) {
        // The highest bits are multiplied on their own, so that nothing is lost unseen.
        next = (whole->value >> 32) * base + (((whole->value & 0xffffffff) * base) >> 32);
        if (next >> 32) {
            whole->too_large = 1;
        }
        next = whole->value * base;
        whole->value = next + digit_value(*at);
        if (whole->value < next) {
            whole->too_large = 1;
        }
        at++;
        whole->end = at;
    }
}

// The number within the limits of a signed type; `most` is its largest.
static long long signed_whole(const char *text, char **end, int base, unsigned long long most)
{
    struct whole whole;
    read_whole(&whole, text, base);
    if (end) {
        *end = (char *)whole.end;
    }
    if (whole.too_large || whole.value > most + whole.negative) {
        errno = ERANGE;
        whole.value = most + whole.negative;
    }
    return whole.negative ? -whole.value : whole.value;
}

// The number within the limits of an unsigned type; `most` is its largest.
static unsigned long long unsigned_whole(const char *text, char **end, int base,
                                         unsigned long long most)
{
    struct whole whole;
    read_whole(&whole, text, base);
    if (end) {
        *end = (char *)whole.end;
    }
    if (whole.too_large || whole.value > most) {
        errno = ERANGE;
        return most;
    }
    return whole.negative ? -whole.value : whole.value;
}

long strtol(const char *text, char **end, int base)
{
    return signed_whole(text, end, base, LONG_MAX);
}

unsigned long strtoul(const char *text, char **end, int base)
{
    return unsigned_whole(text, end, base, ULONG_MAX);
}

long long strtoll(const char *text, char **end, int base)
{
    return signed_whole(text, end, base, LLONG_MAX);
}

unsigned long long strtoull(const char *text, char **end, int base)
{
    return unsigned_whole(text, end, base, ULLONG_MAX);
}

int atoi(const char *text)
{
    return strtol(text, NULL, 10);
}

int abs(int number)
{
    return number < 0 ? -number : number;
}

// Only "%d" and characters that must be there; gives how many numbers were read.
int sscanf(const char *text, const char *format, ...)
{
    va_list list;
    char *end;
    int number;
    int count = 0;
    va_start(list, format);
    while (*format) {
        if (format[0] == '%' && format[1] == 'd') {
            number = strtol(text, &end, 10);
            if (end == text) {
                break;
            }
            *va_arg(list, int *) = number;
            count++;
            text = end;
            format = format + 2;
        } else {
            if (*text != *format) {
                break;
            }
            text++;
            format++;
        }
    }
    va_end(list);
    return count;
}

// ---- sorting ----

static void swap_bytes(char *a, char *b, size_t count)
{
    char byte;
    for (; count; count--) {
        byte = *a;
        *a++ = *b;
        *b++ = byte;
    }
}

// Shell's method: elements at ever smaller distances are put in order, at last neighbours.
void qsort(void *array, size_t count, size_t size, int (*compare)(const void *, const void *))
{
    char *start = array;
    size_t distance;
    size_t i;
    size_t at;
    for (distance = count / 2; distance; distance = distance / 2) {
        for (i = distance; i < count; i++) {
            at = i;
            while (at >= distance
                   && compare(start + (at - distance) * size, start + at * size) > 0) {
                swap_bytes(start + (at - distance) * size, start + at * size, size);
                at = at - distance;
            }
        }
    }
}
