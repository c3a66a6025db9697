// print.c: formatted text, as any C library writes it.

#include "all.c"

int main(void)
{
    FILE *out = fopen("/out", "w");
    char text[8];
    int length;
    fprintf(out, "%d %i %d|%5d|%-5d|%05d|%+d|% d|%.3d|%5.3d|%-+5d|\n", 0, -1,
            -2147483647 - 1, 42, 42, -42, 1, 1, 7, 7, 7);
    fprintf(out, "%u %x %X %o %#x %#X %#o %08x %.0d|%#x|\n", 4294967295u, 255, 255, 255,
            255, 255, 255, 0xabc, 0, 0);
    fprintf(out, "%ld %lx %lu %zu\n", -5L, 0xffffffffUL, 4000000000UL, sizeof(text));
    fprintf(out, "%lld %llu %llx %20lld|%-20llx|\n", -9223372036854775807LL - 1,
            18446744073709551615ULL, 0x123456789abcdefULL, -1LL, 255ULL);
    fprintf(out, "%c%c|%3c|%-3c|%%|\n", 'a', 'b', 'c', 'd');
    fprintf(out, "%s|%5s|%-5s|%.2s|%5.1s|%.*s|%*s|%-*s|%*s|\n", "text", "ab", "ab", "abc", "abc", 1,
            "xyz", 4, "r", 4, "l", -4, "n");
    fprintf(out, "%p\n", (void *)0x8048000);
    length = snprintf(text, sizeof(text), "%s", "0123456789");
    fprintf(out, "%d %s\n", length, text);
    length = snprintf(text, 1, "abc");
    fprintf(out, "%d [%s]\n", length, text);
    length = sprintf(text, "%d", 1234);
    fprintf(out, "%d %s\n", length, text);
    return fclose(out);
}
