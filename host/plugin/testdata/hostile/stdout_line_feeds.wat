;; It writes 64 MiB of line feeds to standard output, again and again.
;; Must happen: the deadline ends the call.
(module
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 2)
  (global $used (mut i32) (i32.const 0))

  (func (export "relay_abi_v1"))
  (func (export "relay_buffer") (param i32) (result i32) (i32.const 65536))
  (data (i32.const 8) "\10\01\1a\05stale")

  ;; A long message is the attack; a short one is handled.
  (func $handle (export "handle_message") (param $ptr i32) (param $len i32) (result i64)
    ;; 10 01 1a 05 "stale": what a discarded instance would say.
    (if (global.get $used) (then (return (i64.const 0x0000000800000009))))
    (if (i32.lt_u (local.get $len) (i32.const 100)) (then (return (i64.const 0))))
    (global.set $used (i32.const 1))
    (drop (memory.grow (i32.const 1020)))
    (memory.fill (i32.const 65536) (i32.const 10) (i32.const 66000000))
    (i32.store (i32.const 1024) (i32.const 65536))
    (i32.store (i32.const 1028) (i32.const 66000000))
    (loop $forever
      (drop (call $fd_write (i32.const 1) (i32.const 1024) (i32.const 1) (i32.const 1032)))
      (br $forever))
    (unreachable)))
