// generate.c: trees to instructions, as a stack machine with EAX at its top.
//
// The value of an expression is in EAX (up to 4 bytes; smaller integers are extended to 32 bits),
// in EDX:EAX (long long) or in ST0 (real numbers); of a struct EAX has the address.
// A left operand waits on the stack while the right one is computed, a real one as 12 bytes, so
// the stack of the x87 never holds more than two values and is empty at calls.
// EBX, ESI and EDI are left as they are.

void generate(struct Node *node);

int is_long_long(struct Type *type)
{
    return type->kind == LONG_LONG;
}

// ---- places ----

// Computes an address that is not fixed into EAX, but leaves a constant distance to the place.
void generate_address(struct Node *address, struct Place *place)
{
    place->offset = 0;
    if (address->op == N_ADD && address->right->op == N_NUMBER) {
        place->offset = address->right->number.low;
        address = address->left;
    }
    generate(address);
    place->kind = AT_EAX;
}

// Whether the place can be named without a register.
int is_named_place(struct Node *address)
{
    return address->op == N_FRAME || (address->op == N_OBJECT && address->offset == 0);
}

void named_place(struct Node *address, struct Place *place)
{
    place->kind = address->op == N_FRAME ? IN_FRAME : AT_LABEL;
    place->offset = address->offset;
    place->object = address->object;
}

// The place of an address, with code that computes it into EAX if needed.
void generate_place(struct Node *address, struct Place *place)
{
    if (is_named_place(address)) {
        named_place(address, place);
    } else if (address->op == N_OBJECT) {
        emit_name("mov_eax,i32", '&', address->object->label);
        place->kind = AT_EAX;
        place->offset = address->offset;
    } else {
        generate_address(address, place);
    }
}

// ---- loading and storing ----

void load(struct Type *type, struct Place *place)
{
    switch (type->kind) {
    case BOOL:
        emit_at("movzx_eax,b_", place, "", 0);
        return;
    case CHAR:
        emit_at(type->is_unsigned ? "movzx_eax,b_" : "movsx_eax,b_", place, "", 0);
        return;
    case SHORT:
        emit_at(type->is_unsigned ? "movzx_eax,w_" : "movsx_eax,w_", place, "", 0);
        return;
    case INT: case POINTER:
        emit_at("mov_eax,", place, "", 0);
        return;
    case FLOAT:
        emit_at("fld_f4_", place, "", 0);
        return;
    case DOUBLE:
        emit_at("fld_f8_", place, "", 0);
        return;
    case LONG_DOUBLE:
        emit_at("fld_f10_", place, "", 0);
        return;
    }
    fail(BAD_TYPE, "a value of this type cannot be loaded");
}

// The second word of a long long at a label has no name: its address is needed.
void need_register(struct Place *place)
{
    if (place->kind == AT_LABEL) {
        emit_name("mov_ecx,i32", '&', place->object->label);
        place->kind = AT_ECX;
        place->offset = 0;
    }
}

void load_long_long(struct Place *place)
{
    need_register(place);
    emit_at("mov_edx,", place, "", 4);
    emit_at("mov_eax,", place, "", 0);          // last, as EAX may be the address
}

void store(struct Type *type, struct Place *place)
{
    switch (type->kind) {
    case BOOL: case CHAR:
        emit_at("mov_b_", place, ",al", 0);
        return;
    case SHORT:
        emit_at("mov_w_", place, ",ax", 0);
        return;
    case INT: case POINTER:
        emit_at("mov_", place, ",eax", 0);
        return;
    case LONG_LONG:
        need_register(place);
        emit_at("mov_", place, ",eax", 0);
        emit_at("mov_", place, ",edx", 4);
        return;
    case FLOAT:
        emit_at("fstp_f4_", place, "", 0);
        break;
    case DOUBLE:
        emit_at("fstp_f8_", place, "", 0);
        break;
    case LONG_DOUBLE:
        emit_at("fstp_f10_", place, "", 0);
        break;
    default:
        fail(BAD_TYPE, "a value of this type cannot be stored");
    }
    // The value of an assignment is what was stored, rounded.
    load(type, place);
}

// ---- bit-fields ----

// The bits of the field, from their unit in EAX, as a number.
void extract_field(struct Member *field)
{
    emit_byte("shl_eax,i8", 32 - field->position - field->width);
    emit_byte(field->type->is_unsigned ? "shr_eax,i8" : "sar_eax,i8", 32 - field->width);
}

