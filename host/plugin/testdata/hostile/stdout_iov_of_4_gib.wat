;; It writes 4 GiB to standard output.
;; Must happen: WASI answers with an error, and the message is handled.
(module
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 2)

  (func (export "relay_abi_v1"))
  (func (export "relay_buffer") (param i32) (result i32) (i32.const 65536))

  ;; A long message is the attack; a short one is handled.
  (func $handle (export "handle_message") (param $ptr i32) (param $len i32) (result i64)
    (if (i32.lt_u (local.get $len) (i32.const 100)) (then (return (i64.const 0))))
    (i32.store (i32.const 1024) (i32.const 1))
    (i32.store (i32.const 1028) (i32.const -1))
    (if (i32.ne (call $fd_write (i32.const 1) (i32.const 1024) (i32.const 1) (i32.const 1032)) (i32.const 21)) (then (unreachable)))
    (i64.const 0)))
