;; Tags what it puts out with its version, eight bytes that a test replaces in the
;; file. A message's data becomes the tag; a batch is one record: the tag, and
;; the batch's frame as it came. Batches have at most 127 messages.
(module
  (memory (export "memory") 5)
  (global $buffer i32 (i32.const 65536))
  (data (i32.const 16) "\2a\08version0")

  (func (export "relay_abi_v1"))

  ;; The second page on, as far as the output's.
  (func (export "relay_buffer") (param $size i32) (result i32)
    (select (i32.const 0) (global.get $buffer) (i32.gt_u (local.get $size) (i32.const 65536))))

  (func (export "handle_message") (param $ptr i32) (param $len i32) (result i64)
    (i64.const 0x000000100000000a))

  ;; The output is from the third page on: results, and the record.
  (func (export "handle_batch") (param $ptr i32) (param $len i32) (result i64)
    (local $end i32) (local $key i32) (local $at i32) (local $size i32) (local $index i32) (local $out i32)
    (local.set $at (local.get $ptr))
    (local.set $end (i32.add (local.get $ptr) (local.get $len)))
    (local.set $out (i32.const 131072))
    (block $done
      (loop $next
        (br_if $done (i32.ge_u (local.get $at) (local.get $end)))
        (local.set $key (i32.load8_u (local.get $at)))
        (local.set $at (i32.add (local.get $at) (i32.const 1)))
        (call $varint (local.get $at))
        (local.set $size)
        (local.set $at)
        (if (i32.eq (i32.and (local.get $key) (i32.const 7)) (i32.const 2))
          (then (local.set $at (i32.add (local.get $at) (local.get $size)))))
        (br_if $next (i32.ne (local.get $key) (i32.const 0x22)))
        ;; A message: its result is 0a 02 08 index.
        (i32.store (local.get $out)
          (i32.or (i32.const 0x0008020a) (i32.shl (local.get $index) (i32.const 24))))
        (local.set $out (i32.add (local.get $out) (i32.const 4)))
        (local.set $index (i32.add (local.get $index) (i32.const 1)))
        (br $next)))
    ;; The record, with its data: the tag, and the frame.
    (local.set $size (i32.add (local.get $len) (i32.const 8)))
    (call $field (local.get $out) (i32.const 0x12) (i32.add (local.get $size) (i32.const 4)))
    (call $field (i32.add (local.get $out) (i32.const 4)) (i32.const 0x0a) (local.get $size))
    (i64.store (i32.add (local.get $out) (i32.const 8)) (i64.load (i32.const 18)))
    (memory.copy (i32.add (local.get $out) (i32.const 16)) (local.get $ptr) (local.get $len))
    (i64.or
      (i64.const 0x0002000000000000)
      (i64.extend_i32_u (i32.sub (i32.add (local.get $out) (i32.add (local.get $size) (i32.const 8))) (i32.const 131072)))))

  ;; Writes a field's key and length, in a varint of three bytes.
  (func $field (param $at i32) (param $key i32) (param $size i32)
    (i32.store (local.get $at)
      (i32.or
        (i32.or
          (i32.or (i32.const 0x00808000) (local.get $key))
          (i32.shl (i32.and (local.get $size) (i32.const 127)) (i32.const 8)))
        (i32.or
          (i32.shl (i32.and (i32.shr_u (local.get $size) (i32.const 7)) (i32.const 127)) (i32.const 16))
          (i32.shl (i32.shr_u (local.get $size) (i32.const 14)) (i32.const 24))))))

  ;; Returns the address after the varint at $ptr, and its value.
  (func $varint (param $ptr i32) (result i32 i32)
    (local $value i32) (local $shift i32) (local $byte i32)
    (loop $more
      (local.set $byte (i32.load8_u (local.get $ptr)))
      (local.set $ptr (i32.add (local.get $ptr) (i32.const 1)))
      (local.set $value
        (i32.or (local.get $value)
          (i32.shl (i32.and (local.get $byte) (i32.const 127)) (local.get $shift))))
      (local.set $shift (i32.add (local.get $shift) (i32.const 7)))
      (br_if $more (i32.ge_u (local.get $byte) (i32.const 128))))
    (local.get $ptr)
    (local.get $value)))