// Ones at the bits of the field in its unit.
unsigned field_mask(struct Member *field)
{
    unsigned ones = 0;
    ones = ~ones;
    return (ones >> (32 - field->width)) << field->position;
}

// EAX goes into the field whose unit is at the address on the stack; EAX is the field then.
void store_field(struct Member *field)
{
    struct Place unit;
    unit.kind = AT_ECX;
    unit.offset = 0;
    emit("mov_edx,eax");
    emit_byte("shl_edx,i8", field->position);
    emit_number("and_edx,i32", field_mask(field));
    emit("pop_ecx");
    load(field->type, &unit);
    emit_number("and_eax,i32", ~field_mask(field));
    emit("or_eax,edx");
    store(field->type, &unit);
    extract_field(field);
}

void generate_field_store(struct Node *node)
{
    generate(node->left);
    emit("push_eax");
    generate(node->right);
    store_field(node->field);
}

// ---- N_LOAD and N_STORE ----

void generate_load(struct Node *node)
{
    struct Place place;
    if (node->type->kind == RECORD || node->type->kind == VOID) {
        generate(node->left);                   // the address stands for the struct
        return;
    }
    generate_place(node->left, &place);
    if (is_long_long(node->type)) {
        load_long_long(&place);
    } else {
        load(node->type, &place);
    }
    if (node->field) {
        extract_field(node->field);
    }
}

// Copies a struct from the address in EAX to the one on the stack, which EAX is then.
void copy_record(int size)
{
    emit("mov_ecx,esi");
    emit("mov_edx,edi");
    emit("mov_esi,eax");
    emit("pop_edi");
    emit("push_edi");
    emit("push_ecx");
    emit_number("mov_ecx,i32", size);
    emit("rep_movsb");
    emit("pop_esi");
    emit("mov_edi,edx");
    emit("pop_eax");
}

void generate_store(struct Node *node)
{
    struct Place place;
    if (node->field) {
        generate_field_store(node);
    } else if (node->type->kind == RECORD) {
        generate(node->left);
        emit("push_eax");
        generate(node->right);
        copy_record(size_of(node->type));
    } else if (is_named_place(node->left)) {
        generate(node->right);
        named_place(node->left, &place);
        store(node->type, &place);
    } else if (node->left->op == N_OBJECT) {
        generate(node->right);
        emit_name("mov_ecx,i32", '&', node->left->object->label);
        place.kind = AT_ECX;
        place.offset = node->left->offset;
        store(node->type, &place);
    } else {
        generate_address(node->left, &place);
        emit("push_eax");
        generate(node->right);
        emit("pop_ecx");
        place.kind = AT_ECX;
        store(node->type, &place);
    }
}

// ---- the stack ----

// Pushes the value; a struct is copied there.
void push_value(struct Type *type)
{
    if (is_real(type)) {
        // As an argument: in the size of the type.
        emit_number("sub_esp,i32", size_of(type));
        switch (type->kind) {
        case FLOAT: emit("fstp_f4_[esp]"); break;
        case DOUBLE: emit("fstp_f8_[esp]"); break;
        case LONG_DOUBLE: emit("fstp_f10_[esp]"); break;
        }
    } else if (is_long_long(type)) {
        emit("push_edx");
        emit("push_eax");
    } else if (type->kind == RECORD) {
        emit_number("sub_esp,i32", stack_size(type));
        emit("push_esp");
        copy_record(size_of(type));
    } else {
        emit("push_eax");
    }
}

// Keeps a left operand; real ones with all their bits.
void push_operand(struct Type *type)
{
    push_value(is_real(type) ? long_double_type : type);
}

// ---- constants ----

void generate_number(struct Node *node)
{
    emit_number("mov_eax,i32", node->number.low);
    if (is_long_long(node->type)) {
        emit_number("mov_edx,i32", node->number.high);
    }
}

// A real constant is pushed as 12 bytes and loaded from there.
void generate_real(struct Node *node)
{
    char bytes[12];
    int i;
    bytes[10] = 0;
    bytes[11] = 0;
    real_encode(bytes, node->real, LONG_DOUBLE_BITS);
    for (i = 8; i >= 0; i = i - 4) {
        emit_number("push_i32", (bytes[i] & 255) | ((bytes[i + 1] & 255) << 8)
                    | ((bytes[i + 2] & 255) << 16) | ((bytes[i + 3] & 255) << 24));
    }
    emit("fld_f10_[esp]");
    emit_number("add_esp,i32", 12);
}

