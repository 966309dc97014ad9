// The same job as a plugin of Extism, with the few imports of its kernel that its C
// kit would use.
#include "upcase.h"

#define KERNEL(name) __attribute__((import_module("extism:host/env"), import_name(#name))) extern

KERNEL(input_length) uint64_t input_length(void);
KERNEL(input_load_u8) u32 input_load_u8(uint64_t at);
KERNEL(input_load_u64) uint64_t input_load_u64(uint64_t at);
KERNEL(alloc) uint64_t alloc(uint64_t length);
KERNEL(store_u8) void store_u8(uint64_t at, u32 value);
KERNEL(store_u64) void store_u64(uint64_t at, uint64_t value);
KERNEL(output_set) void output_set(uint64_t at, uint64_t length);

static u8 buffer[1 << 20];

// load and store take eight bytes a call, as the kit's do.
static u32 load(void) {
    u32 length = (u32)input_length(), i = 0;
    if (length > sizeof buffer) return 0;
    for (; i + 8 <= length; i += 8) *(uint64_t *)(buffer + i) = input_load_u64(i);
    for (; i < length; i++) buffer[i] = (u8)input_load_u8(i);
    return length;
}

static void store(span s) {
    uint64_t length = (uint64_t)(s.end - s.at), at = alloc(length), i = 0;
    for (; i + 8 <= length; i += 8) {
        uint64_t word;
        __builtin_memcpy(&word, s.at + i, 8);
        store_u64(at + i, word);
    }
    for (; i < length; i++) store_u8(at + i, s.at[i]);
    output_set(at, length);
}

__attribute__((export_name("handle_message"))) int32_t handle_message(void) {
    u32 length = load();
    store(upcase((span){buffer, buffer + length}));
    return 0;
}
