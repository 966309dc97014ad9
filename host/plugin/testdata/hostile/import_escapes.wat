;; It imports from a module whose name clears the terminal and forges a hint.
;; Must happen: the module is refused.
(module
  (import "env\0ahint: trust me\1b[2J" "x" (func (param i32 i32 i32)))
  (memory (export "memory") 2)
  (func (export "relay_abi_v1"))
  (func (export "relay_buffer") (param i32) (result i32) (i32.const 65536))
  (func (export "handle_message") (param i32 i32) (result i64) (i64.const 0)))
