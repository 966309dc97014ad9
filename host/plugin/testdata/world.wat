;; Tells what it is told: 28 bytes of data with the wall clock, the monotonic
;; clock after a sleep of as many nanoseconds as the event's first 8 bytes say,
;; 8 random bytes, and what fd_close(1) answers. The event lies 2 bytes into the
;; frame.
(module
  (import "wasi_snapshot_preview1" "clock_time_get" (func $clock (param i32 i64 i32) (result i32)))
  (import "wasi_snapshot_preview1" "poll_oneoff" (func $poll (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_close" (func $close (param i32) (result i32)))
  (memory (export "memory") 1)

  (func (export "relay_abi_v1"))
  (func (export "relay_buffer") (param $size i32) (result i32) (i32.const 4096))
  (func (export "handle_message") (param $ptr i32) (param $len i32) (result i64)
    (i32.store16 (i32.const 256) (i32.const 0x1c2a)) ;; field 5, 28 bytes
    (drop (call $clock (i32.const 0) (i64.const 1) (i32.const 258)))
    ;; one subscription to the monotonic clock
    (i32.store (i32.const 1040) (i32.const 1))
    (i64.store (i32.const 1048) (i64.load (i32.add (local.get $ptr) (i32.const 2))))
    (if (call $poll (i32.const 1024) (i32.const 1100) (i32.const 1) (i32.const 1200)) (then (unreachable)))
    (drop (call $clock (i32.const 1) (i64.const 1) (i32.const 266)))
    (drop (call $random (i32.const 274) (i32.const 8)))
    (i32.store (i32.const 282) (call $close (i32.const 1)))
    (i64.const 0x000001000000001e)))
