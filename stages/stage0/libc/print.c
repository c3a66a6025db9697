// print.c: formatted text.
//
// %d %i %u %x %X %o %c %s %p %% with the flags - 0 + # and blank, width, precision, and the sizes
// l, ll and z.  There is no %f, %e or %g: the number is passed over, and ? stands in its place.

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { FLAG_LEFT = 1, FLAG_ZERO = 2, FLAG_PLUS = 4, FLAG_BLANK = 8, FLAG_PREFIX = 16 };

// Where text goes: to a file, or to memory of `size` bytes.  `length` counts also what had no room.
struct sink {
    FILE *file;
    char *memory;
    size_t size;
    size_t length;
};

// What stands between % and the letter.
struct directive {
    int flags;
    int width;
    int precision;          // -1: none
    int is_long_long;
};

static void put_bytes(struct sink *sink, const char *from, size_t count)
{
    if (sink->file) {
        fwrite(from, 1, count, sink->file);
        sink->length = sink->length + count;
        return;
    }
    for (; count; count--) {
        if (sink->length < sink->size) {
            sink->memory[sink->length] = *from;
        }
        sink->length++;
        from++;
    }
}

static void put_repeated(struct sink *sink, char c, int count)
{
    for (; count > 0; count--) {
        put_bytes(sink, &c, 1);
    }
}

// Puts `prefix`, then `zeros` zeros, then the text, in a field of the directive's width.
static void put_field(struct sink *sink, struct directive *directive, const char *prefix, int zeros,
                      const char *text, int length)
{
    int blanks = directive->width - (int)strlen(prefix) - zeros - length;
    if (!(directive->flags & FLAG_LEFT)) {
        put_repeated(sink, ' ', blanks);
    }
    put_bytes(sink, prefix, strlen(prefix));
    put_repeated(sink, '0', zeros);
    put_bytes(sink, text, length);
    if (directive->flags & FLAG_LEFT) {
        put_repeated(sink, ' ', blanks);
    }
}

static void put_number(struct sink *sink, struct directive *directive, const char *prefix,
                       unsigned long long number, int base, const char *digits)
{
    char text[24];
    int start = sizeof(text);
    int length;
    int zeros = 0;
    while (number) {
        start--;
        text[start] = digits[number % base];
        number = number / base;
    }
    length = sizeof(text) - start;
    if (directive->precision >= 0) {
        zeros = directive->precision - length;
    } else if ((directive->flags & FLAG_ZERO) && !(directive->flags & FLAG_LEFT)) {
        zeros = directive->width - length - (int)strlen(prefix);
    }
    if (directive->precision < 0 && zeros < 1 && length == 0) {
        zeros = 1;
    }
    if (zeros < 0) {
        zeros = 0;
    }
    put_field(sink, directive, prefix, zeros, text + start, length);
}

static void put_text(struct sink *sink, struct directive *directive, const char *text)
{
    int length = 0;
    if (!text) {
        text = "(null)";
    }
    while ((directive->precision < 0 || length < directive->precision) && text[length]) {
        length++;
    }
    put_field(sink, directive, "", 0, text, length);
}

// Reads a number, or takes it from the arguments for a star.
static int read_amount(const char **format, va_list *list)
{
    int amount = 0;
    if (**format == '*') {
        (*format)++;
        return va_arg(*list, int);
    }
    while (**format >= '0' && **format <= '9') {
        amount = amount * 10 + **format - '0';
        (*format)++;
    }
    return amount;
}

static int flag_of(int c)
{
    switch (c) {
    case '-': return FLAG_LEFT;
    case '0': return FLAG_ZERO;
    case '+': return FLAG_PLUS;
    case ' ': return FLAG_BLANK;
    case '#': return FLAG_PREFIX;
    default: return 0;
    }
}

