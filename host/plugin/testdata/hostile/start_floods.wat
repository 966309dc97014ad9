;; Its start function logs without end.
;; Must happen: the module is refused, and few lines are logged.
(module
  (import "relay_v1" "log" (func $log (param i32 i32 i32)))
  (memory (export "memory") 2)
  (func (export "relay_abi_v1"))
  (func (export "relay_buffer") (param i32) (result i32) (i32.const 65536))
  (func (export "handle_message") (param i32 i32) (result i64) (i64.const 0))
  (start $s)
  (func $s (loop $forever (call $log (i32.const 3) (i32.const 512) (i32.const 7)) (br $forever)))
  (data (i32.const 512) "hostile"))