// ---- conversions ----

// Extends the low bits of EAX again after they were cut.
void cut_word(struct Type *type)
{
    switch (type->kind) {
    case CHAR:
        emit(type->is_unsigned ? "movzx_eax,al" : "movsx_eax,al");
        return;
    case SHORT:
        emit(type->is_unsigned ? "movzx_eax,ax" : "movsx_eax,ax");
        return;
    }
}

// Compares a value with zero: the zero flag says whether it is.
void compare_with_zero(struct Type *type)
{
    if (is_real(type)) {
        emit("fldz");
        emit("fucomip_st1");
        emit("fstp_st0");
        // Not-a-number is not zero, but sets the zero flag as well as the parity flag.
        emit("setne_al");
        emit("setp_cl");
        emit("or_al,cl");
        emit("test_al,al");
    } else if (is_long_long(type)) {
        emit("or_eax,edx");
    } else {
        emit("test_eax,eax");
    }
}

void convert_to_bool(struct Type *from)
{
    compare_with_zero(from);
    emit("setne_al");
    emit("movzx_eax,al");
}

// EAX to EDX:EAX.
void widen(struct Type *from)
{
    emit(from->is_unsigned ? "xor_edx,edx" : "cdq");
}

void convert_to_real(struct Type *from)
{
    if (!is_long_long(from)) {
        widen(from);
    }
    if (is_long_long(from) && from->is_unsigned) {
        emit_name("call", '%', "c1.unsigned_to_real");
    } else {
        emit("push_edx");
        emit("push_eax");
        emit("fild_q_[esp]");
        emit_number("add_esp,i32", 8);
    }
}

// Rounds ST0 to a type.
void round_real(struct Type *to)
{
    if (to->kind != LONG_DOUBLE) {
        push_value(to);
        emit(to->kind == FLOAT ? "fld_f4_[esp]" : "fld_f8_[esp]");
        emit_number("add_esp,i32", size_of(to));
    }
}

// ST0 to EDX:EAX, cut towards zero.
void convert_from_real(struct Type *to)
{
    emit_name("call", '%', is_long_long(to) && to->is_unsigned
              ? "c1.real_to_unsigned" : "c1.real_to_integer");
}

void generate_convert(struct Node *node)
{
    struct Type *from = node->left->type;
    struct Type *to = node->type;
    generate(node->left);
    if (to->kind == VOID) {
        if (is_real(from)) {
            emit("fstp_st0");
        }
    } else if (to->kind == BOOL) {
        convert_to_bool(from);
    } else if (is_real(to)) {
        if (!is_real(from)) {
            convert_to_real(from);
        }
        if (to->kind < from->kind || !is_real(from)) {
            round_real(to);
        }
    } else {
        if (is_real(from)) {
            convert_from_real(to);
        } else if (is_long_long(to) && !is_long_long(from)) {
            widen(from);
        }
        cut_word(to);
    }
}

// ---- operators on words ----

// Whether the value can be loaded into ECX at once.
int is_simple(struct Node *node)
{
    if (node->type->kind != INT && node->type->kind != POINTER) {
        return 0;
    }
    return node->op == N_NUMBER
        || (node->op == N_LOAD && !node->field && is_named_place(node->left));
}

// Left to EAX and right to ECX.
void generate_words(struct Node *left, struct Node *right)
{
    struct Place place;
    if (!is_simple(right)) {
        generate(left);
        emit("push_eax");
        generate(right);
        emit("mov_ecx,eax");
        emit("pop_eax");
        return;
    }
    generate(left);
    if (right->op == N_NUMBER) {
        emit_number("mov_ecx,i32", right->number.low);
    } else {
        named_place(right->left, &place);
        emit_at("mov_ecx,", &place, "", 0);
    }
}

void divide_words(int op, int is_unsigned)
{
    if (is_unsigned) {
        emit("xor_edx,edx");
        emit("div_ecx");
    } else {
        emit("cdq");
        emit("idiv_ecx");
    }
    if (op == N_REMAINDER) {
        emit("mov_eax,edx");
    }
}

