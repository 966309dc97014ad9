;; It answers for the first message of a batch ten thousand times.
;; Must happen: the whole output is refused.
(module
  (memory (export "memory") 2)

  (func (export "relay_abi_v1"))
  (func (export "relay_buffer") (param i32) (result i32) (i32.const 65536))

  (func (export "handle_message") (param i32 i32) (result i64) (i64.const 0))

  (func (export "handle_batch") (param $ptr i32) (param $len i32) (result i64)
    (local.set $len (i32.const 0))
    (loop $more
      (i32.store16 offset=1024 (local.get $len) (i32.const 0x000a))
      (local.set $len (i32.add (local.get $len) (i32.const 2)))
      (br_if $more (i32.lt_u (local.get $len) (i32.const 20000))))
    (i64.const 0x0000040000000000)
    (i64.or (i64.and (i64.extend_i32_u (local.get $len)) (i64.const 0xfffe)))))
