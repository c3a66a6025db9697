// report.c: where we are in the text, and how an error ends the translation.

// The place of the token read last: its file, its line, and its characters.
char *file_name;
int line_number;
char *token_start;
char *token_end;
char *text_at;                      // the character to read next

enum { NEAR_LENGTH = 40 };

void say_place(void)
{
    if (file_name) {
        say(file_name);
        say(":");
        say_number(line_number);
        say(": ");
    }
}

// Ends the translation: FILE:LINE: what is wrong, near TOKEN
void fail(int status, char *what)
{
    char near[48];
    int length = token_end - token_start;
    if (length == 0) {
        length = text_at - token_start;     // the token is not complete
    }
    say_place();
    say(what);
    if (token_start && length == 0) {
        say(", at the end");
    } else if (token_start) {
        if (length > NEAR_LENGTH) {
            length = NEAR_LENGTH;
        }
        copy_bytes(near, token_start, length);
        near[length] = 0;
        say(", near ");
        say(near);
    }
    say("\n");
    stop(status);
}

// Ends the translation with a name that the message is about.
void fail_name(int status, char *what, char *name)
{
    say_place();
    say(what);
    say(": ");
    say(name);
    say("\n");
    stop(status);
}

// ---- nesting: what is too deep would overflow the stack ----

enum { NESTING_MAX = 5000 };

int nesting;

void enter_nesting(void)
{
    nesting++;
    if (nesting > NESTING_MAX) {
        fail(TOO_LARGE, "this is nested too deeply");
    }
}

void leave_nesting(void)
{
    nesting--;
}