// The left operand says whether there are signs: the type of the result may have been changed
// by a conversion that costs nothing.
void generate_word_operator(struct Node *node)
{
    int is_unsigned = node->left->type->is_unsigned;
    generate_words(node->left, node->right);
    switch (node->op) {
    case N_ADD: emit("add_eax,ecx"); return;
    case N_SUBTRACT: emit("sub_eax,ecx"); return;
    case N_MULTIPLY: emit("imul_eax,ecx"); return;
    case N_AND: emit("and_eax,ecx"); return;
    case N_OR: emit("or_eax,ecx"); return;
    case N_XOR: emit("xor_eax,ecx"); return;
    case N_SHIFT_LEFT: emit("shl_eax,cl"); return;
    case N_SHIFT_RIGHT: emit(is_unsigned ? "shr_eax,cl" : "sar_eax,cl"); return;
    }
    divide_words(node->op, is_unsigned);
}

// ---- operators on long long ----

// Left to the stack, right to EDX:EAX.
void generate_longs(struct Node *left, struct Node *right)
{
    generate(left);
    emit("push_edx");
    emit("push_eax");
    generate(right);
}

// An operator on the low words, then one on the high words, in either order of operands.
void pair_operator(char *low, char *high)
{
    emit("pop_ecx");
    emit(low);
    emit("pop_ecx");
    emit(high);
}

// The functions of c1.M0 take the left operand from the stack, where they leave nothing.
char *long_function(int op, int is_unsigned)
{
    switch (op) {
    case N_MULTIPLY: return "c1.multiply";
    case N_DIVIDE: return is_unsigned ? "c1.divide_unsigned" : "c1.divide_signed";
    case N_REMAINDER: return is_unsigned ? "c1.remainder_unsigned" : "c1.remainder_signed";
    case N_SHIFT_LEFT: return "c1.shift_left";
    }
    return is_unsigned ? "c1.shift_right_unsigned" : "c1.shift_right_signed";
}

void generate_long_operator(struct Node *node)
{
    generate_longs(node->left, node->right);
    switch (node->op) {
    case N_ADD:
        pair_operator("add_eax,ecx", "adc_edx,ecx");
        return;
    case N_AND:
        pair_operator("and_eax,ecx", "and_edx,ecx");
        return;
    case N_OR:
        pair_operator("or_eax,ecx", "or_edx,ecx");
        return;
    case N_XOR:
        pair_operator("xor_eax,ecx", "xor_edx,ecx");
        return;
    case N_SUBTRACT:
        emit("sub_[esp],eax");
        emit_byte("sbb_[esp+i8],edx", 4);
        emit("pop_eax");
        emit("pop_edx");
        return;
    }
    emit_name("call", '%', long_function(node->op, node->left->type->is_unsigned));
}

// ---- operators on real numbers ----

// Left to ST0, right to ST1.
void generate_reals(struct Node *left, struct Node *right)
{
    generate(left);
    push_operand(left->type);
    generate(right);
    emit("fld_f10_[esp]");
    emit_number("add_esp,i32", 12);
}

void generate_real_operator(struct Node *node)
{
    generate_reals(node->left, node->right);
    switch (node->op) {
    case N_ADD: emit("faddp_st1"); return;
    case N_SUBTRACT: emit("fsubrp_st1"); return;
    case N_MULTIPLY: emit("fmulp_st1"); return;
    }
    emit("fdivrp_st1");
}

// ---- comparisons ----

// What the flags must say.  A condition and its opposite differ in the last bit.
enum {
    IF_EQUAL, IF_NOT_EQUAL, IF_LESS, IF_GREATER_EQUAL, IF_GREATER, IF_LESS_EQUAL,
    IF_BELOW, IF_ABOVE_EQUAL, IF_ABOVE, IF_BELOW_EQUAL
};

char *jump_name(int condition)
{
    switch (condition) {
    case IF_EQUAL: return "je";
    case IF_NOT_EQUAL: return "jne";
    case IF_LESS: return "jl";
    case IF_GREATER_EQUAL: return "jge";
    case IF_GREATER: return "jg";
    case IF_LESS_EQUAL: return "jle";
    case IF_BELOW: return "jb";
    case IF_ABOVE_EQUAL: return "jae";
    case IF_ABOVE: return "ja";
    }
    return "jbe";
}

