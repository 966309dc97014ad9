;; Answers a batch with 64 MiB of the same two bytes, the first two of the event
;; of its first message: 0a 00 is an empty result, 12 00 an empty record.
(module
  (memory (export "memory") 1025)
  (func (export "relay_abi_v1"))
  (func (export "relay_buffer") (param $size i32) (result i32) (i32.const 1024))
  (func (export "handle_message") (param $ptr i32) (param $len i32) (result i64) (i64.const 0))
  (func (export "handle_batch") (param $ptr i32) (param $len i32) (result i64)
    (i32.store16 (i32.const 65536) (i32.load16_u (i32.add (local.get $ptr) (i32.const 4))))
    (call $double (i32.const 2))
    (i64.const 0x0001000004000000))

  ;; Fills 64 MiB from 65536 on with what its first $size bytes are.
  (func $double (param $size i32)
    (loop $more
      (memory.copy (i32.add (i32.const 65536) (local.get $size)) (i32.const 65536) (local.get $size))
      (local.set $size (i32.shl (local.get $size) (i32.const 1)))
      (br_if $more (i32.lt_u (local.get $size) (i32.const 0x4000000))))))
