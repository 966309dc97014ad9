;; Logs each step of its life: start, _initialize, configure, teardown.
(module
  (import "relay_v1" "log" (func $log (param i32 i32 i32)))
  (memory (export "memory") 1)
  (func (export "relay_abi_v1"))
  (func (export "relay_buffer") (param $size i32) (result i32) (i32.const 1024))
  (func (export "handle_message") (param $ptr i32) (param $len i32) (result i64) (i64.const 0))
  (data (i32.const 16) "startinitializeconfigureteardown")
  (func $start (call $log (i32.const 0) (i32.const 16) (i32.const 5)))
  (start $start)
  (func (export "_initialize") (call $log (i32.const 1) (i32.const 21) (i32.const 10)))
  ;; Logs the input as well, which is the configuration.
  (func (export "configure") (param $ptr i32) (param $len i32) (result i64)
    (call $log (i32.const 2) (i32.const 31) (i32.const 9))
    (call $log (i32.const 3) (local.get $ptr) (local.get $len))
    (i64.const 0))
  (func (export "teardown") (call $log (i32.const 9) (i32.const 40) (i32.const 8))))
