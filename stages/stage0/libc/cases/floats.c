// floats.c: the bits that decimal numbers become, also in the middle between two and at borders.

#include "all.c"

static const char *texts[] = {
    "0", "-0.0", "1", "-1.5", "+.5", "5.", "0.1", "1e23", "123456789012345678901234567890",
    "1e", "e1", ".", "1e+", "1.e1x", "  2",
    // exactly between two floats, doubles, long doubles: to the even one, and a little above
    "16777217", "16777219", "16777217.0000000000000000000000000000000000000000000001",
    "9007199254740993", "9007199254740995", "9007199254740993.00000000000000000000000000000000001",
    "36893488147419103233", "36893488147419103235", "18446744073709551615.5",
    "18446744073709551616.5",
    // the largest numbers, and those that are rounded beyond them
    "3.4028234663852886e38", "3.4028235677973366e38", "3.4028235677973367e38",
    "1.7976931348623157e308", "1.7976931348623158e308", "1.7976931348623159e308",
    "1.18973149535723176502e4932", "1.18973149535723176509e4932", "1e5000", "1e999999999999",
    // the smallest numbers: normal, denormal, nothing
    "1.1754943508222875e-38", "1.1754942e-38", "1.4e-45", "7.0064923216240853e-46",
    "7.0064923216240854e-46",
    "2.2250738585072014e-308", "2.2250738585072011e-308", "4.9406564584124654e-324",
    "2.4703282292062327e-324", "2.4703282292062328e-324",
    "3.3621031431120935063e-4932", "3.6451995318824746025e-4951", "1.8225997659412373012e-4951",
    "1.8225997659412373013e-4951", "1e-5000", "-1e-999999999999"
};

int main(void)
{
    FILE *out = fopen("/out", "w");
    union {
        float value;
        unsigned word;
    } f;
    union {
        double value;
        unsigned words[2];
    } d;
    union {
        long double value;
        unsigned words[3];
    } l;
    char *end;
    int i;
    for (i = 0; i < (int)(sizeof(texts) / sizeof(texts[0])); i++) {
        f.value = strtof(texts[i], &end);
        d.value = strtod(texts[i], NULL);
        l.value = strtold(texts[i], NULL);
        fprintf(out, "%08x %08x%08x %04x%08x%08x %d %s\n", f.word, d.words[1], d.words[0],
                l.words[2] & 0xffff, l.words[1], l.words[0], (int)(end - texts[i]), texts[i]);
    }
    for (i = -1100; i <= 1100; i = i + 55) {
        d.value = ldexp(1.75, i);
        fprintf(out, "%d %08x%08x ", i, d.words[1], d.words[0]);
        d.value = ldexp(-3.0, i / 2);
        fprintf(out, "%08x%08x\n", d.words[1], d.words[0]);
    }
    return fclose(out);
}
