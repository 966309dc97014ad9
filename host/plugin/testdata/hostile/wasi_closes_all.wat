;; It closes and renumbers its standard streams, and then writes to them.
;; Must happen: it is only itself that it mutes.
(module
  (import "wasi_snapshot_preview1" "fd_close" (func $fd_close (param i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_renumber" (func $fd_renumber (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 2)

  (func (export "relay_abi_v1"))
  (func (export "relay_buffer") (param i32) (result i32) (i32.const 65536))

  ;; A long message is the attack; a short one is handled.
  (func $handle (export "handle_message") (param $ptr i32) (param $len i32) (result i64)
    (if (i32.lt_u (local.get $len) (i32.const 100)) (then (return (i64.const 0))))
    (drop (call $fd_close (i32.const 0)))
    (drop (call $fd_renumber (i32.const 0) (i32.const 0x7fffffff)))
    (drop (call $fd_close (i32.const 1)))
    (drop (call $fd_renumber (i32.const 1) (i32.const 0x7fffffff)))
    (drop (call $fd_close (i32.const 2)))
    (drop (call $fd_renumber (i32.const 2) (i32.const 0x7fffffff)))
    (drop (call $fd_close (i32.const 3)))
    (drop (call $fd_renumber (i32.const 3) (i32.const 0x7fffffff)))
    (i32.store (i32.const 1024) (i32.const 8))
    (i32.store (i32.const 1028) (i32.const 4))
    (drop (call $fd_write (i32.const 1) (i32.const 1024) (i32.const 1) (i32.const 1032)))
    (i64.const 0)))
