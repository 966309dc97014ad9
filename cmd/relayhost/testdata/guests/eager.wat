;; A guest that says so and then spins for ever as soon as it is started.
(module
  (import "relay_v1" "log" (func $log (param i32 i32 i32)))
  (memory (export "memory") 2)
  (data (i32.const 16) "spinning")
  (func $start
    (call $log (i32.const 1) (i32.const 16) (i32.const 8))
    (loop $forever (br $forever)))
  (start $start)
  (func (export "relay_abi_v1"))
  (func (export "relay_buffer") (param i32) (result i32) (i32.const 65536))
  (func (export "handle_message") (param i32 i32) (result i64) (i64.const 0)))