char *set_name(int condition)
{
    switch (condition) {
    case IF_EQUAL: return "sete_al";
    case IF_NOT_EQUAL: return "setne_al";
    case IF_LESS: return "setl_al";
    case IF_GREATER_EQUAL: return "setge_al";
    case IF_GREATER: return "setg_al";
    case IF_LESS_EQUAL: return "setle_al";
    case IF_BELOW: return "setb_al";
    case IF_ABOVE_EQUAL: return "setae_al";
    case IF_ABOVE: return "seta_al";
    }
    return "setbe_al";
}

// The condition of an operator; the operators stand in the same order.
int condition_of(int op, int is_unsigned)
{
    int condition = op - N_EQUAL + IF_EQUAL;
    if (is_unsigned && condition >= IF_LESS) {
        condition = condition - IF_LESS + IF_BELOW;
    }
    return condition;
}

// a > b is b < a, and a <= b is b >= a: for these the operands change places.
int is_mirrored(int op)
{
    return op == N_GREATER || op == N_LESS_EQUAL;
}

int mirrored(int op)
{
    return op == N_GREATER ? N_LESS : N_GREATER_EQUAL;
}

// The flags of a subtraction of 64 bits tell < and >=, equality needs all bits.
int compare_longs(struct Node *node)
{
    int is_unsigned = node->left->type->is_unsigned;
    generate_longs(node->left, node->right);
    if (node->op == N_EQUAL || node->op == N_NOT_EQUAL) {
        pair_operator("xor_eax,ecx", "xor_edx,ecx");
        emit("or_eax,edx");
        return condition_of(node->op, is_unsigned);
    }
    if (is_mirrored(node->op)) {
        pair_operator("sub_eax,ecx", "sbb_edx,ecx");
        return condition_of(mirrored(node->op), is_unsigned);
    }
    emit("sub_[esp],eax");
    emit_byte("sbb_[esp+i8],edx", 4);
    emit("pop_eax");                            // pop leaves the flags as they are
    emit("pop_edx");
    return condition_of(node->op, is_unsigned);
}

// fucomip sets the flags as for unsigned numbers, and all of them if one is not-a-number:
// > and >= are false then, so < and <= are turned into these.
int compare_reals(struct Node *node)
{
    int op = node->op;
    generate_reals(node->left, node->right);
    if (op == N_LESS || op == N_LESS_EQUAL) {
        emit("fxch_st1");
        op = op == N_LESS ? N_GREATER : N_GREATER_EQUAL;
    }
    emit("fucomip_st1");
    emit("fstp_st0");
    if (op == N_EQUAL) {
        emit("sete_al");
        emit("setnp_cl");
        emit("and_al,cl");
        emit("test_al,al");
        return IF_NOT_EQUAL;
    }
    if (op == N_NOT_EQUAL) {
        emit("setne_al");
        emit("setp_cl");
        emit("or_al,cl");
        emit("test_al,al");
        return IF_NOT_EQUAL;
    }
    return condition_of(op, 1);
}

// Sets the flags by a comparison; returns the condition that says that it is true.
int generate_comparison(struct Node *node)
{
    if (is_real(node->left->type)) {
        return compare_reals(node);
    }
    if (is_long_long(node->left->type)) {
        return compare_longs(node);
    }
    generate_words(node->left, node->right);
    emit("cmp_eax,ecx");
    return condition_of(node->op, node->left->type->is_unsigned);
}

// ---- jumps ----

void generate_jump(struct Node *node, int wanted, int label);

// && and ||: the left side jumps too if it decides; else it jumps over the right side.
void generate_logical_jump(struct Node *node, int wanted, int label)
{
    int decides = node->op == N_OR_OR;
    int over;
    if (decides == wanted) {
        generate_jump(node->left, wanted, label);
        generate_jump(node->right, wanted, label);
        return;
    }
    over = new_label();
    generate_jump(node->left, decides, over);
    generate_jump(node->right, wanted, label);
    put_label(over);
}

// Jumps to the label if the truth of the condition is as wanted (1 or 0).
void generate_jump(struct Node *node, int wanted, int label)
{
    int condition = IF_NOT_EQUAL;
    if (constant_truth(node) >= 0) {
        if (constant_truth(node) == wanted) {
            emit_jump("jmp", label);
        }
        return;
    }
    if (node->op == N_NOT) {
        generate_jump(node->left, !wanted, label);
        return;
    }
    if (node->op == N_AND_AND || node->op == N_OR_OR) {
        generate_logical_jump(node, wanted, label);
        return;
    }
    if (is_comparison(node->op)) {
        condition = generate_comparison(node);
    } else {
        generate(node);
        compare_with_zero(node->type);
    }
    emit_jump(jump_name(wanted ? condition : condition ^ 1), label);
}

