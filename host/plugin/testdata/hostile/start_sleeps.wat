;; Its start function sleeps for 292 years.
;; Must happen: the module is refused.
(module
  (import "wasi_snapshot_preview1" "poll_oneoff" (func $poll_oneoff (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 2)
  (func (export "relay_abi_v1"))
  (func (export "relay_buffer") (param i32) (result i32) (i32.const 65536))
  (func (export "handle_message") (param i32 i32) (result i64) (i64.const 0))
  (start $s)
  (func $s
    (i32.store (i32.const 1040) (i32.const 1))
    (i64.store (i32.const 1048) (i64.const 0x7fffffffffffffff))
    (loop $forever (drop (call $poll_oneoff (i32.const 1024) (i32.const 1100) (i32.const 1) (i32.const 1200))) (br $forever))))
