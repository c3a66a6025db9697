// Statements: loops with break, continue and variables inside, switch, scopes, returns.
int trace;
int shadowed;

void line(int number)
{
    out_number(number);
    out_char('\n');
}

int later(int n);

int is_even(int n)
{
    if (n == 0)
        return 1;
    return later(n - 1);
}

int later(int n)
{
    if (n == 0)
        return 0;
    else
        return is_even(n - 1);
}

int fibonacci(int n)
{
    return n < 2 ? n : fibonacci(n - 1) + fibonacci(n - 2);
}

int kind(int c)
{
    int result = 0;
    switch (c) {
    case 'a':
    case 'e':
        result = 1;
        break;
    case 0:
        result += 10;
    case -1:
        result += 100;
        break;
    default:
        result = 5;
    case 200: {
        int inner = result * 2;
        char more[10];
        more[9] = 3;
        if (c == 300) {
            int deep = 1000;
            result = deep + inner;
            break;
        }
        result = inner + more[9];
    }
    case 201:
        result++;
    }
    return result;
}

int no_default(unsigned c)
{
    switch (c) {
    case 1:
        return 10;
    case 0xFFFFFFFF:
        return 20;
    }
    return 30;
}

int nested_switch(int a, int b)
{
    int result = 0;
    while (1) {
        switch (a) {
        case 1:
            switch (b) {
            case 1:
                result = 11;
                break;
            default:
                result = 10;
            }
            break;
        case 2:
            a = 1;
            continue;
        default:
            return -1;
        }
        break;
    }
    return result;
}

char narrow(int n)
{
    return n;
}

unsigned natural(int n)
{
    return n;
}

void nothing(int n)
{
    if (n) {
        return;
    }
    trace++;
}

void loops()
{
    int i;
    int j;
    int count = 0;
    for (i = 0; i < 10; i++) {
        int square = i * i;
        char pad[100];
        if (i == 3) {
            continue;
        }
        pad[0] = square;
        for (j = 0; ; j++) {
            int inner = j;
            if (inner > i) {
                break;
            }
            if (inner & 1) {
                int more = 5;
                count += more;
                continue;
            }
            count += pad[0];
        }
        while (j > 0) {
            int down = --j;
            if (down == 1)
                break;
        }
        if (i == 8) {
            break;
        }
    }
    line(count);
    line(i);
    do {
        int k = i;
        i--;
        if (k == 5) {
            continue;
        }
        if (k < 3) {
            break;
        }
    } while (i);
    line(i);
    for (;;) {
        if (i++ > 20)
            break;
    }
    line(i);
    do
        i -= 5;
    while (i > 0);
    line(i);
    while (i < 100)
        if (i % 7)
            i++;
        else
            i += 10;
    line(i);
    ;
    {
    }
    {
        {
            int i = 5;
            line(i);
        }
        line(i);
    }
}

void scopes(int shadowed)
{
    line(shadowed);
    {
        int shadowed = 2, other = shadowed + 1, *pointer = &shadowed, list[2], last = 9;
        list[1] = 4;
        line(shadowed);
        line(other);
        line(*pointer + list[1] + last);
        {
            char shadowed = 'c';
            line(shadowed);
        }
        line(shadowed);
    }
    line(shadowed);
}

void conditions()
{
    int a = 0;
    int b = 1;
    if (a)
        line(1);
    else if (b)
        line(2);
    else
        line(3);
    if (a || b)
        if (a && b)
            line(4);
        else
            line(5);
    a && (trace = 50);
    line(trace);
    b && (trace = 51);
    line(trace);
    a || (trace = 52);
    line(trace);
    b || (trace = 53);
    line(trace);
    line(a && b || b && !a);
    line((a || b) && (b || a) && 7);
    line(a ? b ? 1 : 2 : b ? 3 : 4);
    a = b ? 10 : 20;
    line(a > 5 ? a == 10 ? 100 : 200 : 300);
    line(a > 5 && a < 20 && a != 15);
}

int main(int argc, char **argv)
{
    line(is_even(10));
    line(is_even(7));
    line(fibonacci(15));
    line(kind('a'));
    line(kind('e'));
    line(kind(0));
    line(kind(-1));
    line(kind(77));
    line(kind(200));
    line(kind(201));
    line(kind(300));
    line(no_default(1));
    line(no_default(-1));
    line(no_default(7));
    line(nested_switch(1, 1));
    line(nested_switch(1, 2));
    line(nested_switch(2, 1));
    line(nested_switch(3, 1));
    line(narrow(300));
    line(narrow(200));
    line(natural(-1) > 0);
    nothing(1);
    nothing(0);
    line(trace);
    loops();
    shadowed = 77;
    scopes(1);
    line(shadowed);
    conditions();
    write_output(argv[1]);
    return 0;
}