// Reads what stands before the letter; `format` is then at the letter.
static void read_directive(struct directive *directive, const char **format, va_list *list)
{
    directive->flags = 0;
    directive->precision = -1;
    directive->is_long_long = 0;
    while (flag_of(**format)) {
        directive->flags = directive->flags | flag_of(**format);
        (*format)++;
    }
    directive->width = read_amount(format, list);
    if (directive->width < 0) {
        directive->flags = directive->flags | FLAG_LEFT;
        directive->width = -directive->width;
    }
    if (**format == '.') {
        (*format)++;
        directive->precision = read_amount(format, list);
    }
    while (**format == 'l' || **format == 'z') {
        if ((*format)[0] == 'l' && (*format)[1] == 'l') {
            directive->is_long_long = 1;
        }
        (*format)++;
    }
}

static void put_signed(struct sink *sink, struct directive *directive, va_list *list)
{
    long long number = directive->is_long_long ? va_arg(*list, long long) : va_arg(*list, int);
    const char *sign = "";
    if (number < 0) {
        sign = "-";
    } else if (directive->flags & FLAG_PLUS) {
        sign = "+";
    } else if (directive->flags & FLAG_BLANK) {
        sign = " ";
    }
    put_number(sink, directive, sign, number < 0 ? -number : number, 10, "0123456789");
}

static void put_unsigned(struct sink *sink, struct directive *directive, int letter, va_list *list)
{
    unsigned long long number =
        directive->is_long_long ? va_arg(*list, unsigned long long) : va_arg(*list, unsigned);
    int has_prefix = (directive->flags & FLAG_PREFIX) && number;
    if (letter == 'x') {
        put_number(sink, directive, has_prefix ? "0x" : "", number, 16, "0123456789abcdef");
    } else if (letter == 'X') {
        put_number(sink, directive, has_prefix ? "0X" : "", number, 16, "0123456789ABCDEF");
    } else if (letter == 'o') {
        put_number(sink, directive, has_prefix ? "0" : "", number, 8, "01234567");
    } else {
        put_number(sink, directive, "", number, 10, "0123456789");
    }
}

// Puts one directive; gives what follows it in the format.
static const char *put_directive(struct sink *sink, const char *format, va_list *list)
{
    struct directive directive;
    char c;
    read_directive(&directive, &format, list);
    switch (*format) {
    case 'd':
    case 'i':
        put_signed(sink, &directive, list);
        break;
    case 'u':
    case 'x':
    case 'X':
    case 'o':
        put_unsigned(sink, &directive, *format, list);
        break;
    case 'p':
        directive.flags = directive.flags | FLAG_PREFIX;
        put_unsigned(sink, &directive, 'x', list);
        break;
    case 'c':
        c = va_arg(*list, int);
        put_field(sink, &directive, "", 0, &c, 1);
        break;
    case 's':
        put_text(sink, &directive, va_arg(*list, char *));
        break;
    case 'e':
    case 'f':
    case 'g':
        va_arg(*list, double);
        put_text(sink, &directive, "?");
        break;
    case 0:
        return format;
    default:
        put_bytes(sink, format, 1);
        break;
    }
    return format + 1;
}

static int print(struct sink *sink, const char *format, va_list list)
{
    const char *start;
    sink->length = 0;
    while (*format) {
        start = format;
        while (*format && *format != '%') {
            format++;
        }
        put_bytes(sink, start, format - start);
        if (*format) {
            format = put_directive(sink, format + 1, &list);
        }
    }
    return sink->length;
}

int vfprintf(FILE *file, const char *format, va_list list)
{
    struct sink sink;
    sink.file = file;
    return print(&sink, format, list);
}

int vsnprintf(char *to, size_t size, const char *format, va_list list)
{
    struct sink sink;
    int length;
    sink.file = NULL;
    sink.memory = to;
    sink.size = size;
    length = print(&sink, format, list);
    if (size) {
        to[length < size ? length : size - 1] = 0;
    }
    return length;
}

int vsprintf(char *to, const char *format, va_list list)
{
    return vsnprintf(to, 0x7fffffff, format, list);
}

int vprintf(const char *format, va_list list)
{
    return vfprintf(stdout, format, list);
}

int printf(const char *format, ...)
{
    va_list list;
    va_start(list, format);
    return vfprintf(stdout, format, list);
}

int fprintf(FILE *file, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    return vfprintf(file, format, list);
}

int sprintf(char *to, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    return vsprintf(to, format, list);
}

int snprintf(char *to, size_t size, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    return vsnprintf(to, size, format, list);
}
