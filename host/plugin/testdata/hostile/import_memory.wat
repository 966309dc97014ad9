;; It imports another module's memory.
;; Must happen: the module is refused.
(module
  (import "relay_v1" "memory" (memory 1))
  
  (func (export "relay_abi_v1"))
  (func (export "relay_buffer") (param i32) (result i32) (i32.const 65536))
  (func (export "handle_message") (param i32 i32) (result i64) (i64.const 0)))