// && and || as a value.
void generate_logical(struct Node *node)
{
    int false_label = new_label();
    int end = new_label();
    generate_jump(node, 0, false_label);
    emit_number("mov_eax,i32", 1);
    emit_jump("jmp", end);
    put_label(false_label);
    emit_number("mov_eax,i32", 0);
    put_label(end);
}

void generate_conditional(struct Node *node)
{
    int otherwise = new_label();
    int end = new_label();
    generate_jump(node->left, 0, otherwise);
    generate(node->right);
    emit_jump("jmp", end);
    put_label(otherwise);
    generate(node->third);
    put_label(end);
}

// ---- calls ----

// Pushes the arguments, the last one first; returns their size.
int push_arguments(struct Node *argument)
{
    int size;
    if (!argument) {
        return 0;
    }
    size = push_arguments(argument->next);
    generate(argument);
    push_value(argument->type);
    return size + stack_size(argument->type);
}

void generate_call(struct Node *node)
{
    int size = push_arguments(node->right);
    int returns_record = node->type->kind == RECORD;
    if (node->left->op != N_OBJECT) {
        generate(node->left);
    }
    if (returns_record) {
        // Where the result goes is one more argument, which the function removes.
        emit_number("lea_ecx,[ebp+i32]", node->offset);
        emit("push_ecx");
    }
    if (node->left->op == N_OBJECT && node->left->offset == 0) {
        emit_name("call", '%', node->left->object->label);
    } else {
        emit("call_eax");
    }
    if (size) {
        emit_number("add_esp,i32", size);
    }
}

// ---- all of them ----

void generate_negate(struct Node *node)
{
    generate(node->left);
    if (is_real(node->type)) {
        emit("fchs");
    } else if (is_long_long(node->type)) {
        emit("neg_eax");
        emit_byte("adc_edx,i8", 0);
        emit("neg_edx");
    } else {
        emit("neg_eax");
    }
}

void generate_complement(struct Node *node)
{
    generate(node->left);
    emit("not_eax");
    if (is_long_long(node->type)) {
        emit("not_edx");
    }
}

void generate_operator(struct Node *node)
{
    if (is_real(node->type)) {
        generate_real_operator(node);
    } else if (is_long_long(node->type)) {
        generate_long_operator(node);
    } else {
        generate_word_operator(node);
    }
}

// Computes something for its effect only.
void generate_effect(struct Node *node)
{
    generate(node);
    if (is_real(node->type)) {
        emit("fstp_st0");
    }
}

void generate_truth(struct Node *node)
{
    if (node->op == N_NOT) {
        generate(node->left);
        compare_with_zero(node->left->type);
        emit("sete_al");
    } else {
        emit(set_name(generate_comparison(node)));
    }
    emit("movzx_eax,al");
}

void generate_object_address(struct Node *node)
{
    emit_name("mov_eax,i32", '&', node->object->label);
    if (node->offset) {
        emit_number("add_eax,i32", node->offset);
    }
}

void generate(struct Node *node)
{
    if (is_comparison(node->op)) {
        generate_truth(node);
        return;
    }
    switch (node->op) {
    case N_NUMBER: generate_number(node); return;
    case N_REAL: generate_real(node); return;
    case N_FRAME: emit_number("lea_eax,[ebp+i32]", node->offset); return;
    case N_OBJECT: generate_object_address(node); return;
    case N_LOAD: generate_load(node); return;
    case N_STORE: generate_store(node); return;
    case N_CALL: generate_call(node); return;
    case N_CONVERT: generate_convert(node); return;
    case N_RECORD_ADDRESS: generate(node->left); return;
    case N_NEGATE: generate_negate(node); return;
    case N_COMPLEMENT: generate_complement(node); return;
    case N_NOT: generate_truth(node); return;
    case N_AND_AND: case N_OR_OR: generate_logical(node); return;
    case N_CONDITIONAL: generate_conditional(node); return;
    case N_COMMA:
        generate_effect(node->left);
        generate(node->right);
        return;
    }
    generate_operator(node);
}
