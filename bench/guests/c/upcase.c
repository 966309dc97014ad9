// The benchmarks' guest in C: relayhost's ABI by hand, with no library at all.
#include "upcase.h"

#define EXPORT(name) __attribute__((export_name(#name))) name

extern u8 __heap_base;
static u8 *buffer;
static u32 room;

void EXPORT(relay_abi_v1)(void) {}

// relay_buffer keeps one buffer behind the data, which only grows: the input, and
// then as much room for the results of handle_batch, and for its record.
u8 *EXPORT(relay_buffer)(u32 size) {
    if (size > 0x10000000) return 0;
    u32 end = (u32)&__heap_base + 3 * size + 128, have = (u32)__builtin_wasm_memory_size(0) << 16;
    if (end > have && __builtin_wasm_memory_grow(0, (end - have + 0xffff) >> 16) == (u32)-1) return 0;
    room = size;
    return buffer = &__heap_base;
}

static uint64_t packed(span s) { return (uint64_t)(u32)s.at << 32 | (u32)(s.end - s.at); }

uint64_t EXPORT(handle_message)(u8 *at, u32 length) { return packed(upcase((span){at, at + length})); }

static u8 *append(u8 *to, const u8 *from, u32 length) {
    while (length--) *to++ = *from++;
    return to;
}

// index writes a message's index before what follows.
static u8 *index(u8 *before, u32 index) { return index ? put(before, 1 << 3, index) : before; }

// handle_batch is ok with every message, and emits one record that lists the batch's
// data. A message takes more bytes of the input than of the results or the record.
uint64_t EXPORT(handle_batch)(u8 *at, u32 length) {
    static const u8 title[] = "Got batch of finished jobs from processors.: [";
    span batch = {at, at + length}, message;
    u8 *start = buffer + 2 * room + 64, *to = append(start, title, sizeof title - 1);
    u8 *results = buffer + 2 * room + 16, *result = results;
    u32 number, count = 0;
    while (field(&batch, &number, &message)) {
        if (number != 4) continue;
        u8 *end = result;
        result = index(result, count);
        result = put(result, 1 << 3 | 2, (u32)(end - result));
        span data = find(message, 2);
        if (count++) { *to++ = ','; *to++ = ' '; }
        *to++ = '"';
        to = append(to, data.at, (u32)(data.end - data.at));
        *to++ = '"';
    }
    *to++ = ']';
    u8 *record = put(start, 1 << 3 | 2, (u32)(to - start));
    record = put(record, 2 << 3 | 2, (u32)(to - record));
    // The results were written from their end, before the record.
    while (results > result) *--record = *--results;
    return packed((span){record, to});
}
