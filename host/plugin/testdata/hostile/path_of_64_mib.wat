;; It opens a file whose path has 64 MiB and is full of dots.
;; Must happen: the call traps: one call of WASI may not ask for so much.
(module
  (import "wasi_snapshot_preview1" "path_filestat_get" (func $path_filestat_get (param i32 i32 i32 i32 i32) (result i32)))
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
    (memory.fill (i32.const 65536) (i32.const 0x2e) (i32.const 66000000))
    (loop $forever
      (i32.store8 (i32.const 65536) (i32.const 0x2f))
      (drop (call $path_filestat_get (i32.const 3) (i32.const 0) (i32.const 65536) (i32.const 66000000) (i32.const 1024)))
      (br $forever))
    (unreachable)))
