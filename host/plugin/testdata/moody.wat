;; Configures only in the even minutes of the wall clock, and traps at each
;; message of more than 8 bytes.
(module
  (import "wasi_snapshot_preview1" "clock_time_get" (func $clock_time_get (param i32 i64 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 32) "\10\01\1a\0anot now...")
  (func (export "relay_abi_v1"))
  (func (export "relay_buffer") (param $size i32) (result i32) (i32.const 1024))
  (func (export "configure") (param $ptr i32) (param $len i32) (result i64)
    (drop (call $clock_time_get (i32.const 0) (i64.const 1) (i32.const 16)))
    (if (i64.eqz (i64.rem_u (i64.div_u (i64.load (i32.const 16)) (i64.const 60000000000)) (i64.const 2)))
      (then (return (i64.const 0))))
    (i64.const 0x000000200000000e))
  (func (export "handle_message") (param $ptr i32) (param $len i32) (result i64)
    (if (i32.gt_u (local.get $len) (i32.const 8)) (then (unreachable)))
    (i64.const 0)))
