// Numbers, characters, escapes, strings, enum constants, and operators on constants.
enum { ZERO, ONE, TEN = 10, ELEVEN, MINUS = -5, MINUS_FOUR, LETTER = 'a', NEXT, SAME = TEN };
enum { HEX = 0x1F, MINUS_TEN = -TEN, LAST, };

void line(int number)
{
    out_number(number);
    out_char('\n');
}

void bytes(char *text)
{
    int i = 0;
    do {
        out_number(text[i]);
        out_char(' ');
        i++;
    } while (text[i - 1]);
    out_char('\n');
}

int main(int argc, char **argv)
{
    line(ZERO);
    line(ONE);
    line(TEN);
    line(ELEVEN);
    line(MINUS);
    line(MINUS_FOUR);
    line(LETTER);
    line(NEXT);
    line(SAME);
    line(HEX);
    line(MINUS_TEN);
    line(LAST);
    line(0);
    line(2147483647);
    line(-2147483647);
    line(0xabCDef01);
    line(0xFFFFFFFFu);
    line(4294967295u);
    line(4294967295U > 5);
    line(-1 < 0x80000000);
    line(-1 < 0x7fffffff);
    line(-1 < 1u);
    line(-1 < 1);
    line('a');
    line('\n');
    line('\t');
    line('\r');
    line('\a');
    line('\b');
    line('\f');
    line('\v');
    line('\0');
    line('\\');
    line('\'');
    line('\"');
    line('"');
    line('\x7f');
    line('\xFF');
    line('\x00');
    bytes("");
    bytes("plain text; # no comment // here /* either */");
    bytes("a\n\t\r\a\b\f\v\\\'\"'b");
    bytes("\x01\x7f\x80\xff");
    bytes("one" " two"
          /* between */ " three" // and
          "");
    bytes("tab	and high: é");
    bytes("cut\0here");
    line("cut\0here"[4]);
    line(-5);
    line(~5);
    line(- -5);
    line(!5);
    line(!0);
    line(1 + 2 * 3 - 4 / 2 % 3 << 1 | 8 ^ 3 & 6);
    line((1 + 2) * (3 - 4));
    line(7 - 2 - 1);
    line(100 / 5 / 2);
    line(1 < 2 == 1);
    line(1 | 2 && 0 || 3);
    line(1 ? 2 : 0 ? 3 : 4);
    line(0 ? 2 : 0 ? 3 : 4);
    line((0 ? 0 : -1) < 0u);
    line((1 ? -1 : 0u) > 0);
    line((0 ? -1 : 5u) > 0);
    line(sizeof(int));
    line(sizeof(char));
    line(sizeof(unsigned));
    line(sizeof(char *));
    line(sizeof(char **));
    line(-1 < sizeof(int));
    write_output(argv[1]);
    return 0;
}
