;; It writes 2^29 pieces to standard output: their size wraps to nothing.
;; Must happen: it gains nothing by it.
(module
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 2)

  (func (export "relay_abi_v1"))
  (func (export "relay_buffer") (param i32) (result i32) (i32.const 65536))

  ;; A long message is the attack; a short one is handled.
  (func $handle (export "handle_message") (param $ptr i32) (param $len i32) (result i64)
    (if (i32.lt_u (local.get $len) (i32.const 100)) (then (return (i64.const 0))))
    (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 0x20000000) (i32.const 1032)))
    (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 0x20000001) (i32.const 1032)))
    (i64.const 0)))
