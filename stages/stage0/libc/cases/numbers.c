// numbers.c: whole numbers out of text.

#include "all.c"

static FILE *out;

static void read_signed(const char *text, int base)
{
    char *end;
    long number;
    errno = 0;
    number = strtol(text, &end, base);
    fprintf(out, "%ld %d %d, ", number, (int)(end - text), errno);
    errno = 0;
    fprintf(out, "%lld ", strtoll(text, &end, base));
    fprintf(out, "%d %d\n", (int)(end - text), errno);
}

static void read_unsigned(const char *text, int base)
{
    char *end;
    unsigned long number;
    errno = 0;
    number = strtoul(text, &end, base);
    fprintf(out, "%lu %d %d, ", number, (int)(end - text), errno);
    errno = 0;
    fprintf(out, "%llu ", strtoull(text, &end, base));
    fprintf(out, "%d %d\n", (int)(end - text), errno);
}

int main(void)
{
    static const char *texts[] = {
        "0", "7", "-7", "+7", " \t\n12x", "", "-", "x", "0x", "0x1F", "0xg", "017", "08", "zZ",
        "2147483647", "2147483648", "-2147483648", "-2147483649", "4294967295", "4294967296",
        "-4294967295", "9223372036854775807", "9223372036854775808", "-9223372036854775808",
        "-9223372036854775809", "18446744073709551615", "18446744073709551616",
        "99999999999999999999999999", "-99999999999999999999999999"
    };
    int i;
    int major;
    int minor = -1;
    int patch = -1;
    out = fopen("/out", "w");
    for (i = 0; i < (int)(sizeof(texts) / sizeof(texts[0])); i++) {
        read_signed(texts[i], 0);
        read_signed(texts[i], 10);
        read_signed(texts[i], 16);
        read_unsigned(texts[i], 36);
        read_unsigned(texts[i], 0);
    }
    fprintf(out, "%d %d %d\n", atoi("12"), atoi(" -3 "), atoi("no"));
    i = sscanf("0.9.27", "%d.%d.%d", &major, &minor, &patch);
    fprintf(out, "%d %d %d\n", i, major, minor);
    i = sscanf("4-5", "%d.%d", &major, &minor);
    fprintf(out, "%d %d %d\n", i, major, minor);
    return fclose(out);
}
