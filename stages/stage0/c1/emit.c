// emit.c: the text of the translation: instructions, labels, operands.

// ---- lines ----

// An instruction without operands that follow.
void emit(char *instruction)
{
    out_text("    ");
    out_text(instruction);
    out_char('\n');
}

// An instruction with a number of four bytes behind it.
void emit_number(char *instruction, int number)
{
    out_text("    ");
    out_text(instruction);
    out_text(" %");
    out_number(number);
    out_char('\n');
}

// An instruction with a number of one byte behind it.
void emit_byte(char *instruction, int number)
{
    out_text("    ");
    out_text(instruction);
    out_text(" !");
    out_number(number);
    out_char('\n');
}

// A jump or call to a label, or an instruction with its address; `sign` is % or &.
void emit_name(char *instruction, int sign, char *label)
{
    out_text("    ");
    out_text(instruction);
    out_char(' ');
    out_char(sign);
    out_text(label);
    out_char('\n');
}

// ---- labels inside of a function: FUNCTION.NUMBER, and FUNCTION.NAME for those of goto ----

void put_label(int label)
{
    out_char(':');
    out_text(function_name);
    out_char('.');
    out_number(label);
    out_char('\n');
}

void put_named_label(char *name)
{
    out_char(':');
    out_text(function_name);
    out_char('.');
    out_text(name);
    out_char('\n');
}

void begin_jump(char *instruction)
{
    out_text("    ");
    out_text(instruction);
    out_text(" %");
    out_text(function_name);
    out_char('.');
}

void emit_jump(char *instruction, int label)
{
    begin_jump(instruction);
    out_number(label);
    out_char('\n');
}

void emit_named_jump(char *instruction, char *name)
{
    begin_jump(instruction);
    out_text(name);
    out_char('\n');
}

// ---- operands in memory ----

// Where a value lies: in the frame, at a label, or at an address in a register.
enum { IN_FRAME, AT_LABEL, AT_EAX, AT_ECX };

struct Place {
    int kind;
    int offset;
    struct Object *object;
};

// BEFORE[...]BEHIND with the operand that the brackets ask for; `more` is added to the offset.
void emit_at(char *before, struct Place *place, char *behind, int more)
{
    out_text("    ");
    out_text(before);
    switch (place->kind) {
    case IN_FRAME: out_text("[ebp+i32]"); break;
    case AT_LABEL: out_text("[i32]"); break;
    case AT_EAX: out_text("[eax+i32]"); break;
    case AT_ECX: out_text("[ecx+i32]"); break;
    }
    out_text(behind);
    if (place->kind == AT_LABEL) {
        out_text(" &");
        out_text(place->object->label);
    } else {
        out_text(" %");
        out_number(place->offset + more);
    }
    out_char('\n');
}

// ---- source lines as comments ----

char *commented_file;
int commented_line;

void emit_source_line(void)
{
    if (file_name && (commented_line != line_number || commented_file != file_name)) {
        commented_file = file_name;
        commented_line = line_number;
        out_text("# ");
        out_text(file_name);
        out_char(':');
        out_number(line_number);
        out_char('\n');
    }
}

// ---- a number that is known only later: the size of the frame ----

enum { HEX_DIGITS = 8 };

// Writes the instruction with room for eight hex digits; returns where they are.
int emit_number_later(char *instruction)
{
    int place;
    out_text("    ");
    out_text(instruction);
    out_text(" %0x");
    place = output_length;
    out_text("00000000\n");
    return place;
}

void fill_in_number(int place, unsigned number)
{
    int i;
    for (i = HEX_DIGITS - 1; i >= 0; i--) {
        int digit = number & 15;
        output[place + i] = digit < 10 ? '0' + digit : 'A' + digit - 10;
        number = number >> 4;
    }
}
