// control.c: if, loops, switch, goto, break, continue, conditions.
// The status of the program is the number of the first check that fails, or 0.

int checks;
int failed;

void check(int holds)
{
    checks++;
    if (!holds && !failed) {
        failed = checks;
    }
}

int loops(int n)
{
    int total = 0;
    int i;
    for (i = 0; i < n; i++) {
        if (i == 3) {
            continue;
        }
        if (i == 8) {
            break;
        }
        total += i;
    }
    while (1) {
        if (--n < 0) break;
        else total += 100;
    }
    do {
        total += 1000;
    } while (total < 3000);
    for (;;) {
        return total;
    }
}

int choose(int n)
{
    int result = 0;
    switch (n) {
    case 1:
        result = 10;
        break;
    case 2:
        result = 20;            // falls through
    case 3:
        result += 3;
        break;
    case -1: case 'a': {
        int inner = 5;
        result = inner;
        break;
    }
    default:
        result = 99;
    case 1000:
        result++;
        switch (n + 1) {
        case 6: result += 500; break;
        }
    }
    return result;
}

// A switch into the middle of a loop, as it is used to copy in steps.
int duff(int count)
{
    int copied = 0;
    int rounds = (count + 3) / 4;
    switch (count % 4) {
    case 0: do { copied++;
    case 3:      copied++;
    case 2:      copied++;
    case 1:      copied++;
            } while (--rounds > 0);
    }
    return copied;
}

int jumps(int n)
{
    int i = 0;
again:
    if (i < n) {
        i++;
        goto again;
    }
    for (;;) {
        for (;;) {
            goto out;
        }
    }
out:
    goto end;
    i = 100;
end: ;
    return i;
}

int calls;

int count(int result)
{
    calls++;
    return result;
}

void conditions(void)
{
    int x = 5;
    check(!(count(0) && count(1)) && calls == 1);
    check((count(1) || count(1)) && calls == 2);
    check((count(1) && count(0)) == 0 && calls == 4);
    check((count(0) || count(7)) == 1 && calls == 6);
    check((x > 3 && x < 6) + (x < 3 || x == 5) * 10 + !(x == 5 || x == 6) * 100 == 11);
    check((x ? 1 : 2) == 1 && (!x ? 1 : x > 4 ? 3 : 4) == 3);
    check((x++, x) == 6 && (calls = 0, count(1), calls) == 1);
    if (!(x == 6 && (x < 0 || x > 5))) check(0); else check(1);
    while (x > 0 && x != 2) x--;
    check(x == 2);
    if (x) ; else check(0);
    x > 1 ? (void)(x = 50) : (void)0;
    check(x == 50);
}

int main(void)
{
    check(loops(5) == 3507);
    check(choose(1) == 10 && choose(2) == 23 && choose(3) == 3 && choose(-1) == 5);
    check(choose('a') == 5 && choose(7) == 100 && choose(1000) == 1 && choose(5) == 600);
    check(duff(1) == 1 && duff(8) == 8 && duff(11) == 11);
    check(jumps(6) == 6);
    conditions();
    return failed;
}
